"""What a rule is, what it sees, and what it answers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from operator import attrgetter
from typing import Any, Final, NamedTuple

from cloud_receiver.checks import readings
from cloud_receiver.checks.evaluate import energies
from cloud_receiver.checks.freezes import BROKEN, FreezeRow
from cloud_receiver.checks.model import SLOT_MS, Context, IntervalRow, Slot, usable, without_overlaps
from cloud_receiver.checks.tolerance import SlotEnergy, anchored, balance, beside
from cloud_receiver.registry import Meter, Role
from cloud_receiver.validation.config import Validation
from wire.records import Quality

LONGEST_PERIOD_MS: Final = 3_600_000
"""No meter's intervals are longer than an hour (cloud_receiver.registry.Meter.interval_s)."""


class Verdict(StrEnum):
    """What a rule says of a meter in a span."""

    PASSED = "passed"  # 合格
    SUSPECT = "suspect"  # 存疑
    FAILED = "failed"  # 不合格
    NOT_APPLICABLE = "not_applicable"  # 不适用


class EventRow(NamedTuple):
    """An event of the store; `meter` 0 is the gateway. `details` by wire.records.DetailKey."""

    time_ms: int
    meter: int
    journal: int
    code: int
    details: Mapping[int, int | str]


class MessageRow(NamedTuple):
    """When a gateway signed a batch by its clock, and when it came by the centre's."""

    gateway: str
    created_ms: int
    received_ms: int
    clock_state: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict with its evidence: the starts of the slots, and numbers as JSON takes them."""

    verdict: Verdict
    starts: Sequence[int] = ()
    details: Sequence[Mapping[str, object]] = ()
    numbers: Mapping[str, object] = field(default_factory=dict)


def passed(**numbers: object) -> Outcome:
    """Return that nothing is wrong."""
    return Outcome(Verdict.PASSED, numbers=numbers)


def not_applicable(reason: str) -> Outcome:
    """Return that the rule can't judge, and why."""
    return Outcome(Verdict.NOT_APPLICABLE, numbers={"reason": reason})


def judged(verdict: Verdict, details: Sequence[Mapping[str, object]], **numbers: object) -> Outcome:
    """Return the verdict if there are details, else that the rule is passed; `start_ms` of a detail is its slot."""
    if not details:
        return passed(**numbers)
    times = [start for detail in details if isinstance(start := detail.get("start_ms"), int)]
    starts = sorted({time - time % SLOT_MS for time in times})
    return Outcome(verdict, starts, details, numbers)


def period_ms(meter: Meter) -> int:
    """Return the length of what a meter's intervals must not leave: a slot, or where they don't fill one an hour.

    It is a multiple of their length by the registry (`interval_s`).
    """
    length = meter.interval_s * 1000
    if SLOT_MS % length == 0:
        return SLOT_MS
    return length if length % SLOT_MS == 0 else LONGEST_PERIOD_MS


