"""The sum check, and zero while the station shows load."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from validation_support import DAY_MS, GRID, KWH, SLOT_MS, SLOTS, Bench, energies

from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.checks.tolerance import balance
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import Verdict, Window
from cloud_receiver.validation.rules import station

PLAIN = Validation()


@pytest.mark.parametrize("seed", range(4))
def test_a_healthy_day_passes(seed: int) -> None:
    window = Bench(seed).window()
    outcome = station.sum_check(window, 0, PLAIN)
    assert (outcome.verdict, outcome.numbers["slots"]) == (Verdict.PASSED, 96)
    for number in (1, 2, 3, GRID):
        assert station.zero(window, number, PLAIN).verdict is Verdict.PASSED


def test_the_sum_check_is_the_balance_of_the_checks(bench: Bench) -> None:
    bench.recount(2, [value * 103 // 100 for value in energies(1, bench.station)[2]])
    window = bench.window()
    outcome = station.sum_check(window, 0, PLAIN)
    same = balance(window.context, [energy for _, energy in window.balanced], 2.0)
    assert same is not None
    assert outcome.verdict is Verdict.FAILED
    assert outcome.numbers == same.evidence()
    assert len(outcome.starts) == 96


def test_no_sum_without_the_grid_side(bench: Bench) -> None:
    bench.rows[GRID] = []
    window = bench.window()
    assert station.sum_check(window, 0, PLAIN).verdict is Verdict.NOT_APPLICABLE
    assert station.zero(window, 1, PLAIN).verdict is Verdict.NOT_APPLICABLE


def stuck(bench: Bench, number: int, place: int) -> None:
    """Let a meter count nothing from a slot on."""
    values = energies(1, bench.station)[number]
    bench.recount(number, values[:place] + [0] * (96 - place))


def test_a_charger_that_counts_nothing_from_noon_on(bench: Bench) -> None:
    stuck(bench, 2, 48)
    window = bench.window()
    outcome = station.zero(window, 2, PLAIN)
    assert outcome.verdict is Verdict.FAILED
    charged = {
        DAY_MS + place * SLOT_MS for place, value in enumerate(energies(1, bench.station)[2]) if place >= 48 and value
    }
    # All but those in which it took less than a fifth of what the station took.
    assert set(outcome.starts) <= charged
    assert len(outcome.starts) >= len(charged) - 3
    for number in (1, 3, GRID):
        assert station.zero(window, number, PLAIN).verdict is Verdict.PASSED


def test_of_a_charger_without_a_past_nobody_knows(bench: Bench) -> None:
    stuck(bench, 2, 48)
    bench.history = {1: bench.history[1]}
    assert station.zero(bench.window(), 2, PLAIN).verdict is Verdict.SUSPECT


def test_a_grid_side_meter_that_counts_nothing(bench: Bench) -> None:
    stuck(bench, GRID, 48)
    window = bench.window()
    assert station.zero(window, GRID, PLAIN).verdict is Verdict.FAILED
    assert station.zero(window, 1, PLAIN).verdict is Verdict.PASSED


def test_an_error_of_a_charger_does_not_make_the_idle_ones_suspect(bench: Bench) -> None:
    bench.recount(2, [value * 90 // 100 for value in energies(1, bench.station)[2]])
    bench.recount(1, [0] * 96)
    bench.recount(
        GRID, [a - b for a, b in zip(energies(1, bench.station)[GRID], energies(1, bench.station)[1], strict=True)]
    )
    window = bench.window()
    assert station.sum_check(window, 0, PLAIN).verdict is Verdict.FAILED
    assert station.zero(window, 1, PLAIN).verdict is Verdict.PASSED


MORNING = range(24, 30)
"""Slots in which a heater is on that nobody told of."""


def heated(bench: Bench) -> None:
    """Let a heater be on every morning, and no charger before nine."""
    for values in (bench.history[number] for number in (1, 2, 3)):
        for start in [start for start in values if (start - DAY_MS) // SLOT_MS % SLOTS < 36]:
            del values[start]
    for number in (1, 2, 3):
        bench.recount(number, [0 if place < 36 else value for place, value in enumerate(bench.counted(number))])
    bench.balance()
    heater = [4 * KWH if place in MORNING else 0 for place in range(SLOTS)]
    bench.recount(GRID, [row.forward_mwh + more for row, more in zip(bench.rows[GRID], heater, strict=True)])
    for days in range(1, 6):
        for place in range(36):
            bench.history[GRID][DAY_MS + (place - days * SLOTS) * SLOT_MS] = 100_000 + heater[place]


def on(window: Window, day: datetime) -> Window:
    """Return the window on another day, at the same local times as the days before it."""

    def at(time_ms: int) -> int:
        days, rest = divmod(time_ms - DAY_MS, SLOTS * SLOT_MS)
        local = day + timedelta(days=days, milliseconds=rest)
        return int(local.timestamp() * 1000)

    def moved(rows: list[IntervalRow]) -> list[IntervalRow]:
        return [row._replace(start_ms=at(row.start_ms)) for row in rows]

    zoned = window.context.station.model_copy(update={"timezone": str(day.tzinfo)})
    return replace(
        window,
        context=replace(window.context, station=zoned),
        first_ms=at(window.first_ms),
        end_ms=at(window.end_ms),
        slots=[
            replace(slot, start_ms=at(slot.start_ms), rows=moved(slot.rows), previous=moved(slot.previous))
            for slot in window.slots
        ],
        history={
            number: {at(start): energy for start, energy in found.items()} for number, found in window.history.items()
        },
        memo={},
    )


@pytest.mark.parametrize("day", ["2026-07-01", "2026-03-30", "2026-04-01", "2026-10-26"])
def test_a_load_of_every_morning_is_usual_where_clocks_have_been_changed(bench: Bench, day: str) -> None:
    heated(bench)
    window = on(bench.window(), datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin")))
    assert station.sum_check(window, 0, PLAIN).verdict is Verdict.FAILED
    assert station.zero(window, 2, PLAIN).verdict is Verdict.PASSED


def turn(bench: Bench, number: int) -> None:
    """Let a meter count the other way round, as the registry says."""
    bench.register(number, inverted=True)
    bench.given_back[number] = bench.history.pop(number)
    bench.change(
        number,
        lambda _, row: row._replace(
            forward_mwh=row.reverse_mwh,
            reverse_mwh=row.forward_mwh,
            forward_total_mwh=row.reverse_total_mwh,
            reverse_total_mwh=row.forward_total_mwh,
        ),
    )


def test_a_usual_load_is_known_of_a_master_that_counts_the_other_way(bench: Bench) -> None:
    heated(bench)
    turn(bench, GRID)
    assert station.zero(bench.window(), 2, PLAIN).verdict is Verdict.PASSED


def test_a_charger_that_counts_the_other_way_may_stand_as_well(bench: Bench) -> None:
    """Of two that count nothing since noon nobody knows which one it is, though one of them is inverted."""
    stuck(bench, 2, 48)
    bench.recount(3, [0 if place >= 48 else value for place, value in enumerate(bench.counted(3))])
    verdicts = [station.zero(bench.window(), number, PLAIN).verdict for number in (2, 3)]
    turn(bench, 3)
    assert [station.zero(bench.window(), number, PLAIN).verdict for number in (2, 3)] == verdicts
    assert verdicts == [Verdict.SUSPECT, Verdict.SUSPECT]
