"""Honest meters in circumstances that look odd: no rule finds anything, or just what there is to find."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from validation_support import CHARGERS, DAY_MS, GRID, KWH, SLOT_MS, SLOTS, Bench, hourly, rows

from cloud_receiver.validation.catalogue import BY_NAME, judge
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import EventRow, Verdict, Window
from wire.records import EventCode, Quality

M = 2
MINUTE_MS = 60_000
PLAIN = Validation()


def found(window: Window) -> set[tuple[str, int, str]]:
    return {
        (item.rule.name, item.meter, item.outcome.verdict.value)
        for item in judge(window, PLAIN)
        if item.outcome.verdict in {Verdict.SUSPECT, Verdict.FAILED}
    }


def verdict(window: Window, rule: str, meter: int) -> Verdict:
    return BY_NAME[rule].judge(window, meter, PLAIN).verdict


def at(place: int, more_ms: int = 0) -> datetime:
    return datetime.fromtimestamp((DAY_MS + place * SLOT_MS + more_ms) / 1000, UTC)


def without_grid(bench: Bench) -> None:
    del bench.rows[GRID], bench.history[GRID], bench.station.meters[GRID]


def standby(bench: Bench, watts: int, rated_kw: int) -> None:
    """Let no car come: chargers whose meters measure their own consumption."""
    for number in CHARGERS:
        bench.register(number, rated_kw=Decimal(rated_kw))
        bench.recount(number, [watts * 250] * SLOTS)
        bench.history[number] = {DAY_MS - place * SLOT_MS: watts * 250 for place in range(1, 7 * SLOTS)}
    bench.balance()


def idle_for_weeks(bench: Bench) -> None:
    """Let two cars come to a charger that has counted nothing but its own consumption for weeks."""
    bench.history[M] = {DAY_MS - place * SLOT_MS: 10_000 for place in range(1, 7 * SLOTS)}
    bench.recount(M, [14 * KWH if place in {30, 60} else 10_000 for place in range(SLOTS)])
    bench.balance()


def idle_alone(bench: Bench) -> None:
    idle_for_weeks(bench)
    without_grid(bench)


def quiet_after_fast_cars(bench: Bench) -> None:
    """Let no car come to a charger at which cars charged fast the days before."""
    bench.recount(M, [20_000 if place % 5 == 0 else 0 for place in range(SLOTS)])
    bench.history[M] = {start: min(value, 4 * KWH) for start, value in bench.history[M].items()}
    without_grid(bench)


def after_a_repair(bench: Bench) -> None:
    """Let a multiplier have been ten times too high until yesterday."""
    bench.history[M] = {start: 10 * value for start, value in bench.history[M].items()}
    without_grid(bench)


def feeds_back(bench: Bench) -> None:
    """Let one charger feed back at times and another one all day (V2G)."""
    bench.recount(1, [-value for value in bench.counted(1)])
    bench.recount(M, [value if place % 9 else -value for place, value in enumerate(bench.counted(M))])
    bench.balance()


def feeds_back_alone(bench: Bench) -> None:
    """Let a charger that has fed back before do nothing else all day, at a station without a grid-side meter."""
    feeds_back(bench)
    bench.change(1, lambda _, row: row._replace(reverse_total_mwh=row.reverse_total_mwh + 50 * KWH))
    without_grid(bench)


def coarse(bench: Bench, *meters: int) -> None:
    """Let meters stand behind transformers of 400:1: steps of 4 kWh."""
    for number in meters:
        bench.register(number, resolution_kwh=Decimal(4))
        bench.rows[number] = rows(number, bench.counted(number), step=4 * KWH)


def coarse_of_the_default(bench: Bench) -> None:
    """Let the grid-side meter have such steps, of which the registry knows nothing."""
    bench.rows[GRID] = rows(GRID, bench.counted(GRID), step=4 * KWH)


def minutes(bench: Bench, length: int) -> None:
    """Let all meters report so many minutes at a time."""
    count = 15 // length
    for number, found_rows in bench.rows.items():
        total, pieces = 0, []
        for row in found_rows:
            for place in range(count):
                energy = row.forward_mwh * (place + 1) // count - row.forward_mwh * place // count
                total += energy
                pieces.append(
                    row._replace(
                        start_ms=row.start_ms + place * length * MINUTE_MS,
                        duration_ms=length * MINUTE_MS,
                        forward_mwh=energy,
                        forward_total_mwh=total,
                        sequence=row.sequence * 15 + place,
                    )
                )
        bench.rows[number] = pieces


def by_orders(bench: Bench) -> None:
    bench.register(M, only_orders=True)
    bench.rows[M] = []


def grid_side_from_noon_on(bench: Bench) -> None:
    bench.register(GRID, since=at(48))
    bench.rows[GRID] = bench.rows[GRID][48:]
    del bench.history[GRID]


def grid_side_gone(bench: Bench) -> None:
    bench.register(GRID, until=at(-SLOTS))
    bench.rows[GRID] = []


def charger_from_noon_on(bench: Bench) -> None:
    bench.register(M, since=at(48, 7 * MINUTE_MS))
    values = bench.counted(M)
    bench.recount(M, [0] * 48 + [values[48] * 8 // 15] + values[49:])
    bench.balance()
    first = bench.rows[M][48]
    part = first._replace(start_ms=first.start_ms + 7 * MINUTE_MS, duration_ms=8 * MINUTE_MS)
    bench.rows[M] = [part, *bench.rows[M][49:]]
    del bench.history[M]


def charger_until_noon(bench: Bench) -> None:
    bench.register(M, until=at(48, 7 * MINUTE_MS))
    values = bench.counted(M)
    bench.recount(M, values[:48] + [0] * 48)
    bench.balance()
    last = bench.rows[M][48]._replace(duration_ms=7 * MINUTE_MS, quality=int(Quality.PARTIAL))
    bench.rows[M] = [*bench.rows[M][:48], last]


def tried_before(bench: Bench) -> None:
    """Let a meter have been tried elsewhere before it came to the station in the morning."""
    bench.recount(M, [0 if place < 30 else value for place, value in enumerate(bench.counted(M))])
    bench.balance()
    bench.register(M, since=at(30))
    tried = [row._replace(forward_total_mwh=10**9) for row in bench.rows[M][:20]]
    bench.rows[M] = [*tried, *bench.rows[M][30:]]
    del bench.history[M]


def exchanged(bench: Bench) -> None:
    """Exchange a meter of which the registry knows, both registers told at once."""
    bench.register(M, since=at(0))
    bench.events = [
        EventRow(DAY_MS + 48 * SLOT_MS, M, 1, int(EventCode.EXCHANGE), {1: 9, 2: 0, 3: direction})
        for direction in (1, 0)
    ]


def rolled_over(bench: Bench) -> None:
    """Let both registers pass their end at once, and the meter's register fall."""
    bench.change(
        M, lambda place, row: row._replace(forward_total_mwh=row.forward_total_mwh + (0 if place < 48 else -(10**8)))
    )
    bench.rows[M][48] = bench.rows[M][48]._replace(quality=int(Quality.PARTIAL))
    bench.events = [
        EventRow(DAY_MS + 48 * SLOT_MS + 9, M, 1, int(EventCode.ROLLOVER), {1: 9, 2: 0, 3: direction})
        for direction in (1, 0)
    ]


