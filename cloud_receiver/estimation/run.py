"""Estimating one station from all its windows, and whether a night takes them or adds a day (`added_day`)."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Engine

from cloud_receiver import row_counts
from cloud_receiver.checks.model import Context
from cloud_receiver.database import reading
from cloud_receiver.estimation import (
    added_day,
    alike,
    anchors,
    branch_findings,
    changes,
    drops,
    gross,
    last_night,
    mirrors,
    orders,
    ratio,
    swaps,
    withheld,
)
from cloud_receiver.estimation.branches import Branches, decoded
from cloud_receiver.estimation.changes import Turned
from cloud_receiver.estimation.completeness import completeness
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.due import AHEAD_MS
from cloud_receiver.estimation.facts import facts_in
from cloud_receiver.estimation.fleet.store import told_now
from cloud_receiver.estimation.fleet.view import View, seen
from cloud_receiver.estimation.halves import compare, parted, without
from cloud_receiver.estimation.last_night import LastNight
from cloud_receiver.estimation.load import DAY_MS, LOOK_BACK_MS, Reader
from cloud_receiver.estimation.missing import LeftOut, Screened, over_gaps, screen
from cloud_receiver.estimation.model import Facts, Setup, setup
from cloud_receiver.estimation.noticed import Noticed, level
from cloud_receiver.estimation.registers import Registers, inverted
from cloud_receiver.estimation.result import HalvesResult, StationResult, named, result, spread_of
from cloud_receiver.estimation.store import State, state_of
from cloud_receiver.estimation.voltages import Voltages
from cloud_receiver.estimation.windows import StationWindows, build
from diantan_core import ErrorEstimation

_UNMEASURED: Final = Branches()


@dataclass(frozen=True, slots=True)
class Done:
    """A station's estimate, and the sums to go on from (None where there are no windows)."""

    result: StationResult
    state: State | None
    view: View | None = None
    """What a run over all windows shows to the fleet."""
    before: LastNight | None = None
    """What was said the night before, if that is known."""


def facts_of(engine: Engine, context: Context, first_ms: int, end_ms: int) -> Facts:
    """Return what happened to a station's meters before `end_ms`."""
    with reading(engine) as connection:
        return facts_in(connection, context, first_ms, end_ms)


def days_of(context: Context, settings: Estimation) -> int:
    """Return how many days a run over all windows takes."""
    return context.station.estimation.days or settings.days


