"""The intake's notices to the grid service: of gateways that measure the grid, in the records' own transaction."""

from typing import Any

import pytest
from intake_support import FAST, Bench, Message
from receiver_support import DAY_MS, SLOT_MS, FakeGateway, enrol, interval, station_model
from sqlalchemy import Engine, delete, select

from cloud_receiver import database
from cloud_receiver.grid import notices as notices_module
from cloud_receiver.grid import shelf
from cloud_receiver.grid.model import Branch, Generator, Grid, Load, Node
from cloud_receiver.grid.notices import Noticed, gather, spans
from cloud_receiver.intake import Intake
from cloud_receiver.registry import Registry
from cloud_receiver.schema import grid, grid_notice

GRID = Grid(
    (Node("a"), Node("node1")), (Branch("L", "a", "node1"),), (Generator("G1", "a"),), (Load("D", "node1", "S1"),)
)


def test_each_run_of_slots_apart() -> None:
    starts = [0, 5, 900_000, 899_999, 3_600_000, 86_400_000, 87_300_000 + 60_000]
    assert spans(starts) == [(0, 900_000), (3_600_000, 3_600_000), (86_400_000, 87_300_000)]
    assert spans([]) == []


def notices(engine: Engine) -> list[tuple[int, int]]:
    with database.reading(engine) as connection:
        return [
            ((row.first_ms - DAY_MS) // SLOT_MS, (row.last_ms - DAY_MS) // SLOT_MS)
            for row in connection.execute(select(grid_notice))
        ]


def noticing(engine: Engine, registry: Registry) -> Bench:
    bench = Bench(engine)
    bench.intake = Intake(engine, bench.signer, bench.link, bench.clock, FAST, noticed=Noticed(registry))
    return bench


def enter(engine: Engine, known: Grid) -> None:
    with database.writing(engine) as connection:
        shelf.enter_grid(connection, known, DAY_MS, "g", DAY_MS)


def message(gateway: FakeGateway, first: int, numbers: list[int]) -> Message:
    return Message(gateway.topic, gateway.envelope(first, [interval(number) for number in numbers]))


def test_records_of_a_station_that_is_a_load_of_the_grid(
    engine: Engine, gateway: FakeGateway, registry: Registry
) -> None:
    bench = noticing(engine, registry)
    bench.take(message(gateway, 1, [0, 1]))
    assert notices(engine) == []  # there is no grid yet
    enter(engine, GRID)
    bench = noticing(engine, registry)
    bench.take(message(gateway, 3, [2, 3, 7]))
    assert notices(engine) == [(2, 3), (7, 7)]
    # What is there already is nothing new.
    bench.take(message(gateway, 3, [2, 3, 7]))
    assert len(notices(engine)) == 2


@pytest.mark.parametrize(
    ("measures", "noticed"), [("generator G1", {"gw1"}), (None, set())], ids=["a unit", "no element"]
)
def test_only_gateways_that_measure_the_grid(measures: str | None, noticed: set[str], engine: Engine) -> None:
    other = Grid(GRID.nodes, GRID.branches, GRID.generators)
    enter(engine, other)
    changes: dict[str, Any] = {} if measures is None else {"role": "generation", "measures": measures}
    model = station_model()
    first = model.meter[0].model_copy(update=changes)
    known = Noticed(Registry(station=(model.model_copy(update={"meter": (first, *model.meter[1:])}),)))
    with database.reading(engine) as connection:
        known.refresh(connection)
    assert known.gateways == noticed


def test_a_grid_that_cannot_be_read_stops_no_intake(
    engine: Engine, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    enrol(engine, "gw1")
    enter(engine, GRID)
    with database.writing(engine) as connection:
        connection.execute(grid.update().values(content="{"))
    known = Noticed(registry)
    with database.reading(engine) as connection:
        known.refresh(connection)
        known.refresh(connection)
    assert known.gateways == frozenset()
    assert caplog.text.count("can't be read") == 1


def test_what_nobody_takes_is_gathered(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices_module, "MOST_NOTICES", 4)
    with database.writing(engine) as connection:
        for number in (3, 0, 1, 2):
            shelf.notify(connection, DAY_MS + number * SLOT_MS, DAY_MS + number * SLOT_MS)
        gather(connection)
    assert len(notices(engine)) == 4
    with database.writing(engine) as connection:
        shelf.notify(connection, DAY_MS + 9 * SLOT_MS, DAY_MS + 9 * SLOT_MS)
        gather(connection)
    assert notices(engine) == [(0, 3), (9, 9)]
    with database.writing(engine) as connection:
        for number in (20, 30, 40):
            shelf.notify(connection, DAY_MS + number * SLOT_MS, DAY_MS + number * SLOT_MS)
        gather(connection)
    assert notices(engine) == [(0, 40)]


def test_the_intake_gathers(engine: Engine, gateway: FakeGateway, registry: Registry, monkeypatch: Any) -> None:
    monkeypatch.setattr(notices_module, "MOST_NOTICES", 2)
    enter(engine, GRID)
    bench = noticing(engine, registry)
    for number in range(4):
        bench.take(message(gateway, 1 + number, [number]))
    assert notices(engine) == [(0, 2), (3, 3)]


def test_the_number_of_a_notice_never_comes_again(engine: Engine) -> None:
    numbers = []
    for _ in range(2):
        with database.writing(engine) as connection:
            shelf.notify(connection, 0, 0)
            numbers.append(connection.execute(select(grid_notice.c.id)).scalar_one())
            connection.execute(delete(grid_notice))
    assert numbers[0] < numbers[1]
