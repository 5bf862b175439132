"""A simulated day with one fault each: the rule of that name finds it, and no rule that has nothing to do with it.

The healthy day is found by none. What follows from a fault for certain is named too: energies ten times as high don't
balance either.
"""

from collections.abc import Callable, Iterable

import pytest
from validation_support import CHARGERS, DAY_MS, GRID, KWH, SLOT_MS, Bench, rows

from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.validation.catalogue import BY_NAME, judge
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import EventRow, MessageRow, Verdict
from wire.records import ClockState, DetailKey, EventCode, Quality

M = 2
"""The meter that the faults of one meter are seeded in."""
LARGEST = 2**61
NOON = 48
SEEDS = (1, 2, 3)

Found = set[tuple[str, int, str]]


def found(bench: Bench) -> Found:
    """Return what the rules say that is not passed."""
    return {
        (item.rule.name, item.meter, item.outcome.verdict.value)
        for item in judge(bench.window(), Validation())
        if item.outcome.verdict in {Verdict.SUSPECT, Verdict.FAILED}
    }


def failed(*names: str, meter: int = M) -> Found:
    return {(name, 0 if name in {"sum", "gateway_clock"} else meter, "failed") for name in names}


def suspect(name: str, meter: int = M) -> Found:
    return {(name, meter, "suspect")}


def registers(bench: Bench, by: int, places: Iterable[int]) -> None:
    """Shift the forward register at some slots."""
    there = set(places)
    bench.change(
        M, lambda place, row: row._replace(forward_total_mwh=row.forward_total_mwh + by) if place in there else row
    )