class Work:
    """The estimate of a station up to `end_ms`; step by step, so that others get their turn between."""

    def __init__(
        self,
        engine: Engine,
        context: Context,
        settings: Estimation,
        first_ms: int,
        end_ms: int,
        *,
        facts: Facts | None = None,
        before: Branches = _UNMEASURED,
    ) -> None:
        """Begin; `before`: branches as they were measured before, to compare with."""
        self._engine = engine
        self._context = context
        self._settings = settings
        self._first_ms = first_ms
        self._end_ms = end_ms
        with reading(engine) as connection:
            # Counted before anything is read: what comes meanwhile is late data the next night, read or not.
            [self._rows] = row_counts.before(connection, context.number, end_ms)
            self._facts = facts_in(connection, context, first_ms, end_ms) if facts is None else facts
            self._expected = told_now(connection, context, settings)
        self._before = before
        self._branches = _UNMEASURED
        self.done: Done | None = None
        self.days = 0

    def full(self) -> Iterator[int]:
        """Take all windows; EstimationError. Yields how many days are read, of `days`."""
        made = self._setup()
        span = made.first_ms - LOOK_BACK_MS, self._end_ms
        reader = Reader(self._engine, self._context.number, *span, inverted=inverted(self._context))
        self.days = len(reader)
        voltages = self._voltages(made)
        done = 0
        for day in reader.days():
            yield day
            for each in range(done + 1, day + 1):
                for _ in voltages.read(made.first_ms - LOOK_BACK_MS + each * DAY_MS):
                    yield day
            done = day
        for _ in voltages.read(self._end_ms + DAY_MS):
            yield self.days
        found = self._windows(made, reader, made.first_ms)
        swapped = swaps.swapped(found, reader.registers)
        if swapped:
            others = frozenset(number for item in swapped for number in item.meters)
            found = self._windows(made, reader, made.first_ms, others=others)
        yield self.days
        made = yield from self._measured(made, voltages, reader.registers, found)
        yield self.days
        made, noticed = self._noticed(made, reader.registers, found)
        noticed += swapped
        yield self.days
        gaps: tuple[LeftOut, ...] = ()
        if found.orders.alone:
            screened = screen(made.estimator, found, made.master_step_kwh)
            gaps = over_gaps(self._context, reader.registers, found, screened.estimation.fixed_load_kw[0])
        else:
            screened = Screened(found, made.estimator.estimate(found.windows), (), doubtful=False)
        found, estimation = screened.windows, screened.estimation
        yield self.days
        halves, own, changed, turned = self._halved(made, found, estimation, noticed)
        yield self.days
        said = result(
            self._context,
            made,
            estimation,
            full=True,
            silent=found.silent,
            breaks=found.breaks,
            unsynchronised=reader.unsynchronised,
            completeness=completeness(self._context, reader.registers, made.first_ms, self._end_ms),
            halves=halves,
            own_factors=own,
            noticed=(
                *(*noticed, *changed, *level(made, estimation), *mirrors.mirrored(made, found, estimation)),
                *(*ratio.noticed(self._context, found, estimation), *alike.noticed(made, found, estimation)),
                *gross.noticed(self._context, made, found, estimation),
                *branch_findings.noticed(self._context, made, self._settings),
            ),
            left_out=(*screened.left_out, *gaps),
            doubtful=screened.doubtful,
            spread=spread_of(found, estimation),
            turned=turned,
        )
        yield self.days
        state = None
        if len(found.windows):
            sums = made.estimator.begin(estimation)
            sums.push(found.windows)
            assert sums.end_ms is not None
            times = (made.first_ms, sums.end_ms, self._end_ms, self._end_ms)
            state = State(*times, made.digest, self._rows, sums.state, made.branches.encoded())
        view = seen(self._context, made, found.windows, estimation, said) if self._settings.fleet.enabled else None
        self.done = Done(said, state, view)

    def _setup(self, *, without: frozenset[int] = frozenset(), free: bool = False) -> Setup:
        known = (self._context, self._settings, self._facts)
        span = self._first_ms, self._end_ms
        expected = self._expected
        return setup(*known, *span, without=without, branches=self._branches, free=free, expected=expected)

    def _voltages(self, made: Setup) -> Voltages:
        asked = drops.measured_meters(self._context, made.chargers, self._end_ms) if self._settings.voltage_drop else []
        return Voltages(self._engine, self._context, asked, made.first_ms, self._end_ms)

    def _measured(
        self, made: Setup, voltages: Voltages, registers: Registers, found: StationWindows
    ) -> Generator[int, None, Setup]:
        """Return the estimator with the branches that voltages measure, less those that the energies contradict."""
        if not self._settings.voltage_drop:
            return made
        for branches in drops.measure(self._context, made.chargers, voltages, registers, self._before):
            self._branches = branches or self._branches
            yield self.days
        made = self._setup()

        def estimate(one: Setup) -> ErrorEstimation:
            if found.orders.alone:
                return screen(one.estimator, found, one.master_step_kwh).estimation
            return one.estimator.estimate(found.windows)

        odd = branch_findings.contradicted(made, self._setup(free=True), estimate)
        if not odd:
            return made
        self._branches = self._branches.contradicted(odd)
        return self._setup()

    def _windows(
        self, made: Setup, reader: Reader, first_ms: int, *, others: frozenset[int] = frozenset()
    ) -> StationWindows:
        """Return the windows from a time on; `others`: chargers whose orders are another's, and tell no edges."""
        with reading(self._engine) as connection:
            sold = orders.read(connection, self._context, first_ms, self._end_ms).without(others)
        return build(self._context, reader.registers, first_ms, self._end_ms, made.chargers, orders=sold)

    def _noticed(self, made: Setup, registers: Registers, found: StationWindows) -> tuple[Setup, list[Noticed]]:
        """Return the estimator less verifications that the balance contradicts, and what else all windows show."""
        checked = anchors.tested(
            made,
            lambda one: one.estimator.estimate(found.windows),
            lambda numbers: self._setup(without=numbers),
        )
        exchanged = swaps.exchanged(self._context, found, registers)
        shown = withheld.noticed(self._context, made, registers, found)
        return checked.made, [*checked.noticed, *shown, *exchanged]

    def _halved(
        self, made: Setup, found: StationWindows, estimation: ErrorEstimation, noticed: Sequence[Noticed]
    ) -> tuple[HalvesResult | None, dict[int, float], list[Noticed], dict[int, Turned]]:
        """Return what halves say, the factors on the u of chargers that changed, what did, and who is judged anew."""
        if not self._settings.split_halves:
            return None, {}, [], {}
        parts = parted(found, lambda part: made.estimator.estimate(part.windows))
        compared = compare(made, parts)
        changed = changes.noticed(made, estimation, parts, compared)
        pairs = {number for item in noticed if item.name == swaps.REGISTERS_EXCHANGED for number in item.meters}
        turned = changes.turned(made, parts, changed, pairs)
        if compared is None:
            return None, {}, changed, turned
        odd = {number for item in changed if item.name == changes.CHANGED for number in item.meters}
        halves = named(self._context, without(compared, odd), self._end_ms)
        return halves, dict.fromkeys(odd, compared.factor), changed, turned


def estimate(
    engine: Engine, context: Context, settings: Estimation, first_ms: int, end_ms: int, *, facts: Facts | None = None
) -> Done:
    """Return the estimate of a station from all its windows in [first, end]; EstimationError."""
    work = Work(engine, context, settings, first_ms, end_ms, facts=facts)
    for _ in work.full():
        pass
    assert work.done is not None
    return work.done


def nightly(engine: Engine, context: Context, settings: Estimation, through_ms: int) -> Iterator[Done | None]:
    """Estimate a station up to a midnight, by adding a day where that says the same; yields None between steps."""
    known = None
    with reading(engine) as connection:
        state = state_of(connection, context.number)
        last = last_night.read(connection, context.number, through_ms + AHEAD_MS)
        if state is not None and state.through_ms > through_ms + AHEAD_MS:
            state = None
        if state is not None:
            if state.through_ms >= through_ms:
                return
            known = added_day.begin(connection, context, settings, last, state, through_ms=through_ms)
    if known is not None:
        found = yield from added_day.add(engine, context, settings, known)
        if found is not None:
            yield Done(*found, before=last)
            return
    first_ms = through_ms - days_of(context, settings) * DAY_MS
    branches = None if state is None else decoded(state.branches)
    work = Work(engine, context, settings, first_ms, through_ms, before=branches or _UNMEASURED)
    for _ in work.full():
        yield None
    assert work.done is not None
    yield replace(work.done, before=last)
