"""The register integrator against a slow oracle on fractions.Fraction, written from the contract alone."""

import datetime as dt
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import floor
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diantan_core as core

QUARTER = 900_000
DAY = 86_400_000
MIDNIGHT = 1_772_121_600_000 + 16 * 3_600_000  # 2026-02-27T00:00+08:00, two days before a month's end
Reading = tuple[int, int, int]


@dataclass
class Model:
    """Settings and factors as the oracle sees them."""

    interval_ms: int = QUARTER
    timezone: str = "Asia/Shanghai"
    rollover_mwh: int | None = None
    max_power_mw: int | None = None
    measured_gap_ms: int = 120_000
    resolution_mwh: int = 10_000
    entries: dict[int, int | None] = field(default_factory=dict)
    default: int | None = None
    hold_ms: int | None = None

    def integrator(self) -> core.RegisterIntegrator:
        return core.RegisterIntegrator(
            interval_ms=self.interval_ms,
            timezone=self.timezone,
            rollover_mwh=self.rollover_mwh,
            max_power_mw=self.max_power_mw,
            measured_gap_ms=self.measured_gap_ms,
            resolution_mwh=self.resolution_mwh,
        )

    def schedule(self, order: Sequence[int] | None = None) -> core.FactorSchedule:
        schedule = core.FactorSchedule(default=self.default, hold_ms=self.hold_ms)
        for start in order if order is not None else self.entries:
            schedule.set(start, self.entries[start])
        return schedule

    def factor(self, time_ms: int) -> tuple[int | None, int]:
        slot = time_ms // QUARTER * QUARTER
        if slot in self.entries:
            factor = self.entries[slot]
            return factor, core.FACTOR_UNDEFINED if factor is None else core.FACTOR_DISPATCHED
        earlier = [start for start in self.entries if start < slot]
        if earlier and (self.hold_ms is None or slot - (max(earlier) + QUARTER) < self.hold_ms):
            factor = self.entries[max(earlier)]
            return factor, core.FACTOR_UNDEFINED if factor is None else core.FACTOR_HELD
        return self.default, core.FACTOR_UNDEFINED if self.default is None else core.FACTOR_DEFAULT


@dataclass
class Step:
    """What happened between two readings that were used."""

    begin: int
    end: int
    covered: bool
    forward: tuple[int, int]  # cumulative at both ends
    reverse: tuple[int, int]


def change(model: Model, before: int, after: int, span: int) -> tuple[int | None, int | None]:
    """Return (energy or None, event code or None) of one register."""

    def possible(energy: int) -> bool | None:
        if model.max_power_mw is None:
            return None
        return energy <= model.resolution_mwh + Fraction(model.max_power_mw * span, 3_600_000)

    if after >= before:
        return (None, core.EVENT_JUMP) if possible(after - before) is False else (after - before, None)
    modulus = model.rollover_mwh
    if modulus is not None and before < modulus:
        energy = after + modulus - before
        plausible = possible(energy)
        if plausible is None:
            plausible = energy < Fraction(modulus, 2)
        if plausible:
            return energy, core.EVENT_ROLLOVER
    return None, core.EVENT_RESET


def follow(model: Model, readings: Sequence[Reading]) -> tuple[list[Step], list[core.EventRow]]:
    """Turn readings into steps and events."""
    steps: list[Step] = []
    events: list[core.EventRow] = []
    last, total = readings[0], readings[0][1:]
    for reading in readings[1:]:
        time, *registers = reading
        if time <= last[0]:
            events.append((time, core.EVENT_TIME_BACK, 2, last[0], time))
            continue
        changes = [change(model, last[1 + i], registers[i], time - last[0]) for i in (0, 1)]
        events.extend(
            (time, event, i, last[1 + i], registers[i]) for i, (_, event) in enumerate(changes) if event is not None
        )
        covered = all(energy is not None for energy, _ in changes)
        after = tuple(total[i] + (changes[i][0] or 0) if covered else total[i] for i in (0, 1))
        steps.append(Step(last[0], time, covered, (total[0], after[0]), (total[1], after[1])))
        last, total = reading, (after[0], after[1])
    return steps, events