def scaled(bench: Bench, meter: int, times: int, parts: int = 1) -> None:
    bench.recount(meter, [value * times // parts for value in bench.counted(meter)])


def where(bench: Bench, wanted: Callable[[int], bool]) -> int:
    """Return a slot after the first in which the meter counts what is wanted."""
    return next(place for place, value in enumerate(bench.counted(M)) if place and wanted(value))


def below_zero(bench: Bench, at: int) -> None:
    bench.change(M, lambda place, row: row._replace(forward_mwh=-1) if place == at else row)


def one_slot(bench: Bench, energy: int) -> None:
    values = bench.counted(M)
    values[values.index(max(values))] = energy
    bench.recount(M, values)


def without(bench: Bench, places: range) -> None:
    bench.change(M, lambda place, row: None if place in places else row)


def shifted_in_a_gap(bench: Bench, by: int) -> None:
    registers(bench, by, range(40, 96))
    without(bench, range(40, 44))


def swapped_at_noon(bench: Bench) -> None:
    bench.rows[1] = rows(1, bench.counted(1), total=1000 * KWH)
    first, second = bench.rows[1], bench.rows[M]
    for meter, mine, other in ((1, first, second), (M, second, first)):
        bench.rows[meter] = mine[:NOON] + [row._replace(meter=meter) for row in other[NOON:]]


def swapped_with_the_grid_side(bench: Bench) -> None:
    mine, grid = bench.counted(M), bench.counted(GRID)
    bench.recount(M, mine[:NOON] + grid[NOON:])
    bench.recount(GRID, grid[:NOON] + mine[NOON:])


def stuck(bench: Bench, meter: int) -> None:
    bench.recount(meter, bench.counted(meter)[:NOON] + [0] * (96 - NOON))


def turned(bench: Bench, meter: int, first: int = 0) -> None:
    bench.recount(meter, [value if place < first else -value for place, value in enumerate(bench.counted(meter))])


def twice(bench: Bench, more: int = 0) -> None:
    row = bench.rows[M][30]
    bench.rows[M].append(row._replace(journal=2, forward_mwh=row.forward_mwh + more))


def lengths(bench: Bench, duration_ms: int, places: Iterable[int] = range(96)) -> None:
    there = set(places)
    bench.change(M, lambda place, row: row._replace(duration_ms=duration_ms) if place in there else row)


def late(bench: Bench) -> None:
    bench.change(M, lambda place, row: row._replace(start_ms=row.start_ms + 60_000))


def weak(bench: Bench) -> None:
    # As a meter of a large transformer that a small current goes through: too little for any charge.
    scaled(bench, M, 1, 300)
    bench.rows[GRID] = []


def spiked(bench: Bench) -> None:
    # A charger at which slow cars charge, so that the spike is within its rated power.
    slow = [value // 6 for value in bench.counted(M)]
    bench.history[M] = {start: value // 6 for start, value in bench.history[M].items()}
    bench.recount(M, slow)
    bench.balance()
    slow[50] = 14 * KWH
    bench.recount(M, slow)


def interpolated(bench: Bench, count: int) -> None:
    poor = int(Quality.INTERPOLATED)
    bench.change(M, lambda place, row: row._replace(quality=poor) if place < count else row)


def partial(bench: Bench, places: Iterable[int]) -> None:
    there = set(places)
    lacking = int(Quality.PARTIAL)
    bench.change(M, lambda place, row: row._replace(quality=lacking) if place in there else row)


def event(bench: Bench, code: EventCode, *, meter: int = M, **details: int) -> None:
    keys = {int(DetailKey[name.upper()]): value for name, value in details.items()}
    bench.events.append(EventRow(DAY_MS + NOON * SLOT_MS + 1, meter, 1, int(code), keys))


def both_registers(bench: Bench, code: EventCode) -> None:
    """Tell of both registers at once, as a gateway does."""
    for direction in (1, 0):
        event(bench, code, before=900 + direction, after=0, direction=direction)


def message(bench: Bench, ahead_ms: int, state: ClockState = ClockState.SYNCHRONISED) -> None:
    bench.messages.append(MessageRow("gw1", DAY_MS + ahead_ms, DAY_MS, int(state)))


def extreme(bench: Bench, name: str) -> None:
    bench.rows[M][20] = bench.rows[M][20]._replace(**{name: LARGEST})


def all_extreme(bench: Bench) -> None:
    names = ("forward_mwh", "reverse_mwh", "forward_total_mwh", "reverse_total_mwh")
    bench.change(M, lambda place, row: row._replace(**dict.fromkeys(names, LARGEST)))


MUTANTS: dict[str, tuple[Callable[[Bench], None], Found]] = {
    "register shifted up": (lambda b: registers(b, 100 * KWH, range(40, 96)), failed("continuity")),
    "register shifted down": (lambda b: registers(b, -20 * KWH, range(40, 96)), failed("continuity", "decreasing")),
    "register shifted for one slot": (
        # It counts in the next one, so that the register doesn't fall.
        lambda b: registers(b, 10_000, [where(b, lambda value: value > 0) - 1]),
        failed("continuity"),
    ),
    "register shifted up in a gap": (lambda b: shifted_in_a_gap(b, 500 * KWH), failed("gap", "high")),
    "register shifted down in a gap": (lambda b: shifted_in_a_gap(b, -90 * KWH), failed("gap", "decreasing")),
    "register stands, energies go on": (
        lambda b: b.change(M, lambda place, row: row._replace(forward_total_mwh=b.rows[M][NOON].forward_total_mwh)),
        failed("continuity"),
    ),
    "two chargers swapped": (
        swapped_at_noon,
        failed("continuity", "decreasing", meter=1) | failed("continuity"),
    ),
    "charger and grid side swapped": (swapped_with_the_grid_side, failed("high", "sum")),
    **{
        f"times {times}/{parts}": (
            lambda b, times=times, parts=parts: scaled(b, M, times, parts),
            failed("multiplier", "sum") | (failed("high") if times > parts else set()),
        )
        for times, parts in ((10, 1), (1000, 1), (40, 1), (1, 10), (1, 40), (1, 100))
    },
    "grid side times 40": (lambda b: scaled(b, GRID, 40), failed("multiplier", "high", "sum", meter=GRID)),
    "grid side times 1/40": (lambda b: scaled(b, GRID, 1, 40), failed("multiplier", "sum", meter=GRID)),
    "one slot times 10": (lambda b: one_slot(b, 150 * KWH), failed("high", "sum")),
    "one slot beyond the others": (spiked, suspect("spike") | failed("sum")),
    "register stands from noon on": (lambda b: stuck(b, M), failed("zero", "sum")),
    "grid side stands from noon on": (lambda b: stuck(b, GRID), failed("zero", "sum", meter=GRID)),
    "counts in reverse": (lambda b: turned(b, M), failed("decreasing", "sum")),
    "counts in reverse from noon on": (lambda b: turned(b, M, NOON), failed("decreasing", "sum")),
    "grid side counts in reverse": (lambda b: turned(b, GRID), failed("decreasing", "sum", meter=GRID)),
    "too little": (weak, suspect("low") | failed("gap", meter=GRID)),
    "a slot twice": (twice, suspect("duplicate")),
    "a slot twice with another energy": (lambda b: twice(b, 1), failed("duplicate")),
    "slots dropped": (lambda b: without(b, range(10, 12)), failed("gap")),
    "all dropped": (lambda b: without(b, range(96)), failed("gap")),
    "times stretched": (lambda b: lengths(b, SLOT_MS + 60_000), failed("interval_length", "gap")),
    "times shrunk": (lambda b: lengths(b, SLOT_MS - 70_000), suspect("interval_length") | failed("gap")),
    "one time stretched": (lambda b: lengths(b, SLOT_MS + 1, [7]), failed("interval_length", "gap")),
    "times a minute late": (late, failed("interval_length", "gap")),
    "interpolated for hours": (lambda b: interpolated(b, 9), suspect("prolonged_estimation")),
    "interpolated all day": (lambda b: interpolated(b, 96), failed("prolonged_estimation")),
    "part of one energy missing": (lambda b: partial(b, [30]), suspect("partial")),
    "part of many energies missing": (lambda b: partial(b, range(1, 96, 4)), failed("partial")),
    "exchanged": (lambda b: both_registers(b, EventCode.EXCHANGE), suspect("meter_exchange")),
    "reset": (lambda b: both_registers(b, EventCode.RESET), suspect("meter_exchange")),
    "jump": (lambda b: event(b, EventCode.JUMP, before=1, after=10**9), suspect("meter_exchange")),
    "clock of the meter off": (
        lambda b: event(b, EventCode.METER_CLOCK_OFF, deviation=90_000),
        suspect("meter_clock"),
    ),
    "clock of the gateway ahead": (lambda b: message(b, 61_000), failed("gateway_clock")),
    "clock of the gateway a little ahead": (lambda b: message(b, 6_000), suspect("gateway_clock", 0)),
    "clock of the gateway stepped": (
        lambda b: event(b, EventCode.CLOCK_STEPPED, meter=0, step=-90_000),
        suspect("gateway_clock", 0),
    ),
    "energy of 2^61 mWh": (lambda b: extreme(b, "forward_mwh"), failed("high", "continuity", "sum")),
    "reverse energy of 2^61 mWh": (lambda b: extreme(b, "reverse_mwh"), failed("high", "continuity", "sum")),
    "register of 2^61 mWh": (lambda b: extreme(b, "forward_total_mwh"), failed("continuity", "decreasing")),
    "everything 2^61 mWh": (all_extreme, failed("high", "continuity")),
    "energy below 0": (
        lambda b: below_zero(b, where(b, lambda value: value == 0)),
        failed("decreasing", "continuity"),
    ),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_is_caught_by_its_rule_and_no_other(name: str, seed: int) -> None:
    mutate, expected = MUTANTS[name]
    bench = Bench(seed)
    mutate(bench)
    assert found(bench) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_the_healthy_day_is_caught_by_none(seed: int) -> None:
    assert found(Bench(seed)) == set()


def test_every_rule_has_a_mutant() -> None:
    assert {name for _, expected in MUTANTS.values() for name, _, _ in expected} == set(BY_NAME)


def test_the_order_of_what_comes_changes_nothing() -> None:
    bench = Bench(1)
    for name in ("exchanged", "a slot twice with another energy", "slots dropped", "energy of 2^61 mWh"):
        MUTANTS[name][0](bench)
    there = [(item.rule.name, item.meter, item.outcome) for item in judge(bench.window(), Validation())]
    for meter in (*CHARGERS, GRID):
        bench.rows[meter].reverse()
    bench.events.reverse()
    bench.messages.reverse()
    window = bench.window()
    for slot in window.slots:
        slot.rows.reverse()
        slot.previous.reverse()
    assert [(item.rule.name, item.meter, item.outcome) for item in judge(window, Validation())] == there


def flood(bench: Bench, count: int) -> None:
    """Cut a slot into pieces of 3 ms, twice, with an event of a register each."""
    row = bench.rows[M][30]
    pieces: list[IntervalRow] = [
        row._replace(start_ms=row.start_ms + 3 * place, duration_ms=3, sequence=10**6 + place, journal=journal)
        for journal in (1, 2)
        for place in range(count)
    ]
    bench.rows[M] = [*bench.rows[M][:30], *pieces, *bench.rows[M][31:]]
    for place in range(count):
        time_ms = row.start_ms + 3 * place
        bench.events.append(EventRow(time_ms, M, 1, int(EventCode.ROLLOVER), {1: place}))
        bench.messages.append(MessageRow("gw1", time_ms, time_ms, int(ClockState.STEPPED)))


def test_thousands_of_findings_stay_small() -> None:
    """What is kept of them is bounded."""
    bench = Bench(1)
    flood(bench, 20_000)
    for item in judge(bench.window(), Validation()):
        assert len(str(dict(item.outcome.numbers))) < 5_000
        assert len(item.outcome.starts) <= 96
    assert {name for name, _, _ in found(bench)} >= {"duplicate", "interval_length", "continuity", "gateway_clock"}
