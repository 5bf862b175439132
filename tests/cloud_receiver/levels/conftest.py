"""Two centres with a boundary between them, on a link that may lose what is said."""

import asyncio
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

# Tests are no packages (importmode=importlib): what they share is found by its directory.
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from receiver_support import DAY_MS, SLOT_MS  # needs the path above
from sqlalchemy import Engine, insert, select

from clock import ManualClock
from cloud_receiver import database, meters, schema
from cloud_receiver.grid import shelf
from cloud_receiver.grid.model import Generator, Grid, Node
from cloud_receiver.levels.config import Child, Parent
from cloud_receiver.levels.partner import Partner, partners
from cloud_receiver.levels.talk import Talk
from cloud_receiver.quarantine import Quarantine
from cloud_receiver.registry import Meter, Registry, Role, Station
from wire.envelope import Signer
from wire.keys import PrivateKey, generate, save_public
from wire.link import Received
from wire.messages import Origin

NODE = "N7"
BOUNDARY = "b"


@dataclass
class Wire:
    """A broker between two centres: it keeps what is retained, and loses a share of everything."""

    lost: float = 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    talks: list[Talk] = field(default_factory=list)
    retained: dict[str, bytes] = field(default_factory=dict)
    sent: int = 0
    acknowledged: int = 0
    connected: bool = True

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
        assert qos == 1
        self.sent += 1
        if retain:
            self.retained[topic] = payload
        if self.chance.random() >= self.lost:
            self.deliver(topic, payload)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    def deliver(self, topic: str, payload: bytes) -> None:
        """Give a message to whoever listens on its topic."""
        for talk in self.talks:
            if talk.takes(topic):
                talk.receive(Received(topic, payload, retained=False, ack=self._ack))

    def _ack(self) -> None:
        self.acknowledged += 1


@dataclass
class Centre:
    """A centre's store and its side of the talk."""

    name: str
    engine: Engine
    partner: Partner
    talk: Talk
    factor_node: str
    meter: int
    station: int
    key: PrivateKey

    def measured(self, slot: int, forward: int, reverse: int = 0) -> None:
        """Enter what the boundary's meter counted in a slot of the day, in kWh."""
        start = DAY_MS + slot * SLOT_MS
        nothing = dict.fromkeys(
            ("forward_total_mwh", "reverse_total_mwh", "factor_quality", "carbon_forward_ug", "carbon_reverse_ug"), 0
        ) | dict.fromkeys(("carbon_forward_total_ug", "carbon_reverse_total_ug", "readings", "quality"), 0)
        energies = {"forward_mwh": forward * 1_000_000, "reverse_mwh": reverse * 1_000_000}
        key = {"station": self.station, "start_ms": start, "meter": self.meter, "journal": 1, "sequence": slot + 1}
        with database.writing(self.engine) as connection:
            connection.execute(insert(schema.interval).values(**key, duration_ms=SLOT_MS, **energies, **nothing))

    def solved(self, slot: int, factor: int, *, issued: int = 1, origin: Origin = Origin.SOLVED) -> None:
        """Enter the factor of the node that this centre gives energy from."""
        start = DAY_MS + slot * SLOT_MS
        row = {"node": self.factor_node, "start_ms": start, "issued_ms": start + issued, "slot_ms": SLOT_MS}
        with database.writing(self.engine) as connection:
            connection.execute(insert(schema.factor).values(**row, factor=factor, solve_id=b"s", origin=origin))


@dataclass
class Boundary:
    """Both centres and what lies between them."""

    clock: ManualClock
    wire: Wire
    parent: Centre
    child: Centre

    def to(self, slot: int, minutes: int = 1) -> None:
        """Set the clock to some minutes after the start of a slot of the day."""
        self.clock.wall_ms = DAY_MS + slot * SLOT_MS + minutes * 60_000

    async def rounds(self, number: int = 4) -> None:
        """Let both talk in turn."""
        for _ in range(number):
            for centre in (self.parent, self.child):
                await centre.talk.round()


def _registry(role: Role, measures: str) -> Registry:
    meter = Meter(
        id="tie",
        role=role,
        gateway="gw1",
        rated_kw=Decimal(100_000),
        accuracy_class=Decimal("0.2"),
        resolution_kwh=Decimal("0.01"),
        measures=measures,
    )
    return Registry(station=(Station(id="S1", node=NODE, meter=(meter,)),))


@pytest.fixture
def boundary(tmp_path: Path) -> Iterator[Boundary]:
    """Return a province and a city at its node N7."""
    clock, wire = ManualClock(DAY_MS), Wire()
    keys = {name: generate() for name in ("province", "city")}
    files = {name: tmp_path / f"{name}.pub" for name in keys}
    for name, key in keys.items():
        save_public(key.public_key(), files[name])
    child = Child(centre="city", node=NODE, load="city", key_file=files["city"])
    parent = Parent(centre="province", node=NODE, source="province", key_file=files["province"])
    centres: list[Centre] = []
    build: list[tuple[str, Role, str, Callable[[Registry], list[Partner]], str]] = [
        ("province", Role.FLOW, "load city", lambda registry: partners(None, [child], registry, "province"), NODE),
        ("city", Role.GENERATION, "generator province", lambda it: partners(parent, [], it, "city"), BOUNDARY),
    ]
    for name, role, measures, of, node in build:
        registry = _registry(role, measures)
        engine = database.open_store(f"sqlite:///{name}.sqlite", tmp_path)
        database.upgrade(engine)
        with database.writing(engine) as connection:
            meters.enter_registry(connection, registry)
            grid = Grid((Node(BOUNDARY),), generators=(Generator("province", BOUNDARY),))
            shelf.enter_grid(connection, grid, 0, name, 0)
            row = connection.execute(select(schema.meter)).one()
        (partner,) = of(registry)
        talk = Talk(
            *(engine, Signer(keys[name]), clock, name, {partner.centre: (partner, wire)}),
            timezone="Asia/Shanghai",
            quarantine=Quarantine(60, 1000),
        )
        wire.talks.append(talk)
        centres.append(Centre(name, engine, partner, talk, node, row.id, row.station, keys[name]))
    yield Boundary(clock, wire, *centres)
    for centre in centres:
        centre.engine.dispose()
