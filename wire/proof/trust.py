"""Who signed: the centre's statement, the enrolment of the gateway's keys, and every batch and factor message."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from diantan_core import DecodeError, RecordBatch, decode_batch
from wire import topics
from wire.envelope import EnvelopeError, KeyRing, open_envelope
from wire.keys import InvalidKeyError, MissingLibraryError, PublicKey, key_id, public_from_bytes
from wire.proof import dispatched
from wire.proof.dispatched import Dispatched
from wire.proof.form import ProofError, ProofFile, unverified_payload
from wire.proof.statement import TOPIC, Enrolment, Statement, StatementError
from wire.proof.times import shown
from wire.proof.verdict import Check, failed, not_checked, passed

REVOCATION_GRACE_MS = 60_000
"""How long after a revocation a batch may have been stored: receivers learn of it within `intake.key_refresh_s`."""

CENTRE, GATEWAY = "the centre", "the gateway"

_SHOWN = 10
"""How many single faults are named."""


@dataclass(slots=True)
class Keys:
    """The public keys that whoever verifies trusts: nothing in a file makes a key trusted by itself."""

    centre: Sequence[PublicKey] = ()
    gateway: Sequence[PublicKey] = ()
    former: Sequence[PublicKey] = ()
    """Keys that the centre had before: for what it dispatched with them, and never for its statement of today."""

    def ring(self, owner: str, *, former: bool = False) -> KeyRing:
        """Return the centre's or the gateway's keys as a ring, with the centre's former ones where asked for."""
        ring = KeyRing()
        for key in self.centre if owner == CENTRE else self.gateway:
            ring.add(key, owner)
        for key in self.former if former else ():
            ring.add(key, owner)
        return ring


@dataclass(slots=True)
class Signatures:
    """What the signatures of a file are worth: the checks, and what is verified."""

    checks: list[Check] = field(default_factory=list)
    statement: Statement | None = None
    signed_statement: bool = False
    """Whether the centre's signature of the statement was verified."""
    batches: list[RecordBatch] = field(default_factory=list)
    dispatched: Dispatched | None = None
    """The factors that the centre vouches for; None without its key."""

    def received(self) -> dict[tuple[bytes, int], int]:
        """Return when the centre first stored each record, by journal and sequence (its own clock, ms UTC)."""
        result: dict[tuple[bytes, int], int] = {}
        if self.statement is not None and self.signed_statement:
            for batch, held in zip(self.batches, self.statement.batches, strict=False):
                for sequence in range(batch.first, batch.first + batch.count):
                    place = (batch.context, sequence)
                    result[place] = min(held.received_ms, result.get(place, held.received_ms))
        return result


def examine(file: ProofFile, keys: Keys) -> Signatures:
    """Check every signature of the file; what is not verified is not returned."""
    result = Signatures()
    _statement(file, keys, result)
    if result.statement is None:
        return result
    result.checks.append(_contents(file, result.statement, signed=result.signed_statement))
    stated, unusable = _stated_keys(result.statement)
    ring = keys.ring(GATEWAY) if keys.gateway else _stated_ring(stated)
    kids = _batches(file, ring, result, () if keys.gateway else unusable)
    result.checks.append(_enrolment(kids, stated, result))
    _factors(file, keys, ring, result)
    return result


def _statement(file: ProofFile, keys: Keys, result: Signatures) -> None:
    name = "centre's statement"
    try:
        if keys.centre:
            payload = open_envelope(file.statement, TOPIC, keys.ring(CENTRE)).payload
        else:
            payload = unverified_payload(file.statement)
        statement = Statement.decode(payload)
    except EnvelopeError as error:
        result.checks.append(failed(name, f"it is not signed by the centre: {error}"))
        return
    except ProofError as error:
        result.checks.append(failed(name, f"the statement: {error}"))
        return
    except StatementError as error:
        result.checks.append(failed(name, str(error)))
        return
    result.statement = statement
    result.signed_statement = bool(keys.centre)
    if keys.centre:
        text = f"signed by the centre: meter {statement.meter} of gateway {statement.gateway}, {_range(statement)}"
        result.checks.append(passed(name, text))
    else:
        text = "no key of the centre was given: what the file says of station, enrolment and factors is not checked"
        result.checks.append(not_checked(name, text))


def _range(statement: Statement) -> str:
    return f"{shown(statement.from_ms)} to {shown(statement.to_ms)}"


def _contents(file: ProofFile, statement: Statement, *, signed: bool) -> Check:
    name = "contents"
    batches = [item.digest for item in statement.batches]
    if [item.digest for item in file.batches] != batches:
        return failed(name, "the batches are not those of the statement: one is missing, added, changed or moved")
    if [item.digest for item in file.factor_messages] != list(statement.factor_messages):
        return failed(name, "the factor messages are not those of the statement")
    text = f"{len(batches)} batch(es) and {len(file.factor_messages)} factor message(s) as the statement lists them"
    return passed(name, text if signed else f"{text}, which is not checked itself")


