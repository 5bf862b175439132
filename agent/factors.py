"""Carbon factors (电碳因子) as the centre dispatches them: believed only when signed, newer, and this node's."""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from agent.journal_entry import Append, FactorUpdate, StoredFactor, event, to_row
from agent.logs import log
from agent.writer import JournalWriter
from diantan_core import FactorSchedule
from wire import topics
from wire.envelope import EnvelopeError, KeyRing, open_envelope
from wire.messages import Factors, MessageError
from wire.records import DetailKey, EventCode, FactorQuality, IntervalRecord

SLOT_MS: Final = 900_000  # factors are dispatched for quarters of an hour
REJECTED_EVERY_MS: Final = 3_600_000  # a flood of bad messages must not become a flood of records
_KEEP_MS: Final = 366 * 86_400_000
_Slot: TypeAlias = tuple[int, int | None]  # its start and factor


class FactorBook:
    """The factors of one node: the schedule that the integrators use, and what was told about each slot."""

    def __init__(
        self,
        node: str,
        stored: Iterable[StoredFactor],
        writer: JournalWriter,
        centre: KeyRing,
        *,
        now_ms: Callable[[], int],
        default: int | None,
        hold_ms: int | None,
    ) -> None:
        self.schedule = FactorSchedule(slot_ms=SLOT_MS, default=default, hold_ms=hold_ms)
        self.topic = topics.factor(node)
        self.rejected = 0
        self.on_centre_time: Callable[[int], None] = lambda _: None  # called with when the centre signed a message
        self._node = node
        self._writer = writer
        self._centre = centre
        self._now_ms = now_ms
        self._known: dict[int, tuple[int, int | None]] = {}
        for entry in stored:
            self._known[entry.start_ms] = (entry.issued_ms, entry.factor)
            self.schedule.set(entry.start_ms, entry.factor)
        self._last_rejection: int | None = None
        self._missing_told: set[int] = set()

    def message(self, topic: str, envelope: bytes) -> bool:
        """Take a message from the factor topic; return whether it was believed.

        What it says of a slot counts if it was issued later than what is known of that slot. The schedule changes at
        once; the journal gets the factors, and adjustments of closed intervals, after every interval closed so far.
        """
        try:
            message = Factors.decode(open_envelope(envelope, topic, self._centre).payload)
        except (EnvelopeError, MessageError) as error:
            self._reject(str(error))
            return False
        if problem := self._problem(message):
            self._reject(problem)
            return False
        self.on_centre_time(message.issued_ms)
        newer: dict[bytes, list[_Slot]] = {}
        changed: dict[bytes, list[_Slot]] = {}
        for index, factor in enumerate(message.factors):
            start = message.first_start_ms + index * SLOT_MS
            known = self._known.get(start)
            if known is None or message.issued_ms > known[0]:
                self._known[start] = (message.issued_ms, factor)
                newer.setdefault(message.solve_id_of(index), []).append((start, factor))
                if known is None or known[1] != factor:
                    changed.setdefault(message.solve_id_of(index), []).append((start, factor))
        slots = [slot for found in changed.values() for slot in found]
        self.schedule.extend([start for start, _ in slots], [factor for _, factor in slots])
        for solve_id, found in newer.items():
            # An adjustment names the solution its factor comes from.
            self._writer.submit(FactorUpdate(found, changed.get(solve_id, []), SLOT_MS, solve_id, message.issued_ms))
        if newer:
            self._forget()
        if slots:
            log.info("factors of %d slots of %s taken", len(slots), self._node)
        return True

    def dispatched(self, time_ms: int) -> tuple[int, int | None] | None:
        """Return (slot start, factor or None where undefined) if the centre has spoken about the slot of an instant."""
        slot = time_ms - time_ms % SLOT_MS
        known = self._known.get(slot)
        return None if known is None else (slot, known[1])

    def interval_closed(self, record: IntervalRecord) -> None:
        """Tell once about each slot that closed without a factor of its own."""
        if record.factor_quality not in (FactorQuality.HELD, FactorQuality.DEFAULT):
            return
        slot = record.start_ms - record.start_ms % SLOT_MS
        if slot in self._missing_told:
            return
        self._missing_told.add(slot)
        log.warning(
            "no factor came for the slot at %d ms; intervals use %s",
            slot,
            record.factor_quality.name.lower(),
            extra={"about": self._node},
        )
        details: dict[DetailKey, int | str] = {DetailKey.SLOT: slot, DetailKey.NODE: self._node}
        self._writer.submit(Append([to_row(event(self._now_ms(), EventCode.FACTOR_MISSING, details=details))]))

    def _problem(self, message: Factors) -> str | None:
        if message.node != self._node:
            return f"the message on {self.topic} is for node {message.node}"
        if message.slot_ms != SLOT_MS:
            return f"expected slots of {SLOT_MS} ms, got {message.slot_ms}"
        if message.first_start_ms % SLOT_MS:
            return f"first slot starts at {message.first_start_ms}, not on a quarter of an hour"
        return None

    def _reject(self, reason: str) -> None:
        self.rejected += 1
        log.warning("factors refused: %s", reason, extra={"about": self._node})
        now = self._now_ms()
        # Not "less than": the time may have leapt back since.
        if self._last_rejection is not None and 0 <= now - self._last_rejection < REJECTED_EVERY_MS:
            return
        self._last_rejection = now
        details: dict[DetailKey, int | str] = {DetailKey.TEXT: reason[:80], DetailKey.COUNT: self.rejected}
        rejected = event(now, EventCode.FACTOR_REJECTED, details=details)
        self._writer.submit(Append([to_row(rejected)]))

    def _forget(self) -> None:
        # By the centre's time: by a wrong clock of the gateway's, a year of factors would be gone.
        oldest = max(self._known) - _KEEP_MS
        if self.schedule.forget_before(oldest):
            self._known = {start: known for start, known in self._known.items() if start >= oldest}
        self._missing_told = {slot for slot in self._missing_told if slot >= oldest}
