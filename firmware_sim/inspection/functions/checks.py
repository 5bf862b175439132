"""Collecting what an item looked at, and its conclusion; the frame that all items here have."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

from firmware_sim.inspection.bench import Bench, BenchError, DutError
from firmware_sim.inspection.functions.expectations import Expectations
from firmware_sim.inspection.metering.judging import text
from firmware_sim.inspection.result import ItemInfo, ItemResult, Step, Verdict

_SHOWN = 3  # of what was wrong in a long row of things
_DIGITS = 3


class NotLookedAtError(Exception):
    """An item can't be performed with this device; the text says why, for the report."""


@dataclass(slots=True)
class Checks:
    """The steps of one item as they come."""

    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)

    def that(self, what: str, expected: object, found: object, *, good: bool) -> None:
        """Note what was looked at, and whether it is right."""
        self.steps.append(Step(what, str(expected), str(found), good))

    def equal(self, what: str, expected: object, found: object) -> None:
        """Note something that must be just so."""
        self.that(what, expected, "nothing" if found is None else found, good=expected == found)

    def near(self, what: str, unit: str, expected: Fraction, found: int | None, tolerance: Fraction) -> None:
        """Note a quantity that must be nearer to what is expected than the tolerance."""
        said = f"{text(expected, _DIGITS)} {unit}, less than {text(tolerance, _DIGITS)} from it"
        if found is None:
            self.that(what, said, "nothing", good=False)
        else:
            self.that(what, said, f"{found} {unit}", good=abs(found - expected) < tolerance)

    def rows(self, what: str, expected: str, count: int, wrong: list[str]) -> None:
        """Note many things of one kind: how many, and the first ones that are wrong."""
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        found = f"{count} right" if not wrong else f"{len(wrong)} of {count} wrong: {'; '.join(wrong[:_SHOWN])}{more}"
        self.that(what, expected, found, good=not wrong and count > 0)

    def note(self, said: str) -> None:
        """Say something in the report that is no check: what was reduced, or which setting was used."""
        if said not in self.notes:
            self.notes.append(said)


Work = Callable[[Bench, Checks, Expectations], Awaitable[None]]
Lasting = Callable[[Bench, Expectations], Fraction | int]


@dataclass(frozen=True, slots=True)
class FunctionItem:
    """One item: what it is, how long it takes by the bench's time, and what it does."""

    info: ItemInfo
    work: Work
    lasting: Lasting
    expectations: Expectations

    def estimate_ms(self, bench: Bench) -> int:
        """Return how long it takes, about."""
        return ceil(self.lasting(bench, self.expectations))

    async def run(self, bench: Bench) -> ItemResult:
        """Perform it; what was seen before the device failed to answer is kept."""
        began = int(bench.time.now())
        checks = Checks()
        try:
            await self.work(bench, checks, self.expectations)
        except NotLookedAtError as error:
            if not checks.steps:
                return ItemResult(self.info.id, Verdict.SKIPPED, began, int(bench.time.now()), note=str(error))
            checks.note(str(error))
        except DutError as error:
            checks.that("the device answers", "a usable answer", error, good=False)
        except BenchError as error:
            # What follows from a device that was found wrong is no fault of the bench.
            if all(step.good for step in checks.steps):
                raise
            checks.note(f"not looked at to its end: {error}")
        if not checks.steps:
            checks.note("nothing was looked at")
            return ItemResult(self.info.id, Verdict.SKIPPED, began, int(bench.time.now()), note="; ".join(checks.notes))
        verdict = Verdict.PASSED if all(step.good for step in checks.steps) else Verdict.FAILED
        return ItemResult(
            self.info.id,
            verdict,
            began,
            int(bench.time.now()),
            steps=tuple(checks.steps),
            note="; ".join(checks.notes),
            figures=checks.figures,
        )
