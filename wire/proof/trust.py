"""Who signed: the centre's statement, the enrolment of the gateway's keys, and every batch and factor message."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from diantan_core import DecodeError, RecordBatch, decode_batch
from wire import topics
from wire.envelope import EnvelopeError, KeyRing, open_envelope
from wire.keys import PublicKey, key_id
from wire.messages import Factors, MessageError
from wire.proof.form import ProofError, ProofFile, unverified_payload
from wire.proof.statement import TOPIC, Issue, Statement, StatementError
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

    def ring(self, owner: str) -> KeyRing:
        """Return the centre's or the gateway's keys as a ring."""
        ring = KeyRing()
        for key in self.centre if owner == CENTRE else self.gateway:
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
    issues: list[Issue] = field(default_factory=list)


def examine(file: ProofFile, keys: Keys) -> Signatures:
    """Check every signature of the file; what is not verified is not returned."""
    result = Signatures()
    _statement(file, keys, result)
    if result.statement is None:
        return result
    result.checks.append(_contents(file, result.statement, signed=result.signed_statement))
    kids = _batches(file, _gateway_ring(keys, result.statement), result)
    result.checks.append(_enrolment(kids, result))
    result.checks.append(_factor_messages(file, keys, result))
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
    except (ProofError, StatementError) as error:
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


def _gateway_ring(keys: Keys, statement: Statement) -> KeyRing:
    """Return the keys that batches are verified with: those given, else those that the centre says are enrolled."""
    if keys.gateway:
        return keys.ring(GATEWAY)
    ring = KeyRing()
    for item in statement.keys:
        ring.add(Ed25519PublicKey.from_public_bytes(item.public_key), GATEWAY)
    return ring


def _batches(file: ProofFile, ring: KeyRing, result: Signatures) -> list[bytes]:
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
        result.checks.append(failed("signatures", text, tuple(unsigned[:_SHOWN])))
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


def _enrolment(kids: list[bytes], result: Signatures) -> Check:
    name = "enrolment"
    statement = result.statement
    assert statement is not None
    if not result.signed_statement:
        return not_checked(name, "the centre's word for it is needed, and no key of the centre was given")
    if not kids:
        return not_checked(name, "no batch is known to be genuine")
    stated = {key_id(Ed25519PublicKey.from_public_bytes(item.public_key)): item for item in statement.keys}
    faults = []
    for kid, held in zip(kids, statement.batches, strict=False):
        enrolment = stated.get(kid)
        when = f"a batch was stored {shown(held.received_ms)}"
        if enrolment is None:
            faults.append(f"{when}, its key {kid.hex()} is not one that the centre enrolled")
        elif held.received_ms < enrolment.added_ms:
            faults.append(f"{when}, before its key {kid.hex()} was enrolled ({shown(enrolment.added_ms)})")
        elif enrolment.revoked_ms is not None and held.received_ms > enrolment.revoked_ms + REVOCATION_GRACE_MS:
            faults.append(f"{when}, after its key {kid.hex()} was revoked ({shown(enrolment.revoked_ms)})")
    if faults:
        return failed(name, "a key was not trusted by the centre when its batch came", tuple(faults[:_SHOWN]))
    spans = [
        f"key {kid.hex()} since {shown(item.added_ms)}"
        + ("" if item.revoked_ms is None else f", until {shown(item.revoked_ms)}")
        for kid, item in stated.items()
    ]
    text = f"enrolled at the centre for gateway {statement.gateway} of station {statement.station}"
    return passed(name, text, tuple(spans))


def _factor_messages(file: ProofFile, keys: Keys, result: Signatures) -> Check:
    """Take over the factors that the centre signed: those of its statement, and dispatched messages that were kept."""
    name = "factors' signature"
    statement = result.statement
    assert statement is not None
    if not keys.centre:
        return not_checked(name, "no key of the centre was given")
    ring = keys.ring(CENTRE)
    faults = []
    for number, item in enumerate(file.factor_messages, 1):
        try:
            message = Factors.decode(open_envelope(item.envelope, item.topic, ring).payload)
            if message.node != statement.node or item.topic != topics.factor(statement.node):
                faults.append(f"factor message {number}: of node {message.node!r}, expected {statement.node!r}")
                continue
        except (EnvelopeError, MessageError, topics.TopicError) as error:
            faults.append(f"factor message {number}: {error}")
            continue
        result.issues += [
            Issue(
                message.first_start_ms + place * message.slot_ms,
                message.slot_ms,
                message.issued_ms,
                value,
                message.solve_id,
            )
            for place, value in enumerate(message.factors)
        ]
    if faults:
        return failed(name, "a factor message is not signed by the centre for its node", tuple(faults[:_SHOWN]))
    result.issues += statement.issues
    if not result.issues:
        return not_checked(name, "the proof has no factors")
    text = f"{len(statement.issues)} factor(s) of node {statement.node} in the centre's statement"
    if file.factor_messages:
        return passed(
            name, f"{text}, {len(file.factor_messages)} message(s) as they were dispatched, signed by the centre"
        )
    return passed(name, f"{text}, signed when the proof was exported; the file has no message as it was dispatched")
