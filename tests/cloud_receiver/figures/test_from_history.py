"""Solved slots as the pictures of days take them."""

import pytest

from cloud_receiver.figures.day import SlotFactor, SlotQuality
from cloud_receiver.figures.from_history import node_slots
from cloud_receiver.grid.analysis.fields import Value
from cloud_receiver.grid.analysis.nodal import Nodes
from cloud_receiver.grid.analysis.periods import By, Period
from cloud_receiver.grid.analysis.tally import Table
from wire.messages import Origin

QUARTER = 900_000


def row(node: str, factor: int | None, origin: str | None, name: str = "") -> dict[str, Value]:
    found: dict[str, Value] = {field.name: None for field in Nodes().fields(By.SLOT)}
    return found | {
        "node": node, "name": name, "factor_kg_per_kwh": factor, "origin": origin,
        "energy_kwh": 2_500_000, "carbon_kg": 1_250_000_000,
    }  # fmt: skip


def table(number: int, *rows: dict[str, Value]) -> Table:
    return Table(Period(number * QUARTER, (number + 1) * QUARTER), 1, None, rows)


def test_slots_go_to_their_nodes_in_kwh_kg_and_kg_per_kwh() -> None:
    found = node_slots(
        [
            table(0, row("S1", 500_000, "solved", "old"), row("P1", 875_000, "solved")),
            table(2, row("S1", 536_600, "official", "城东"), row("P1", None, None)),
        ]
    )
    assert [(node.node, node.name) for node in found] == [("S1", "城东"), ("P1", "")]
    assert found[0].slots[0] == SlotFactor(
        0, pytest.approx(0.5), SlotQuality.SOLVED, pytest.approx(2.5), pytest.approx(1.25)
    )
    assert found[0].slots[1].factor == pytest.approx(0.5366)
    assert found[0].slots[1].start_ms == 2 * QUARTER
    assert found[1].slots[1] == SlotFactor(2 * QUARTER, None, SlotQuality.UNDEFINED, pytest.approx(2.5), None)


def test_every_origin_that_is_stored_has_a_style() -> None:
    for origin in Origin:
        ((slot,),) = (node.slots for node in node_slots([table(0, row("S1", 1, origin.name.lower()))]))
        assert slot.quality.value == origin.name.lower()
    assert node_slots([]) == []
