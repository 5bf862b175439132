"""Reading the meters' slots out of the centre's store: by element, with what adjustments changed."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Table, create_engine, insert

from cloud_receiver import schema
from demo.grid.plan import Gateway, Meter
from demo.grid.records import MeterSlot, metered_slots
from demo.grid.tables import SLOT_MS

START = 1_781_452_800_000
GATEWAYS = (
    Gateway("gw-a", "plants", "plants", "B010", (Meter("unit", "generator G010", "generation", 1),)),
    Gateway("gw-b", "park", "park", "B014", (Meter("entry", "load U014", "grid", 1),)),
)


def zeros(table: Table, **values: object) -> dict[str, object]:
    """Return a row with 0 wherever nothing else is said."""
    return {column.name: 0 for column in table.columns} | values


@pytest.fixture
def store() -> Iterator[Connection]:
    """Return a store with a gateway of each kind, and a meter that nobody planned."""
    engine = create_engine("sqlite://")
    schema.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(schema.station).values(id=1, name="plants"))
        rows = [(1, "gw-a", "unit"), (2, "gw-b", "entry"), (3, "gw-b", "other")]
        for number, gateway, name in rows:
            connection.execute(
                insert(schema.meter).values(id=number, gateway=gateway, name=name, station=1, role="grid")
            )
        yield connection
    engine.dispose()


def interval(store: Connection, meter: int, start_ms: int, sequence: int, **values: int) -> None:
    """Enter an interval of a quarter of an hour, or as said."""
    row = zeros(schema.interval, meter=meter, start_ms=start_ms, sequence=sequence, duration_ms=SLOT_MS, factor=1)
    store.execute(insert(schema.interval).values(row | values))


def adjustment(store: Connection, meter: int, start_ms: int, sequence: int, **values: object) -> None:
    """Enter an adjustment."""
    row = zeros(schema.adjustment, meter=meter, start_ms=start_ms, sequence=sequence, solve_id=b"x")
    store.execute(insert(schema.adjustment).values(row | values))


def test_records_are_summed_by_slot_and_element(store: Connection) -> None:
    """Two intervals of one slot are one slot; an adjustment belongs to the slot of its interval."""
    interval(store, 1, START, 1, forward_mwh=500, carbon_forward_ug=70)
    interval(store, 2, START, 2, duration_ms=300_000, forward_mwh=10, carbon_forward_ug=3, factor_quality=1)
    interval(store, 2, START + 300_000, 3, duration_ms=600_000, forward_mwh=20, reverse_mwh=1, carbon_forward_ug=6)
    adjustment(store, 2, START + 300_000, 4, carbon_forward_ug=-2)
    adjustment(store, 2, START + 300_000, 5, carbon_forward_ug=5, carbon_reverse_ug=1)
    assert metered_slots(store, GATEWAYS, START, START + SLOT_MS) == {
        START: {
            "G010": MeterSlot(SLOT_MS, 500, 0, 70, 0, 1, 0),
            "U014": MeterSlot(SLOT_MS, 30, 1, 9, 2, 4, 1),
        }
    }


def test_other_slots_and_meters_stay_out(store: Connection) -> None:
    """Neither what began before, nor what begins at the end, nor a meter that is not in the plan."""
    for number, start_ms in enumerate((START - SLOT_MS, START, START + SLOT_MS)):
        interval(store, 1, start_ms, number, forward_mwh=number + 1)
        interval(store, 3, start_ms, 10 + number, forward_mwh=9)
        adjustment(store, 1, start_ms, 20 + number, carbon_forward_ug=100 * number)
    assert metered_slots(store, GATEWAYS, START, START + SLOT_MS) == {
        START: {"G010": MeterSlot(SLOT_MS, 2, 0, 0, 100, 2, 0)}
    }


def test_an_adjustment_without_its_interval_is_not_lost(store: Connection) -> None:
    """It shows as a slot of which no minute is covered."""
    adjustment(store, 2, START, 1, carbon_forward_ug=7)
    assert metered_slots(store, GATEWAYS, START, START + SLOT_MS) == {START: {"U014": MeterSlot(0, 0, 0, 0, 7, 1, 0)}}