def new_journal(bench: Bench) -> None:
    """Let a journal end within a slot and another one go on, its register from 0 on."""
    row = bench.rows[M][48]
    half = row.forward_mwh // 2
    first = row._replace(
        duration_ms=400_000, forward_mwh=half, forward_total_mwh=row.forward_total_mwh - row.forward_mwh + half
    )
    more = [row._replace(start_ms=row.start_ms + 400_000, duration_ms=500_000, forward_mwh=row.forward_mwh - half)]
    more += bench.rows[M][49:]
    base = first.forward_total_mwh
    bench.rows[M] = [
        *bench.rows[M][:48],
        first,
        *(each._replace(journal=2, forward_total_mwh=each.forward_total_mwh - base) for each in more),
    ]


def lights_at_night(bench: Bench) -> None:
    """Let a station of one charger have lights that nobody has told of, every night."""
    for number in (1, 3):
        del bench.station.meters[number], bench.history[number]
        bench.rows[number] = []
    night = {*range(24), *range(80, SLOTS)}
    values = [0 if place in night else value for place, value in enumerate(bench.counted(M))]
    bench.recount(M, values)
    lights = [KWH // 2 if place in night else 0 for place in range(SLOTS)]
    bench.recount(GRID, [value + lights[place] + 100_000 for place, value in enumerate(values)])
    for days in range(1, 6):
        for place in range(SLOTS):
            start = DAY_MS + (place - days * SLOTS) * SLOT_MS
            if place in night:
                bench.history[M].pop(start, None)
            bench.history[GRID][start] = bench.history[M].get(start, 0) + lights[place] + 100_000
    del bench.rows[1], bench.rows[3]


def less_than_modelled(bench: Bench) -> None:
    """Let nothing be on at night, the auxiliary load that is modelled neither."""
    for number in CHARGERS:
        bench.recount(number, [0 if place < 24 else value for place, value in enumerate(bench.counted(number))])
    bench.balance()
    bench.recount(GRID, [0 if place < 24 else row.forward_mwh for place, row in enumerate(bench.rows[GRID])])


HEALTHY: dict[str, Callable[[Bench], None]] = {
    "AC chargers idle, 5 W": lambda b: standby(b, 5, 11),
    "DC chargers idle, 150 W": lambda b: standby(b, 150, 120),
    "idle for weeks": idle_for_weeks,
    "idle for weeks, no grid side": idle_alone,
    "quiet after fast cars": quiet_after_fast_cars,
    "after a repair": after_a_repair,
    "no grid side": without_grid,
    "feeding back": feeds_back,
    "feeding back alone": feeds_back_alone,
    "coarse grid side": lambda b: coarse(b, GRID),
    "coarse chargers": lambda b: coarse(b, *CHARGERS),
    "1 minute": lambda b: minutes(b, 1),
    "5 minutes": lambda b: minutes(b, 5),
    "hourly grid side": lambda b: hourly(b, GRID),
    "all hourly": lambda b: hourly(b, *CHARGERS, GRID),
    "half-hourly": lambda b: hourly(b, *CHARGERS, GRID, length=2),
    "known by orders": by_orders,
    "grid side from noon on": grid_side_from_noon_on,
    "grid side gone": grid_side_gone,
    "charger from noon on": charger_from_noon_on,
    "charger until noon": charger_until_noon,
    "tried before": tried_before,
    "exchanged": exchanged,
    "rolled over": rolled_over,
    "new journal": new_journal,
    "less than modelled": less_than_modelled,
}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_found_of_honest_meters(name: str, seed: int) -> None:
    bench = Bench(seed)
    HEALTHY[name](bench)
    assert found(bench.window()) == set()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_a_station_takes_every_night_is_not_a_meter_that_stands(seed: int) -> None:
    bench = Bench(seed)
    lights_at_night(bench)
    # Nobody has told of the lights, so that the sum check knows no better.
    assert found(bench.window()) == {("sum", 0, "failed")}
    # What the days before don't show is not usual, nor what they show while the meter counted nothing all day.
    kept = bench.history[GRID]
    bench.history[GRID] = {start: value for start, value in kept.items() if start >= DAY_MS - 2 * SLOTS * SLOT_MS}
    assert verdict(bench.window(), "zero", M) is Verdict.FAILED
    bench.history[GRID] = kept
    stood = DAY_MS - 3 * SLOTS * SLOT_MS
    bench.history[M] = {start: value for start, value in bench.history[M].items() if start < stood}
    assert verdict(bench.window(), "zero", M) is Verdict.FAILED


def test_a_coarse_register_that_the_registry_does_not_know_of_does_not_stand() -> None:
    bench = Bench(1)
    coarse_of_the_default(bench)
    assert verdict(bench.window(), "zero", GRID) is Verdict.PASSED


def test_a_meter_whose_times_are_off_does_not_stand() -> None:
    bench = Bench(1)
    bench.recount(M, [0, *bench.counted(M)[:-1]])
    assert verdict(bench.window(), "zero", M) is Verdict.PASSED
    assert ("sum", 0, "failed") in found(bench.window())


@pytest.mark.parametrize("slots", [92, 100])
def test_the_days_on_which_summer_time_begins_and_ends(slots: int) -> None:
    bench = Bench(1, slots=slots)
    assert found(bench.window()) == set()
    bench.change(M, lambda _, row: row._replace(quality=int(Quality.INTERPOLATED)))
    bench.unmeasured = {M: frozenset({DAY_MS - place * SLOT_MS for place in range(1, 97)})}
    assert found(bench.window()) == {("prolonged_estimation", M, "failed")}
