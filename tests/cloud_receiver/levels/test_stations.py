"""A station's own meter beside the grid's meter of its load."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from receiver_support import DAY_MS, SLOT_MS
from sqlalchemy import Engine, insert, select

from clock import ManualClock
from cloud_receiver import database, meters, schema
from cloud_receiver.config import Centre, Settings
from cloud_receiver.grid import findings, shelf
from cloud_receiver.grid.model import Grid, Load, Node
from cloud_receiver.levels.service import Levels
from cloud_receiver.levels.stations import pairs
from cloud_receiver.registry import Meter, Registry, Role, Station
from wire.envelope import Signer
from wire.keys import generate
from wire.link import LinkSettings

FACTOR = 600_000
KINDS = ["level_carbon", "level_day", "level_energy"]


def meter(name: str, role: Role, gateway: str, **more: Any) -> Meter:
    return Meter(id=name, role=role, gateway=gateway, rated_kw=Decimal(9000), accuracy_class=Decimal("0.5"), **more)


REGISTRY = Registry(
    station=(
        Station(id="S1", node="N", meter=(meter("A", Role.GRID, "g1"), meter("B", Role.GRID, "g1"))),
        Station(id="SUB", node="N", meter=(meter("F", Role.FLOW, "g2", measures="load L1"),)),
        Station(id="S2", node="N", meter=(meter("A", Role.GRID, "g3"),)),
    )
)
GRID = Grid((Node("N"),), loads=(Load("L1", "N", "S1"), Load("L2", "N", "S2")))


class Store:
    """A store with three stations at one node; only the load of S1 has a meter of the grid."""

    def __init__(self, engine: Engine, registry: Registry = REGISTRY) -> None:
        self.engine = engine
        self.sequence = 0
        self.journal = 1
        settings = Settings(centre=Centre(name="city", key_file=Path("unused")))
        self.levels = Levels(
            *(settings, registry, engine, ManualClock(DAY_MS)),
            signer=Signer(generate()),
            own_link=None,  # type: ignore[arg-type]  # there is nobody to talk to
            link_settings=lambda _: LinkSettings("", 1, ""),
        )

    def count(
        self, name: str, gateway: str, slot: int, kwh: int, *, carbon: int | None = None, way: str = "forward"
    ) -> None:
        """Enter an interval of a meter in kWh, with the carbon of the factor in force or another one, in kg."""
        self.sequence += 1
        nothing = dict.fromkeys(
            ("forward_total_mwh", "reverse_total_mwh", "factor_quality", "forward_mwh", "reverse_mwh"), 0
        ) | dict.fromkeys(("carbon_forward_total_ug", "carbon_reverse_total_ug", "readings", "quality"), 0)
        nothing |= {"carbon_forward_ug": 0, "carbon_reverse_ug": 0}
        shown = kwh * FACTOR * 1000 if carbon is None else carbon * 10**9
        with database.writing(self.engine) as connection:
            found = connection.execute(
                select(schema.meter).where(schema.meter.c.name == name, schema.meter.c.gateway == gateway)
            ).one()
            key = {"station": found.station, "start_ms": DAY_MS + slot * SLOT_MS, "meter": found.id}
            key["journal"] = self.journal
            values = {**nothing, f"{way}_mwh": kwh * 1_000_000, f"carbon_{way}_ug": shown, "duration_ms": SLOT_MS}
            connection.execute(insert(schema.interval).values(**key, sequence=self.sequence, **values))

    def adjust(self, slot: int, kg: int) -> None:
        """Enter an adjustment of the first meter of S1."""
        self.sequence += 1
        with database.writing(self.engine) as connection:
            found = connection.execute(select(schema.meter).where(schema.meter.c.name == "A")).first()
            assert found is not None
            key = {"station": found.station, "start_ms": DAY_MS + slot * SLOT_MS, "meter": found.id, "journal": 1}
            values = {"duration_ms": SLOT_MS, "forward_mwh": 0, "reverse_mwh": 0, "carbon_reverse_ug": 0}
            connection.execute(
                insert(schema.adjustment).values(
                    **key, sequence=self.sequence, **values, carbon_forward_ug=kg * 10**9, solve_id=b"s"
                )
            )

    def found(self, slot: int) -> list[tuple[str, str]]:
        """Check at the start of a slot; return the open findings by subject and kind."""
        asyncio.run(self.levels.check_stations(DAY_MS + slot * SLOT_MS))
        with database.reading(self.engine) as connection:
            return [(item.subject, item.kind) for item in findings.listed(connection)]


def inverted() -> Registry:
    """Return the registry with a feeder of S1 that counts the other way round."""
    first, *others = REGISTRY.station
    feeder = first.meter[0].model_copy(update={"inverted": True})
    return Registry(station=(first.model_copy(update={"meter": (feeder, first.meter[1])}), *others))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    engine = database.open_store("sqlite:///store.sqlite", tmp_path)
    database.upgrade(engine)
    with database.writing(engine) as connection:
        meters.enter_registry(connection, REGISTRY)
        shelf.enter_grid(connection, GRID, 0, "city", 0)
        row = {"node": "N", "issued_ms": 1, "slot_ms": SLOT_MS, "factor": FACTOR, "solve_id": b"s"}
        connection.execute(insert(schema.factor), [row | {"start_ms": DAY_MS + slot * SLOT_MS} for slot in range(96)])
    yield Store(engine)
    engine.dispose()


def test_only_loads_that_are_measured_twice_are_compared() -> None:
    (pair,) = pairs(REGISTRY, GRID)
    assert pair.station.id == "S1"
    assert [item.id for item in pair.own] == ["A", "B"]
    assert [item.id for item in pair.above] == ["F"]
    assert (pair.limits.ours_ppm, pair.limits.theirs_ppm) == (5000, 5000)


def test_two_feeders_add_up_to_the_load(store: Store) -> None:
    store.count("A", "g1", 0, 600)
    store.count("B", "g1", 0, 400)
    store.count("F", "g2", 0, 1005)
    assert store.found(3) == []


def test_a_feeder_that_counts_too_little_is_found(store: Store) -> None:
    store.count("A", "g1", 0, 600)
    store.count("B", "g1", 0, 300)
    store.count("F", "g2", 0, 1000)
    assert store.found(2) == []  # the grace has not passed
    assert store.found(3) == [("station S1", kind) for kind in KINDS]


def test_carbon_of_another_factor_is_found_until_it_is_adjusted(store: Store) -> None:
    store.count("A", "g1", 0, 600, carbon=300)
    store.count("B", "g1", 0, 400)
    store.count("F", "g2", 0, 1000)
    assert store.found(3) == [("station S1", "level_carbon")]
    store.adjust(0, 60)
    assert store.found(4) == []


def test_a_feeder_that_is_silent_makes_the_station_silent(store: Store) -> None:
    store.count("A", "g1", 0, 600)
    store.count("F", "g2", 0, 1000)
    assert store.found(3) == [("station S1", "level_missing")]


def test_carbon_of_an_inverted_feeder_goes_with_its_energy(store: Store) -> None:
    other = Store(store.engine, inverted())
    other.count("A", "g1", 0, 600, way="reverse")
    other.count("B", "g1", 0, 400)
    other.count("F", "g2", 0, 1000)
    assert other.found(3) == []


def test_what_a_second_journal_says_again_counts_once(store: Store) -> None:
    store.count("A", "g1", 0, 600)
    store.count("B", "g1", 0, 400)
    store.count("F", "g2", 0, 1000)
    store.journal = 2
    store.count("A", "g1", 0, 600)
    assert store.found(3) == []


def test_a_factor_that_was_just_corrected_is_no_difference_yet(store: Store) -> None:
    store.count("A", "g1", 0, 600)
    store.count("B", "g1", 0, 400)
    store.count("F", "g2", 0, 1000)
    row = {"node": "N", "start_ms": DAY_MS, "slot_ms": SLOT_MS, "factor": 700_000, "solve_id": b"t"}
    with database.writing(store.engine) as connection:
        connection.execute(insert(schema.factor).values(**row, issued_ms=DAY_MS + 3 * SLOT_MS))
    assert store.found(4) == []
    assert store.found(5) == [("station S1", "level_carbon")]  # gateways have had their time


def test_a_station_of_several_loads_is_compared_if_all_are_measured(store: Store) -> None:
    grid = Grid((Node("N"),), loads=(Load("L1", "N", "S1"), Load("L3", "N", "S1"), Load("L2", "N", "S2")))
    assert pairs(REGISTRY, grid) == []
    first, substation, last = REGISTRY.station
    more = (*substation.meter, meter("G", Role.FLOW, "g2", measures="load L3"))
    (pair,) = pairs(Registry(station=(first, substation.model_copy(update={"meter": more}), last)), grid)
    assert [item.id for item in pair.above] == ["F", "G"]
    assert pairs(REGISTRY, None) == []
