"""Verifying a proof of readings: no database, only public keys that whoever verifies trusts."""

from wire.proof import carbon, continuity, form
from wire.proof.contents import collect
from wire.proof.statement import Statement
from wire.proof.trust import Keys, examine
from wire.proof.verdict import Check, Claim, Verdict, failed, passed


def verify(data: bytes, keys: Keys) -> Verdict:
    """Check the bytes of a proof file; nothing of it is believed that a key of `keys` does not vouch for.

    ValueError when no key is given.
    """
    if not keys.centre and not keys.gateway:
        raise ValueError("expected a public key of the centre or of the gateway")
    try:
        file = form.decode(data)
    except form.ProofError as error:
        return Verdict((failed("file", str(error)),))
    checks = [passed("file", f"{len(data)} bytes, complete, checksum right")]
    signatures = examine(file, keys)
    checks += signatures.checks
    statement = signatures.statement
    if statement is None or not signatures.batches:
        return Verdict(tuple(checks), None if statement is None else _claim(statement))
    contents = collect(signatures.batches, statement.meter)
    intervals = continuity.claimed(contents, statement.from_ms, statement.to_ms)
    freezes = [item for item in contents.freezes if statement.from_ms <= item.time_ms <= statement.to_ms]
    covered = continuity.coverage(intervals, statement.from_ms, statement.to_ms)
    checks.append(_readings(statement, len(intervals), len(freezes), *covered))
    checks.append(continuity.sequences(contents, statement.from_ms, statement.to_ms))
    checks.append(continuity.registers(contents))
    checks.append(carbon.arithmetic(contents))
    checks.append(carbon.factors(contents, intervals, signatures.dispatched, signatures.received()))
    verdict = Verdict(tuple(checks), _claim(statement), tuple(intervals), tuple(freezes))
    # What is not proved is not shown as if it were.
    return verdict if verdict.proved else Verdict(verdict.checks, verdict.claim)


def _claim(statement: Statement) -> Claim:
    return Claim(
        statement.gateway,
        statement.station,
        statement.meter,
        statement.from_ms,
        statement.to_ms,
        statement.exported_ms,
    )


def _readings(statement: Statement, intervals: int, freezes: int, covered_ms: int, doubled_ms: int) -> Check:
    name = "readings"
    if not intervals:
        return failed(name, f"the batches have no interval of meter {statement.meter} in the range")
    span_ms = statement.to_ms - statement.from_ms
    notes = [] if covered_ms == span_ms else [f"{_seconds(span_ms - covered_ms)} s of the range have no interval"]
    if doubled_ms:
        # As after the loss of a journal, or where two gateways have one key: which of them counts, no signature says.
        notes.append(f"{_seconds(doubled_ms)} s of the range are in more than one interval: not to be added up")
    return passed(name, f"{intervals} interval(s) and {freezes} freeze(s) of meter {statement.meter}", (*notes,))


def _seconds(duration_ms: int) -> str:
    return f"{duration_ms // 1000}.{duration_ms % 1000:03d}"
