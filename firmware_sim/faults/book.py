"""The faults that are set: whom they hit, whether one strikes now, and what has been counted."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from firmware_sim.faults.model import (
    BadChecksum,
    FaultSpec,
    OrderFault,
    ReplyFault,
    StateFault,
    SwappedWords,
    points_of,
)

MOST_FAULTS: Final = 1_000


class FaultError(ValueError):
    """A fault that can't be set or cleared; `problems` has one line for each mistake, its key in front."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Target:
    """A meter as far as faults must know it.

    `has_check` is whether its frames have a check of their own, `sells` whether it settles charge orders.
    """

    line: str
    protocol: str
    has_check: bool
    points: frozenset[str]
    sells: bool = False


@dataclass(slots=True)
class Counters:
    """What one meter was asked, how often it said something, and which faults it was given."""

    requests: int = 0
    answers: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """Return it as the control socket tells it."""
        return {"requests": self.requests, "answers": self.answers, "faults": dict(sorted(self.faults.items()))}


class ActiveFault:
    """A fault that was set."""

    def __init__(self, number: int, spec: FaultSpec, begin_ms: int, end_ms: int | None) -> None:
        self.number = number
        self.spec = spec
        self.begin_ms = begin_ms
        self.end_ms = end_ms
        self.applied = 0
        self.random = random.Random(getattr(spec, "seed", 0))  # noqa: S311 - repeatable, no secret

    def hits(self, meter: str, line: str) -> bool:
        """Return whether it is meant for a meter."""
        spec = self.spec
        return (spec.meter is None or meter in spec.meter) and (spec.line is None or spec.line == line)

    def state(self, now_ms: int) -> str:
        """Return "waiting", "active" or "over"."""
        used_up = getattr(self.spec, "count", None)
        if (self.end_ms is not None and now_ms >= self.end_ms) or (used_up is not None and self.applied >= used_up):
            return "over"
        return "active" if now_ms >= self.begin_ms else "waiting"

    def strikes(self, now_ms: int) -> bool:
        """Return whether it strikes a request, and count that; each call draws anew."""
        if self.state(now_ms) != "active":
            return False
        probability = getattr(self.spec, "probability", 1)
        if probability < 1 and self.random.random() >= probability:
            return False
        self.applied += 1
        return True

    def as_json(self, now_ms: int) -> dict[str, Any]:
        """Return it as the control socket tells it."""
        return {
            "id": self.number,
            "state": self.state(now_ms),
            "applied": self.applied,
            "begin_ms": self.begin_ms,
            "end_ms": self.end_ms,
            "fault": self.spec.model_dump(mode="json", exclude_defaults=True) | {"kind": self.spec.kind},
        }


