"""The books of carbon close to the rounding of the factors, and to nothing more than that."""

from dataclasses import replace

import pytest
from centre_support import Centre, centre_of, with_record

from cloud_receiver.grid.kept import FLOW, LOAD, SOURCE, NodeResults, Powers, of
from cloud_receiver.grid.model import Grid
from cloud_receiver.grid.solving import core_grid
from demo.grid.books import DayBooks, core_slot, day_books
from demo.grid.tables import Day
from wire.messages import Origin


def books_of(centre: Centre) -> DayBooks:
    """Return the books of all slots."""
    return day_books(centre.slots_ms, centre.kept, {1: centre.grid}, centre.records, centre.metered)


def test_a_day_closes_within_the_rounding_of_its_factors(centre: Centre) -> None:
    """Every slot closes by itself; the bound is half a mg for each kWh at the users' meters, and hardly more."""
    books = books_of(centre)
    assert books.closed, books.complaints
    assert len(books.slots) == 4
    for slot in books.slots:
        users = [record for name, record in centre.records[slot.start_ms].items() if name.startswith("U")]
        half_steps = 0.5e-6 * sum(record.forward_mwh for record in users) / 1e6
        assert half_steps < slot.amounts.bound < half_steps + 1e-6
        assert slot.amounts.remainder != 0
        assert slot.held == 5
    amounts = books.amounts
    emitted = sum(
        record.carbon_ug for slot in centre.records.values() for name, record in slot.items() if name.startswith("G")
    )
    assert amounts.sources == pytest.approx(emitted / 1e9, rel=1e-12)
    assert min(amounts.metered, amounts.unmetered, amounts.losses) > 0
    assert amounts.adjusted != 0
    assert amounts.storage > 0  # two slots charge, one discharges
    assert abs(amounts.remainder) < 1e-8 * amounts.sources
    assert amounts.correction == 0


@pytest.mark.parametrize("element", ["U039", "G026"])
def test_a_gram_that_is_not_there_is_told(centre: Centre, element: str) -> None:
    """A meter that has another carbon than its energy times its factor, or than its unit emitted, breaks the books."""
    start_ms = centre.slots_ms[2]
    record = centre.records[start_ms][element]
    books = books_of(with_record(centre, start_ms, element, carbon_ug=record.carbon_ug + 10_000_000))
    slot = books.slots[2]
    assert not books.closed
    assert not slot.amounts.closed
    assert [text.split(":")[0].split()[1] for text in slot.complaints] == [element]
    assert [other.amounts.closed for other in books.slots] == [True, True, False, True]
    assert books.worst is slot


def test_an_adjustment_that_never_came_is_told(centre: Centre) -> None:
    """Carbon by a held factor is not the slot's."""
    start_ms = centre.slots_ms[1]
    books = books_of(with_record(centre, start_ms, "U067", adjusted_ug=0))
    assert not books.slots[1].amounts.closed
    assert "U067" in books.slots[1].complaints[0]


def test_energy_that_was_not_solved_is_told(centre: Centre) -> None:
    """What is in the meter's records is what the centre solved, to the mWh and to the minute."""
    start_ms = centre.slots_ms[0]
    record = centre.records[start_ms]["G010"]
    other = books_of(with_record(centre, start_ms, "G010", forward_mwh=record.forward_mwh + 1000))
    assert [text for _, text in other.complaints if text.startswith("generator G010")]
    short = books_of(with_record(centre, start_ms, "U014", covered_ms=60_000))
    assert short.complaints == [(start_ms, "load U014: records of 1 of 15 minutes")]
    assert not short.closed


def test_records_and_slots_that_are_missing_are_told(centre: Centre) -> None:
    """No proof without the data: a slot without solution, a meter without records."""
    start_ms = centre.slots_ms[3]
    slot = {name: record for name, record in centre.records[start_ms].items() if name != "U118"}
    books = books_of(replace(centre, records={**centre.records, start_ms: slot}))
    assert books.complaints == [(start_ms, "load U118: records of 0 of 15 minutes")]
    unsolved = day_books(centre.slots_ms, centre.kept[:3], {1: centre.grid}, centre.records, centre.metered)
    assert unsolved.complaints == [(start_ms, "was not solved")]
    assert not unsolved.closed
    assert not day_books([], [], {}, {}, frozenset()).closed


def test_a_factor_that_stood_in_is_told(centre: Centre) -> None:
    """An official or held factor is no solution of the slot, even if it is the same number."""
    nodes = centre.kept[0].nodes
    place = next(place for place, node in enumerate(centre.grid.nodes) if node.id == "B118")
    origins = (*nodes.origins[:place], Origin.OFFICIAL, *nodes.origins[place + 1 :])
    changed = NodeResults(nodes.factors, nodes.flux, nodes.qualities, nodes.dispatched, origins)
    books = books_of(replace(centre, kept=[replace(centre.kept[0], nodes=changed), *centre.kept[1:]]))
    assert books.complaints == [(centre.slots_ms[0], "load U118: its factor was not solved but official")]


def test_what_the_reconciliation_corrected_is_an_entry_of_its_own(
    day: Day, grid: Grid, metered: frozenset[str]
) -> None:
    """Powers that don't balance are corrected before they are solved; the books say by how much, and close."""

    def correct(measured: Powers) -> Powers:
        solved = core_grid(grid).reconcile(
            core_slot(measured),
            flow_sigmas=[(0.5, 0.5)] * len(grid.branches),
            source_sigmas=[1.0] * len(grid.generators),
            load_sigmas=[1.0] * len(grid.loads),
            storage_sigmas=[0.0] * len(grid.storages),
            max_bad_readings=0,
        )
        flows = [part for pair in solved.flows for value in pair for part in (max(value, 0.0), max(-value, 0.0))]
        sources, loads = list(measured.sources), list(measured.loads)
        sources[::SOURCE], loads[::LOAD] = solved.sources, solved.loads
        assert len(flows) == FLOW * len(grid.branches)
        return replace(measured, flows=of(flows), sources=of(sources), loads=of(loads))

    wrong = {name: list(values) for name, values in day.loads.items()}
    wrong["U039"] = [round(value * 1.02) // 1000 * 1000 for value in wrong["U039"]]
    books = books_of(centre_of(replace(day, loads=wrong), grid, metered, correct))
    assert books.closed, books.complaints
    for slot in books.slots:
        assert abs(slot.amounts.correction) > 100 * slot.amounts.bound
        assert abs(slot.amounts.imbalance) < slot.amounts.bound


def test_power_that_does_not_balance_is_an_entry_of_its_own(day: Day, grid: Grid, metered: frozenset[str]) -> None:
    """Without a correction the imbalance takes the carbon that no load took."""
    wrong = {name: list(values) for name, values in day.loads.items()}
    wrong["U039"] = [value // 2 // 1000 * 1000 for value in wrong["U039"]]
    books = books_of(centre_of(replace(day, loads=wrong), grid, metered))
    assert books.closed, books.complaints
    assert all(slot.amounts.imbalance > 1 for slot in books.slots)