@dataclass(frozen=True)
class Window:
    """A station's records of the slots that start in [first_ms, end_ms), and what is known of the days before."""

    context: Context
    first_ms: int
    end_ms: int
    slots: Sequence[Slot]
    """The slots of the span in order of time, none left out."""
    history: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    """Forward energy in mWh of the days before, by meter and start of the slot; those without energy left out."""
    freezes: Sequence[FreezeRow] = ()
    """The meters' own freezes, those of the days before included."""
    events: Sequence[EventRow] = ()
    messages: Sequence[MessageRow] = ()
    offsets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """What each gateway's newest status in the span tells of its clock, in ms."""
    estimated: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """Slots for which an estimate is in force, by meter; those right before the span too."""
    coverage_factor: float = 2.0
    """k of the energy balance, as for the checks."""
    before: Sequence[IntervalRow] = ()
    """The last interval before the span of each meter and journal."""
    unmeasured: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """Slots right before the span of which no interval is measured, by meter."""
    given_back: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    """Reverse energies of the days before, as `history` has the forward ones."""
    after: Mapping[int, Sequence[IntervalRow]] = field(default_factory=dict)
    """A meter's first interval after the span, where it came within the hour."""
    later: Sequence[EventRow] = ()
    """Events of registers and clocks that tell of what was open at the end of the span."""
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What a rule works out once for all meters."""

    @cached_property
    def discontinuities(self) -> dict[int, list[dict[str, object]]]:
        """Return by meter what the check of that name finds of registers (cloud_receiver.checks.readings)."""
        found: dict[int, list[dict[str, object]]] = {}
        for slot in self._chains():
            for item in readings.continuity(slot):
                found.setdefault(item["meter"], []).append(item["detail"])
        return found

    def _chains(self) -> Iterator[Slot]:
        """Yield the slots as the checks see them; a meter of longer intervals as one slot, with what was before it."""
        longer = {number for number in self.context.meters if self.period_ms(number) > SLOT_MS}
        for number in sorted(longer):
            rows = self.everything.get(number, [])
            yield Slot(self.first_ms, rows, [row for row in self.before if row.meter == number])
        for slot in self.slots:
            rows, previous = ([row for row in found if row.meter not in longer] for found in (slot.rows, slot.previous))
            yield Slot(slot.start_ms, rows, previous)

    def period_ms(self, meter: int) -> int:
        """Return the length of what a meter's intervals must not leave; a slot for a meter that is not registered."""
        known = self.context.meters.get(meter)
        return SLOT_MS if known is None else period_ms(known)

    @cached_property
    def everything(self) -> dict[int, list[IntervalRow]]:
        """Return every interval of the span by meter in order of time, overlaps and all."""
        found: dict[int, list[IntervalRow]] = {}
        for row in sorted(row for slot in self.slots for row in slot.rows):
            found.setdefault(row.meter, []).append(row)
        return found

    @cached_property
    def _sifted(self) -> dict[int, dict[int, tuple[list[IntervalRow], list[IntervalRow]]]]:
        """Return by slot and meter (intervals without overlaps, intervals left out) that begin there."""
        result: dict[int, dict[int, tuple[list[IntervalRow], list[IntervalRow]]]] = {
            slot.start_ms: {} for slot in self.slots
        }
        for meter, rows in self.everything.items():
            periods: dict[int, list[IntervalRow]] = {}
            for row in rows:
                periods.setdefault(row.start_ms // self.period_ms(meter), []).append(row)
            for place, side in (
                (place, side) for found in periods.values() for place, side in enumerate(without_overlaps(found))
            ):
                for row in side:
                    result[row.start_ms - row.start_ms % SLOT_MS].setdefault(meter, ([], []))[place].append(row)
        return result

    def present(self, meter: int, start_ms: int) -> list[IntervalRow]:
        """Return every interval of a meter that begins in a slot, in order of time."""
        kept, left = self._sifted[start_ms].get(meter, ((), ()))
        return sorted((*kept, *left))

    @cached_property
    def kept(self) -> dict[int, dict[int, list[IntervalRow]]]:
        """Return by slot and meter the intervals that begin there, without overlaps."""
        return {
            start: {meter: kept for meter, (kept, _) in found.items() if kept} for start, found in self._sifted.items()
        }

    def repeated(self, meter: int) -> tuple[list[IntervalRow], list[IntervalRow]]:
        """Return (intervals that count, intervals left out) of a meter."""
        sides = [found[meter] for found in self._sifted.values() if meter in found]
        return [row for kept, _ in sides for row in kept], [row for _, left in sides for row in left]

    def rows(self, meter: int) -> list[IntervalRow]:
        """Return a meter's intervals in order of time, overlaps counted once."""
        return [row for slot in self.slots for row in self.kept[slot.start_ms].get(meter, ())]

    def chains(self, meter: int) -> Iterator[list[IntervalRow]]:
        """Yield a meter's intervals by journal in order of time, from the last one before the span on."""
        found: dict[int, list[IntervalRow]] = {}
        before = sorted(row for row in self.before if row.meter == meter)
        for row in (*before, *self.everything.get(meter, ())):
            found.setdefault(row.journal, []).append(row)
        yield from found.values()

    def serving(self, meter: int) -> list[Slot]:
        """Return the slots in which the meter is in service."""
        known = self.context.meters.get(meter)
        return [slot for slot in self.slots if known is not None and known.in_service(slot.start_ms)]

    def forward(self, meter: int) -> dict[int, int]:
        """Return a meter's forward energy in mWh by the start of the slot, of slots with records.

        That of an interval of several slots is shared evenly: it is compared with the rated power, never summed.
        """
        return self._by_slot(meter, attrgetter("forward_mwh"))

    def reverse(self, meter: int) -> dict[int, int]:
        """Return its reverse energy likewise."""
        return self._by_slot(meter, attrgetter("reverse_mwh"))

    def _by_slot(self, meter: int, energy: Callable[[IntervalRow], int]) -> dict[int, int]:
        result: dict[int, int] = {}
        period = self.period_ms(meter)
        for row in self.rows(meter):
            first = row.start_ms - row.start_ms % SLOT_MS
            if row.start_ms % period + row.duration_ms > period or row.in_slot:
                result[first] = result.get(first, 0) + energy(row)
                continue
            for start in range(first, min(row.end_ms, self.end_ms), SLOT_MS):
                shared_ms = min(start + SLOT_MS, row.end_ms) - max(start, row.start_ms)
                result[start] = result.get(start, 0) + energy(row) * shared_ms // row.duration_ms
        return result

    @cached_property
    def balanced(self) -> list[tuple[Context, SlotEnergy]]:
        """Return the slots that every meter of the balance covers with measured energy: each is balanced by itself."""
        return [(context, slot) for context, slot in self.covered if slot.start_ms in self._measured]

    @property
    def whole(self) -> list[SlotEnergy]:
        """Return the slots that balance together: those between readings of all meters."""
        return anchored([slot for _, slot in self.covered], self._measured)

    @cached_property
    def _measured(self) -> set[int]:
        return {
            slot.start_ms
            for context, slot in self.covered
            if all(
                row.quality == Quality.MEASURED
                for start in range(slot.start_ms, slot.end_ms, SLOT_MS)
                for number in context.balanced()
                for row in self.kept[start].get(number, ())
            )
        }

    @cached_property
    def covered(self) -> list[tuple[Context, SlotEnergy]]:
        """Return the slots that every meter of the balance covers, with the station as it was then.

        Where a meter's intervals are longer than a slot they are hours, as for the checks. Not those in which no
        grid-side meter or no charger was in service, or a meter came or went within: there is no balance then.
        Each knows which meters counted beside it.
        """
        block_ms = self.context.block_ms
        changing = {
            int(time.timestamp()) * 1000 // block_ms * block_ms
            for meter in self.context.balanced().values()
            for time in (meter.since, meter.until)
            if time is not None and int(time.timestamp()) * 1000 % block_ms
        }
        result = []
        for start in range(-(-self.first_ms // block_ms) * block_ms, self.end_ms - block_ms + 1, block_ms):
            context = self.context.at(start)
            if start in changing or not context.numbers(Role.GRID) or not context.numbers(Role.CHARGER):
                continue
            rows: dict[int, list[IntervalRow]] = {}
            for slot_ms in range(start, start + block_ms, SLOT_MS):
                for meter, found in self.kept[slot_ms].items():
                    rows.setdefault(meter, []).extend(found)
            if all(usable(rows.get(number, []), context.span_ms(number), block_ms) for number in context.balanced()):
                result.append((context, SlotEnergy(start, energies(rows, context), block_ms)))
        slots = beside(self.context, [slot for _, slot in result])
        return [(context, slot) for (context, _), slot in zip(result, slots, strict=True)]

    @cached_property
    def closing(self) -> dict[int, bool]:
        """Return whether the balance is within its tolerance, by the start of the slots that have one."""
        return {
            start: result.within
            for context, slot in self.balanced
            if (result := balance(context, [slot], self.coverage_factor)) is not None
            for start in range(slot.start_ms, slot.end_ms, SLOT_MS)
        }

    @cached_property
    def _by_meter(self) -> dict[int, list[EventRow]]:
        found: dict[int, list[EventRow]] = {}
        # Both registers of an exchange have events of one time that differ in their details only.
        for row in sorted(
            self.events, key=lambda row: (*row[:4], sorted((key, str(row.details[key])) for key in row.details))
        ):
            found.setdefault(row.meter, []).append(row)
        return found

    def breaks(self, meter: int) -> list[int]:
        """Return when a meter's registers began anew, or it came or went, in order of time."""
        known = self.context.meters[meter]
        edges = [int(time.timestamp()) * 1000 for time in (known.since, known.until) if time is not None]
        return sorted([*(item.time_ms for item in self.of_meter(meter, BROKEN)), *edges])

    def of_meter(self, meter: int, codes: Sequence[int]) -> list[EventRow]:
        """Return a meter's events of these codes, in order of time."""
        return [row for row in self._by_meter.get(meter, ()) if row.code in codes]


Judge = Callable[[Window, int, Validation], Outcome]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by name, with what it judges and how its findings are called."""

    name: str
    english: str
    chinese: str
    judge: Judge
    roles: frozenset[Role] | None = None
    """The meters it judges; None: every one. Empty: the station as a whole."""
    told_by: Mapping[Verdict, str] = field(default_factory=dict)
    """Verdicts that a finding of the checks tells of already, and its kind."""

    @property
    def kind(self) -> str:
        """Return the kind of the rule's own findings."""
        return f"validation_{self.name}"

    def subjects(self, context: Context) -> list[int]:
        """Return the numbers of the meters that the rule judges; 0 is the station."""
        if self.roles is None:
            return list(context.meters)
        return [number for number, meter in context.meters.items() if meter.role in self.roles] or (
            [] if self.roles else [0]
        )