class FaultBook:
    """Every fault that was set, until it is cleared, and the counters of all meters.

    Local times of `begin` are of `timezone`.
    """

    def __init__(self, targets: Mapping[str, Target], timezone: str) -> None:
        self.counters = {meter: Counters() for meter in targets}
        self._targets = targets
        self._zone = ZoneInfo(timezone)
        self._faults: dict[int, ActiveFault] = {}
        self._numbers = 0
        self.on_replies: list[ActiveFault] = []
        self._on_meters: dict[str, list[ActiveFault]] = {meter: [] for meter in targets}

    def set(self, spec: FaultSpec, now_ms: int, *, earliest_ms: int | None = None) -> ActiveFault:
        """Set a fault; FaultError when there is nothing that it could hit.

        It can't begin before now, or before an instant up to which the meters have not been worked out yet.
        """
        self._check(spec)
        if len(self._faults) >= MOST_FAULTS:
            for fault in [fault for fault in self if fault.state(now_ms) == "over"]:
                self.clear(fault.number, now_ms)
        if len(self._faults) >= MOST_FAULTS:
            raise FaultError([f"fault: expected at most {MOST_FAULTS} of them: clear some"])
        self._numbers += 1
        begin_ms = now_ms + int(spec.after_s * 1000)
        if spec.begin is not None:
            begin = spec.begin if spec.begin.tzinfo is not None else spec.begin.replace(tzinfo=self._zone)
            begin_ms = max(round(begin.timestamp() * 1000), now_ms if earliest_ms is None else earliest_ms)
        end_ms = None if spec.duration_s is None else begin_ms + int(spec.duration_s * 1000)
        fault = ActiveFault(self._numbers, spec, begin_ms, end_ms)
        self._faults[fault.number] = fault
        if isinstance(spec, ReplyFault):
            self.on_replies.append(fault)
        else:
            for meter in self.hit_by(fault):
                self._on_meters[meter].append(fault)
        return fault

    def clear(self, number: int | None, now_ms: int) -> list[int]:
        """End a fault, or all of them (None), and forget it; FaultError for one that there is not."""
        if number is not None and number not in self._faults:
            raise FaultError([f"id: expected one of {sorted(self._faults) or 'none'}, found {number}"])
        cleared = [number] if number is not None else list(self._faults)
        for one in cleared:
            fault = self._faults.pop(one)
            fault.end_ms = now_ms if fault.end_ms is None else min(fault.end_ms, now_ms)
            if isinstance(fault.spec, ReplyFault):
                self.on_replies.remove(fault)
            elif not isinstance(fault.spec, StateFault):
                for meter in self.hit_by(fault):
                    self._on_meters[meter].remove(fault)
        return cleared

    def __iter__(self) -> Iterator[ActiveFault]:
        return iter(self._faults.values())

    def hit_by(self, fault: ActiveFault) -> list[str]:
        """Return the meters that a fault is meant for."""
        return [meter for meter, target in self._targets.items() if fault.hits(meter, target.line)]

    def on_meter(self, meter: str) -> list[ActiveFault]:
        """Return the faults of a meter itself. It is a living list: the meter takes out what has ended."""
        return self._on_meters[meter]

    def count(self, meter: str, kind: str) -> None:
        """Count a fault that a meter was given; a gateway's answer for a meter that is not there is nobody's."""
        if meter in self.counters:
            self.counters[meter].faults[kind] += 1

    def has_check(self, meter: str) -> bool:
        """Return whether the meter's frames have a check."""
        return meter in self._targets and self._targets[meter].has_check

    def _check(self, spec: FaultSpec) -> None:
        known = ", ".join(self._targets)
        strangers = [meter for meter in spec.meter or () if meter not in self._targets]
        problems = [f"meter: expected one of {known}; found {meter!r}" for meter in strangers]
        lines = dict.fromkeys(target.line for target in self._targets.values())
        if spec.line is not None and spec.line not in lines:
            problems.append(f"line: expected one of {', '.join(lines)}; found {spec.line!r}")
        hit = [
            (meter, target)
            for meter, target in self._targets.items()
            if (spec.meter is None or meter in spec.meter) and spec.line in (None, target.line)
        ]
        if not problems and not hit:
            problems.append(f"meter: expected meters of the line {spec.line!r}, found none of these there")
        if hit:
            problems += _unsuitable(spec, hit)
        if problems:
            raise FaultError(problems)


def _unsuitable(spec: FaultSpec, hit: list[tuple[str, Target]]) -> list[str]:
    meters = ", ".join(meter for meter, _ in hit)
    problems = [
        f"point: expected a point of {meters}; found {point!r}"
        for point in points_of(spec)
        if not any(point in target.points for _, target in hit)
    ]
    if isinstance(spec, BadChecksum) and not any(target.has_check for _, target in hit):
        problems.append("kind: expected a line whose frames have a check; Modbus TCP has none: bad-checksum")
    if isinstance(spec, OrderFault) and not any(target.sells for _, target in hit):
        problems.append(f"kind: expected a charger with an order log, found none in {meters}: {spec.kind}")
    if isinstance(spec, SwappedWords) and not any(target.protocol == "modbus" for _, target in hit):
        problems.append("kind: expected a meter on Modbus, only these have words to swap: swapped-words")
    return problems
