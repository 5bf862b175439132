"""What a rule is, what it sees, and what it answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from cloud_receiver.checks import readings
from cloud_receiver.checks.evaluate import energies
from cloud_receiver.checks.freezes import FreezeRow
from cloud_receiver.checks.model import SLOT_MS, Context, IntervalRow, Slot, usable, without_overlaps
from cloud_receiver.checks.tolerance import SlotEnergy
from cloud_receiver.registry import Role
from cloud_receiver.validation.config import Validation


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


@dataclass(frozen=True)
class Window:
    """A station's records of the slots that start in [first_ms, end_ms), and what is known of the days before."""

    context: Context
    first_ms: int
    end_ms: int
    slots: Sequence[Slot]
    history: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    """Forward energy in mWh of the days before, by meter and start of the slot; those without energy left out."""
    freezes: Sequence[FreezeRow] = ()
    """The meters' own freezes, those of the days before included."""
    events: Sequence[EventRow] = ()
    messages: Sequence[MessageRow] = ()
    offsets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """What each gateway's newest status in the span tells of its clock, in ms."""
    estimated: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """Slots for which an estimate is in force, by meter."""
    coverage_factor: float = 2.0
    """k of the energy balance, as for the checks."""
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What a rule works out once for all meters."""

    @cached_property
    def violations(self) -> dict[tuple[str, int], list[dict[str, object]]]:
        """Return what the checks of slots find, by kind and meter: the rules of the same name judge by it."""
        found: dict[tuple[str, int], list[dict[str, object]]] = {}
        for slot in self.slots:
            context = self.context.at(slot.start_ms)
            for item in (
                *readings.continuity(slot),
                *readings.overlaps(slot),
                *readings.spans(slot),
                *readings.completeness(slot, context),
            ):
                found.setdefault((item["kind"], item["meter"]), []).append(item["detail"])
        return found

    @cached_property
    def kept(self) -> dict[int, dict[int, list[IntervalRow]]]:
        """Return by slot and meter the intervals without overlaps."""
        return {
            slot.start_ms: {meter: without_overlaps(rows)[0] for meter, rows in slot.by_meter().items()}
            for slot in self.slots
        }

    def rows(self, meter: int) -> list[IntervalRow]:
        """Return a meter's intervals in order of time, overlaps counted once."""
        return [row for slot in self.slots for row in self.kept[slot.start_ms].get(meter, ())]

    def serving(self, meter: int) -> list[Slot]:
        """Return the slots in which the meter is in service."""
        known = self.context.meters.get(meter)
        return [slot for slot in self.slots if known is not None and known.in_service(slot.start_ms)]

    def forward(self, meter: int) -> dict[int, int]:
        """Return a meter's forward energy in mWh by the start of the slot, of slots with records."""
        return {
            slot.start_ms: sum(row.forward_mwh for row in rows)
            for slot in self.slots
            if (rows := self.kept[slot.start_ms].get(meter))
        }

    @cached_property
    def balanced(self) -> list[tuple[Context, SlotEnergy]]:
        """Return the slots that every meter of the balance covers, with the station as it was then."""
        result = []
        for slot in self.slots:
            context = self.context.at(slot.start_ms)
            rows = self.kept[slot.start_ms]
            numbers = context.balanced()
            if numbers and all(usable(rows.get(number, [])) for number in numbers):
                energy = energies(rows, context)
                result.append((context, SlotEnergy(slot.start_ms, energy)))
        return result

    def of_meter(self, meter: int, codes: Sequence[int]) -> list[EventRow]:
        """Return a meter's events of these codes, in order of time."""
        return sorted(row for row in self.events if row.meter == meter and row.code in codes)


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
