"""The factors of a proof: what the centre's statement says that it dispatched, and the signed messages in which it did.

The statement is the centre's word of the day of the export. A message as it was dispatched is its word of back then:
nobody who can only change the store has the key to make another one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wire import topics
from wire.envelope import EnvelopeError, KeyRing, Reason, open_envelope
from wire.messages import Factors, MessageError
from wire.proof.form import Signed
from wire.proof.statement import Issue
from wire.proof.times import shown
from wire.proof.verdict import Check, failed, not_checked, passed

_SHOWN = 10
"""How many single faults are named."""


@dataclass(slots=True)
class Dispatched:
    """The factors that the centre vouches for."""

    node: str
    stated: tuple[Issue, ...] = ()
    """Those of its statement, which is signed."""
    messages: list[Factors] = field(default_factory=list)
    """Those of the file whose signature was verified."""
    unverified: int = 0
    """How many more the file has, signed by keys that were not given."""

    def issues(self) -> list[Issue]:
        """Return everything that the statement and the messages say."""
        return [*self.stated, *self.issues_of_messages()]

    def issues_of_messages(self) -> list[Issue]:
        """Return what the messages say, in which the statement has no part."""
        return [issue for message in self.messages for issue in _said(message)]


def read(
    messages: Sequence[Signed], node: str, stated: Iterable[Issue], centre: KeyRing, gateway: KeyRing
) -> tuple[Check, Dispatched]:
    """Verify the messages of a file; `centre` has its present and former keys, `gateway` those of the gateway."""
    name = "factors' signature"
    result = Dispatched(node, tuple(stated))
    faults: list[str] = []
    unknown: list[str] = []
    kids: set[bytes] = set()
    for number, item in enumerate(messages, 1):
        try:
            opened = open_envelope(item.envelope, item.topic, centre)
            message = Factors.decode(opened.payload)
            if message.node != node or item.topic != topics.factor(node):
                faults.append(f"factor message {number}: of node {message.node!r}, expected {node!r}")
                continue
        except EnvelopeError as error:
            strange = error.reason is Reason.UNKNOWN_KEY and not _opens(item, gateway)
            (unknown if strange else faults).append(f"factor message {number}: {error}")
            continue
        except (MessageError, topics.TopicError) as error:
            faults.append(f"factor message {number}: {error}")
            continue
        kids.add(opened.kid)
        result.messages.append(message)
    result.unverified = len(unknown)
    if faults:
        return failed(name, "a factor message is not signed by the centre for its node", tuple(faults[:_SHOWN])), result
    if unknown:
        text = (
            f"{len(unknown)} of {len(messages)} factor message(s) are signed by a key that was not given: "
            "if it is a former key of the centre, give it too"
        )
        return not_checked(name, text, tuple(unknown[:_SHOWN])), result
    if not messages and not result.stated:
        return not_checked(name, "the proof has no factors"), result
    text = f"{len(result.stated)} factor(s) of node {node} in the centre's statement"
    if not messages:
        text += ", signed when the proof was exported; the file has no message as it was dispatched"
        return passed(name, text), result
    by = ", ".join(sorted(kid.hex() for kid in kids))
    return passed(name, f"{text}, {len(messages)} message(s) as they were dispatched, signed by {by}"), result


def _opens(item: Signed, ring: KeyRing) -> bool:
    try:
        open_envelope(item.envelope, item.topic, ring)
    except EnvelopeError:
        return False
    return True


def compare(dispatched: Dispatched) -> Check:
    """Check each factor of the statement against the messages: value, order of issues, and that none was invented.

    The centre keeps at least one message of each run of the same value for a slot (docs/proof.md): where a message
    of a slot is in the file, what the statement says was issued later must be in one, too.
    """
    name = "factors as dispatched"
    if not dispatched.stated:
        return not_checked(name, "the centre's statement has no factors")
    if not dispatched.messages:
        return not_checked(
            name, "no message as it was dispatched can be checked: that the factors were is the statement's word"
        )
    said = _by_slot(dispatched.issues_of_messages())
    faults: list[str] = []
    first = again = 0
    for slot, stated in sorted(_by_slot(dispatched.stated).items()):
        signed = said.get(slot, [])
        wrong = _contradictions(stated, signed)
        for issue, ends in zip(stated, [*(item.issued_ms for item in stated[1:]), None], strict=True):
            run = [one.issued_ms for one in signed if issue.issued_ms <= one.issued_ms < (ends or one.issued_ms + 1)]
            first += issue.issued_ms in run
            again += bool(run) and issue.issued_ms not in run
            # With a message left out, it may be the very one.
            if not run and not dispatched.unverified and signed and signed[0].issued_ms < issue.issued_ms:
                wrong.append(f"the statement says {_value(issue)}, in no signed message")
        faults += [f"slot {shown(slot[1])}: {text}" for text in wrong]
    if faults:
        return failed(name, "the statement is not what the centre signed before", tuple(faults[:_SHOWN]))
    total, missing = len(dispatched.stated), len(dispatched.stated) - first - again
    notes = (f"{first} in the message that said it first, {again} in one that repeats it",)
    if missing:
        text = f"{missing} of {total} factor(s) stand in no message that can be checked, but in the statement alone"
        return not_checked(name, text, notes if first or again else ())
    return passed(name, f"{total} factor(s) stand in messages that the centre signed when it dispatched them", notes)


def _by_slot(issues: Iterable[Issue]) -> dict[tuple[int, int], list[Issue]]:
    """Return the issues by length and start of their slot, in the order in which they were issued."""
    result: dict[tuple[int, int], list[Issue]] = {}
    for issue in sorted(issues, key=lambda item: item.issued_ms):
        result.setdefault((issue.slot_ms, issue.start_ms), []).append(issue)
    return result


def _contradictions(stated: Sequence[Issue], signed: Iterable[Issue]) -> list[str]:
    """Return where a message says something else than what the statement has for the time of its issue."""
    wrong = []
    for issue in signed:
        before = [one for one in stated if one.issued_ms <= issue.issued_ms]
        if not before:
            wrong.append(f"the centre signed {_value(issue)}, the statement has nothing so early")
        elif before[-1].factor != issue.factor:
            wrong.append(f"the centre signed {_value(issue)}, the statement says {_value(before[-1])}")
        elif before[-1].issued_ms == issue.issued_ms and before[-1].solve_id != issue.solve_id:
            wrong.append(f"the centre signed {_value(issue)} of another solution than the statement says")
    return wrong


def _said(message: Factors) -> list[Issue]:
    return [
        Issue(
            message.first_start_ms + place * message.slot_ms,
            message.slot_ms,
            message.issued_ms,
            value,
            message.solve_id,
        )
        for place, value in enumerate(message.factors)
    ]


def _value(issue: Issue) -> str:
    return f"{'undefined' if issue.factor is None else f'{issue.factor} mg/kWh'} (issued {shown(issue.issued_ms)})"