def midnights(timezone: str, begin: int, end: int) -> list[tuple[int, bool]]:
    """Return the local midnights in [begin, end], and whether they begin a month."""
    zone = ZoneInfo(timezone)
    date = dt.datetime.fromtimestamp(begin / 1000, zone).date() - dt.timedelta(days=2)
    found = []
    while (start := round(dt.datetime.combine(date, dt.time(), zone).timestamp() * 1000)) <= end:
        if start >= begin:
            found.append((start, date.day == 1))
        date += dt.timedelta(days=1)
    return found


def frozen(
    model: Model, days: list[tuple[int, bool]], steps: list[Step], totals: Callable[[int], tuple[int, int, int, int]]
) -> list[core.FreezeRow]:
    """Freeze each midnight, and each month's first one twice."""
    freezes: list[core.FreezeRow] = []
    for day, monthly in days:
        quality = core.QUALITY_MEASURED
        step = next((step for step in steps if step.begin < day <= step.end), None)
        if step is not None and not step.covered:
            quality = core.QUALITY_PARTIAL
        elif step is not None and day != step.end and step.end - step.begin > model.measured_gap_ms:
            quality = core.QUALITY_INTERPOLATED
        kinds = [core.FREEZE_DAILY, core.FREEZE_MONTHLY] if monthly else [core.FREEZE_DAILY]
        freezes.extend((day, kind, *totals(day), quality) for kind in kinds)
    return freezes


def judged(model: Model, touching: list[Step], inside: int, *, begun: bool) -> int:
    """Return the quality of an interval that these steps touch and this many readings lie in."""
    if not begun or not all(step.covered for step in touching):
        return core.QUALITY_PARTIAL
    if all(step.end - step.begin <= model.measured_gap_ms for step in touching):
        return core.QUALITY_MEASURED
    return core.QUALITY_INTERPOLATED if inside else core.QUALITY_ESTIMATED