_StatedKeys: TypeAlias = dict[bytes, tuple[PublicKey, Enrolment]]


def _stated_keys(statement: Statement) -> tuple[_StatedKeys, tuple[str, ...]]:
    """Return the keys that the centre says are the gateway's, by key id, and what is wrong with those it can't have."""
    result: _StatedKeys = {}
    unusable = []
    for item in statement.keys:
        try:
            key = public_from_bytes(item.public_key)
        except (InvalidKeyError, MissingLibraryError) as error:
            unusable.append(f"a key of the gateway in the statement: {error}")
        else:
            result[key_id(key)] = (key, item)
    return result, tuple(unusable)


def _stated_ring(stated: _StatedKeys) -> KeyRing:
    ring = KeyRing()
    for key, _ in stated.values():
        ring.add(key, GATEWAY)
    return ring


def _batches(file: ProofFile, ring: KeyRing, result: Signatures, unusable: Sequence[str]) -> list[bytes]:
    """Verify and read the batches; return the ids of the keys that signed them, none when one batch is not genuine."""
    statement = result.statement
    assert statement is not None
    topic = topics.records(statement.gateway)
    kids: list[bytes] = []
    unsigned: list[str] = []
    foreign: list[str] = []
    for number, item in enumerate(file.batches, 1):
        if item.topic != topic:
            foreign.append(f"batch {number}: topic {item.topic!r}, expected {topic!r}")
        try:
            opened = open_envelope(item.envelope, item.topic, ring)
            batch = decode_batch(opened.payload)
        except EnvelopeError as error:
            unsigned.append(f"batch {number}: {error}")
            continue
        except DecodeError as error:
            foreign.append(f"batch {number}: not a batch of records: {error}")
            continue
        kids.append(opened.kid)
        result.batches.append(batch)
        if batch.gateway != statement.gateway:
            foreign.append(f"batch {number}: made by gateway {batch.gateway!r}, expected {statement.gateway!r}")
    if unsigned:
        text = "a batch is not signed by a trusted key of the gateway for its topic"
        result.checks.append(failed("signatures", text, (*unusable, *unsigned)[:_SHOWN]))
    else:
        text = f"{len(kids)} batch(es) signed by {', '.join(sorted({kid.hex() for kid in kids}))} for topic {topic}"
        result.checks.append(passed("signatures", text))
    if foreign:
        result.checks.append(failed("context", "a batch is not of this gateway's records", tuple(foreign[:_SHOWN])))
    elif not unsigned:
        contexts = ", ".join(sorted({batch.context.hex() for batch in result.batches}))
        result.checks.append(passed("context", f"gateway {statement.gateway}, journal(s) {contexts}"))
    if unsigned or foreign:
        result.batches.clear()
        return []
    return kids


def _enrolment(kids: list[bytes], stated: _StatedKeys, result: Signatures) -> Check:
    name = "enrolment"
    statement = result.statement
    assert statement is not None
    if not result.signed_statement:
        return not_checked(name, "the centre's word for it is needed, and no key of the centre was given")
    if not kids:
        return not_checked(name, "no batch is known to be genuine")
    faults = []
    for kid, held in zip(kids, statement.batches, strict=False):
        when = f"a batch was stored {shown(held.received_ms)}"
        if kid not in stated:
            faults.append(f"{when}, its key {kid.hex()} is not one that the centre enrolled")
            continue
        enrolment = stated[kid][1]
        if held.received_ms < enrolment.added_ms:
            faults.append(f"{when}, before its key {kid.hex()} was enrolled ({shown(enrolment.added_ms)})")
        elif enrolment.revoked_ms is not None and held.received_ms > enrolment.revoked_ms + REVOCATION_GRACE_MS:
            faults.append(f"{when}, after its key {kid.hex()} was revoked ({shown(enrolment.revoked_ms)})")
    if faults:
        return failed(name, "a key was not trusted by the centre when its batch came", tuple(faults[:_SHOWN]))
    spans = [
        f"key {kid.hex()} since {shown(item.added_ms)}"
        + ("" if item.revoked_ms is None else f", until {shown(item.revoked_ms)}")
        for kid, (_, item) in stated.items()
    ]
    text = f"enrolled at the centre for gateway {statement.gateway} of station {statement.station}"
    return passed(name, text, tuple(spans))


def _factors(file: ProofFile, keys: Keys, gateway: KeyRing, result: Signatures) -> None:
    """Take over the factors that the centre signed: those of its statement, and dispatched messages that were kept."""
    statement = result.statement
    assert statement is not None
    if not keys.centre:
        text = "no key of the centre was given"
        result.checks += [not_checked("factors' signature", text), not_checked("factors as dispatched", text)]
        return
    ring = keys.ring(CENTRE, former=True)
    check, result.dispatched = dispatched.read(file.factor_messages, statement.node, statement.issues, ring, gateway)
    result.checks += [check, dispatched.compare(result.dispatched)]
