"""A store with a day of batches, and the proofs that are exported from it."""

from dataclasses import dataclass, replace

from intake_support import Bench, Message
from key_support import new_key
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, interval
from sqlalchemy import Engine, delete

from cloud_receiver import database, factor_messages, prove
from cloud_receiver.registry import Registry
from cloud_receiver.schema import factor_message
from wire.envelope import Signer
from wire.keys import PrivateKey
from wire.messages import Factors
from wire.proof import form
from wire.proof.form import ProofFile, Signed
from wire.proof.statement import TOPIC, Statement
from wire.proof.trust import Keys
from wire.proof.verdict import Check, Outcome, Verdict
from wire.records import Record

SOLVE_ID = b"solve-1"
METERS = ("C01", "C02")
BATCH = 4
LATER = DAY_MS + 5 * SLOT_MS


@dataclass
class Centre:
    """A store and the centre's key."""

    engine: Engine
    registry: Registry
    gateway: FakeGateway
    key: PrivateKey

    @property
    def keys(self) -> Keys:
        """Trust the centre's key alone."""
        return Keys([self.key.public_key()])

    def take(self, *batches: tuple[int, list[Record]], gateway: FakeGateway | None = None) -> None:
        """Take batches in through the intake, as (first sequence, records)."""
        sender = gateway or self.gateway
        Bench(self.engine).take(*(Message(sender.topic, sender.envelope(first, list(own))) for first, own in batches))

    def dispatch(
        self, *slots: int, value: int | None = FACTOR, issued_ms: int = DAY_MS, node: str = "node1", kept: bool = True
    ) -> None:
        """Enter factors of consecutive slots as the dispatch does; not `kept`: as it did before it kept messages."""
        assert list(slots) == list(range(slots[0], slots[-1] + 1))
        message = Factors(node, SOLVE_ID, issued_ms, SLOT_MS, DAY_MS + slots[0] * SLOT_MS, (value,) * len(slots))
        with database.writing(self.engine) as connection:
            factor_messages.enter(connection, Signer(self.key), message)
            if not kept:
                connection.execute(delete(factor_message).where(factor_message.c.issued_ms == issued_ms))

    def prove(self, first: int = 2, last: int | None = None, meter: str = "C01", gateway: str | None = None) -> bytes:
        """Return the proof of one slot, or of the slots first..last."""
        from_ms = DAY_MS + first * SLOT_MS + 1
        to_ms = from_ms + 1 if last is None else DAY_MS + (last + 1) * SLOT_MS
        with database.reading(self.engine) as connection:
            source = prove.find_meter(connection, self.registry, meter, gateway)
            now_ms = DAY_MS + 86_400_000
            return prove.make(connection, source, Signer(self.key), from_ms=from_ms, to_ms=to_ms, now_ms=now_ms)


def records(slots: int) -> list[Record]:
    """Return the intervals of two meters, slot after slot."""
    return [interval(slot, meter) for slot in range(slots) for meter in METERS]


def batches(found: list[Record], size: int = BATCH) -> list[tuple[int, list[Record]]]:
    """Return the records in batches, with the first sequence of each."""
    return [(first + 1, found[first : first + size]) for first in range(0, len(found), size)]


def check(verdict: Verdict, name: str) -> Check:
    """Return the check of that name."""
    return next(item for item in verdict.checks if item.name == name)


def outcome(verdict: Verdict, name: str) -> Outcome:
    """Return how the check of that name ended."""
    return check(verdict, name).outcome


def failures(verdict: Verdict) -> list[str]:
    """Return the names of the checks that failed."""
    return [item.name for item in verdict.checks if item.outcome is Outcome.FAILED]


def filled(engine: Engine, registry: Registry, gateway: FakeGateway) -> Centre:
    """Return a store with eight slots of two meters, in batches of four records, and their factors."""
    centre = Centre(engine, registry, gateway, new_key())
    centre.take(*batches(records(8)))
    centre.dispatch(*range(8))
    return centre


def restated(centre: Centre, file: ProofFile, chosen: tuple[Signed, ...], **changes: object) -> bytes:
    """Return the file with other contents and a statement of the centre that fits them: a centre that lies."""
    statement = Statement.decode(form.unverified_payload(file.statement))
    held = {item.digest: item for item in statement.batches}
    spare = statement.batches[0]
    own = tuple(held.get(item.digest, replace(spare, digest=item.digest)) for item in chosen)
    messages = tuple(item.digest for item in file.factor_messages)
    statement = replace(statement, batches=own, factor_messages=messages, **changes)  # type: ignore[arg-type]
    return replace(file, statement=Signer(centre.key).sign(statement.encode(), TOPIC), batches=chosen).encode()


def messages(data: bytes) -> list[Factors]:
    """Return the messages of factors in a proof."""
    return [Factors.decode(form.unverified_payload(item.envelope)) for item in form.decode(data).factor_messages]