def oracle(
    model: Model, readings: Sequence[Reading]
) -> tuple[list[core.IntervalRow], list[core.FreezeRow], list[core.EventRow]]:
    """Compute everything at once, from the whole list of readings."""
    if not readings:
        return [], [], []
    steps, events = follow(model, readings)
    first = readings[0][0]
    used = [first, *(step.end for step in steps)]

    def at(boundary: int, ends: str) -> int:
        if boundary <= first:
            return readings[0][1 if ends == "forward" else 2]
        step = next(step for step in steps if step.begin < boundary <= step.end)
        low, high = getattr(step, ends)
        return floor(low + Fraction((high - low) * (boundary - step.begin), step.end - step.begin))

    days = midnights(model.timezone, first - 2 * DAY, used[-1])
    edges = set(range(first // model.interval_ms * model.interval_ms, used[-1] + 1, model.interval_ms))
    edges |= {day for day, _ in days}
    edges = {edge for edge in edges if edge >= max(edge for edge in edges if edge <= first)}
    rows: list[core.IntervalRow] = []
    carbon_at = {min(edges): (0, 0)}
    carbon = [0, 0]
    for start, end in pairwise(sorted(edges)):
        touching = [step for step in steps if step.begin < end and step.end > start]
        inside = sum(start < time <= end for time in used)
        factor, factor_quality = model.factor(start)
        energies = [at(end, ends) - at(start, ends) for ends in ("forward", "reverse")]
        before = [ng // 1000 for ng in carbon]
        carbon = [ng + energy * (factor or 0) for ng, energy in zip(carbon, energies, strict=True)]
        after = [ng // 1000 for ng in carbon]
        carbon_at[end] = (after[0], after[1])
        quality = judged(model, touching, inside, begun=first <= start)
        if inside or any(step.covered for step in touching):
            totals = (at(end, "forward"), at(end, "reverse"))
            carbons = (after[0] - before[0], after[1] - before[1], *after)
            rows.append((start, end - start, *energies, *totals, factor, factor_quality, *carbons, inside, quality))
    freezes = frozen(
        model,
        [day for day in days if day[0] >= first],
        steps,
        lambda day: (at(day, "forward"), at(day, "reverse"), *carbon_at.get(day, (0, 0))),
    )
    return rows, freezes, events


@st.composite
def meters(draw: st.DrawFn) -> tuple[Model, list[Reading]]:
    """Draw settings, factors and readings that rise, fall, jump, pause and repeat."""
    # Berlin changes its clock on 2026-03-29, Cairo (at midnight) on 2026-04-24.
    offset = draw(st.sampled_from([0, 0, 28 * DAY, 54 * DAY])) + draw(st.integers(0, 3 * DAY))
    slots = st.integers(-10, 600).map(lambda slot: (MIDNIGHT + offset) // QUARTER * QUARTER + slot * QUARTER)
    model = Model(
        interval_ms=draw(st.sampled_from([300_000, QUARTER, QUARTER])),
        timezone=draw(st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "Asia/Kolkata", "Africa/Cairo"])),
        rollover_mwh=draw(st.none() | st.just(40_000_000)),
        max_power_mw=draw(st.none() | st.integers(10**6, 10**9)),
        entries=draw(st.dictionaries(slots, st.none() | st.integers(0, 10**6), max_size=12)),
        default=draw(st.none() | st.integers(0, 10**6)),
        hold_ms=draw(st.none() | st.integers(0, DAY)),
    )
    span = st.one_of(
        st.integers(1, 120_000),
        st.integers(60_000, 1_000_000),
        st.integers(0, 2 * DAY),
        st.integers(-5, 0),
        st.sampled_from([60_000, 120_000, 120_001, 300_000, QUARTER, 2 * QUARTER, DAY]),
    )
    rise = st.one_of(st.integers(0, 10**6), st.integers(0, 10**7), st.just(0), st.integers(-(10**7), 0))
    offset = draw(st.just(offset) | st.just(offset // QUARTER * QUARTER))
    time, forward, reverse = MIDNIGHT + offset, draw(st.integers(0, 5 * 10**7)), draw(st.integers(0, 10**6))
    readings = []
    for step, forth, back in draw(st.lists(st.tuples(span, rise, rise), max_size=25)):
        readings.append((time, forward, reverse))
        time, forward, reverse = time + step, max(0, forward + forth), max(0, reverse + back)
    return model, readings


def columns(readings: Sequence[Reading]) -> tuple["array[int]", "array[int]", "array[int]"]:
    """Return readings as the buffers that feed takes."""
    times, forward, reverse = (array("q", [reading[i] for reading in readings]) for i in (0, 1, 2))
    return times, forward, reverse


@settings(max_examples=250, deadline=None)
@given(meters())
def test_oracle(meter: tuple[Model, list[Reading]]) -> None:
    model, readings = meter
    integrator = model.integrator()
    closed = integrator.feed(*columns(readings), model.schedule())
    rows, freezes, events = oracle(model, readings)
    assert closed.intervals == rows
    assert closed.freezes == freezes
    assert closed.events == events
    exact = [sum(row[2 + i] * (row[6] or 0) for row in rows) for i in (0, 1)]
    assert [integrator.carbon_forward_ng, integrator.carbon_reverse_ng] == exact
    pending = [sum(row[2 + i] for row in rows if row[6] is None) for i in (0, 1)]
    assert [integrator.pending_forward_mwh, integrator.pending_reverse_mwh] == pending


@settings(max_examples=100, deadline=None)
@given(meters(), st.data())
def test_order_and_partition_of_calls_change_nothing(meter: tuple[Model, list[Reading]], data: st.DataObject) -> None:
    model, readings = meter
    whole = model.integrator()
    expected = whole.feed(*columns(readings), model.schedule())
    shuffled = model.schedule(data.draw(st.permutations(list(model.entries))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(readings)), max_size=4)))
    parts = model.integrator()
    intervals, freezes, events = [], [], []
    for begin, end in pairwise([0, *cuts, len(readings)]):
        if end - begin == 1 and data.draw(st.booleans()):
            closed = parts.feed_one(*readings[begin], shuffled)
        else:
            closed = parts.feed(*columns(readings[begin:end]), shuffled)
        intervals += closed.intervals
        freezes += closed.freezes
        events += closed.events
        state = parts.state()
        assert len(state) < 200
        parts = model.integrator()
        parts.restore(state)
    assert (intervals, freezes, events) == (expected.intervals, expected.freezes, expected.events)
    assert parts.state() == whole.state()
    assert parts.last_time_ms == whole.last_time_ms


@given(meters())
def test_columns_say_what_rows_say(meter: tuple[Model, list[Reading]]) -> None:
    model, readings = meter
    closed = model.integrator().feed(*columns(readings), model.schedule())
    rows = [tuple(-1 if value is None else value for value in row) for row in closed.intervals]
    by_columns = [column.tolist() for column in closed.columns()]
    assert list(zip(*by_columns, strict=True)) == rows
    assert len(closed) == len(rows)


def test_a_late_factor_changes_only_what_is_still_open() -> None:
    schedule = core.FactorSchedule()
    integrator = core.RegisterIntegrator()
    integrator.feed_one(MIDNIGHT, 0, 0, schedule)
    (row,) = integrator.feed_one(MIDNIGHT + QUARTER, 1000, 10, schedule).intervals
    assert row[6:10] == (None, core.FACTOR_UNDEFINED, 0, 0)
    schedule.set(MIDNIGHT, 500_000)
    schedule.set(MIDNIGHT + QUARTER, 700_000)
    (row,) = integrator.feed_one(MIDNIGHT + 2 * QUARTER, 2000, 20, schedule).intervals
    assert row[6:10] == (700_000, core.FACTOR_DISPATCHED, 700_000, 7000)
    assert (integrator.pending_forward_mwh, integrator.pending_reverse_mwh) == (1000, 10)
    adjustment = core.AdjustmentRegister()
    assert adjustment.apply(1000, 10, None, 500_000) == (500_000, 5000)


@pytest.mark.parametrize(("date", "slots"), [("2026-03-29", 92), ("2026-10-25", 100), ("2026-06-01", 96)])
def test_a_day_in_berlin(date: str, slots: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    start = round(dt.datetime.fromisoformat(date).replace(tzinfo=zone).timestamp() * 1000)
    end = core.next_day_start_ms(start, "Europe/Berlin")
    assert core.day_start_ms(end - 1, "Europe/Berlin") == start
    times = array("q", range(start, end + 1, 60_000))
    energy = array("q", range(len(times)))
    integrator = core.RegisterIntegrator(timezone="Europe/Berlin")
    closed = integrator.feed(times, energy, energy, core.FactorSchedule(default=1000))
    assert len(closed) == slots
    assert {row[2] for row in closed.intervals} == {15}
    assert [freeze[0] for freeze in closed.freezes if freeze[1] == core.FREEZE_DAILY] == [start, end]


def test_midnights_agree_with_zoneinfo() -> None:
    for timezone in ("Asia/Shanghai", "Asia/Kolkata", "Europe/Berlin", "America/New_York", "Africa/Cairo"):
        days = midnights(timezone, 1_700_000_000_000, 1_780_000_000_000)
        months = [day for day, monthly in days if monthly]
        for (before, _), (after, _) in pairwise(days):
            assert core.next_day_start_ms(before, timezone) == after
            assert core.day_start_ms(after - 1, timezone) == before
            assert (
                core.next_month_start_ms(before, timezone) == months[bisect_right(months, before)]
                if before < months[-1]
                else True
            )
