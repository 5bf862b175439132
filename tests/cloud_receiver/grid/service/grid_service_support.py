"""A grid of three nodes with measurements, and a grid service with a link that checks every signature."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from key_support import key_of, new_key
from sqlalchemy import insert, select

from clock import ManualClock
from cloud_receiver import database, enrolment, meters
from cloud_receiver.grid import shelf, telemetry
from cloud_receiver.grid.config import Grid as GridSettings
from cloud_receiver.grid.findings import GridFinding, listed
from cloud_receiver.grid.kept import KeptSlot
from cloud_receiver.grid.model import Branch, Generator, Grid, Load, Node, NodeKind, Storage
from cloud_receiver.grid.service import plan
from cloud_receiver.grid.service.figures import Hooks
from cloud_receiver.grid.service.plan import Plan
from cloud_receiver.grid.service.runner import GridService
from cloud_receiver.grid.snapshot import Charge, Demand, EndPowers, Generation, Snapshot
from cloud_receiver.registry import Registry
from cloud_receiver.schema import dirty, interval, journal, meter
from wire import topics
from wire.envelope import KeyRing, Signer, open_envelope
from wire.grid_feed import GridSlot
from wire.link import LinkError
from wire.messages import Factors, Origin
from wire.records import FactorQuality

SLOT_MS = 900_000
DAY_MS = 1_782_835_200_000  # 2026-07-01T00:00:00+08:00
MWH = 250_000_000  # mWh of a slot for a mean power of 1 MW
OFFICIAL = 530_600

# A plant of 100 MW at 0.8 kg/kWh sends 98 MW to a substation; the town there takes 60, and 38 go on to a park of
# 50 MW with 13 MW of its own sun.
GRID = Grid(
    (Node("P1", NodeKind.PLANT), Node("S1", aliases=("S1b",)), Node("U1", NodeKind.LOAD)),
    (Branch("L1", "P1", "S1"), Branch("L2", "S1", "U1")),
    (Generator("G1", "P1"), Generator("PV", "U1")),
    (Load("town", "S1"), Load("park", "U1", "ST1")),
)
SNAPSHOT = Snapshot(
    flows={"L1": EndPowers(100.0, -98.0), "L2": EndPowers(38.0, -37.0)},
    generators={"G1": Generation(100.0, 0.8), "PV": Generation(13.0, 0.0)},
    loads={"town": Demand(60.0), "park": Demand(50.0)},
)
SOLVED = {"P1": 800_000, "S1": 800_000, "U1": 592_000}
"""What is dispatched of it, in mg/kWh: 37 × 0.8 / 50 at the park."""

STORING = replace(GRID, storages=(Storage("B", "S1"),))


def storing(charge: float, discharge: float) -> Snapshot:
    """Return the measurements with a storage at the substation, which the plant follows."""
    net = charge - discharge
    return replace(
        SNAPSHOT,
        flows={**SNAPSHOT.flows, "L1": EndPowers(100.0 + net, -98.0 - net)},
        generators={**SNAPSHOT.generators, "G1": Generation(100.0 + net, 0.8)},
        storages={"B": Charge(charge, discharge)},
    )


def without(snapshot: Snapshot, *ids: str) -> Snapshot:
    """Return measurements without those of some elements."""

    def kept(items: Mapping[str, Any]) -> dict[str, Any]:
        return {name: item for name, item in items.items() if name not in ids}

    return replace(
        snapshot,
        flows=kept(snapshot.flows),
        generators=kept(snapshot.generators),
        loads=kept(snapshot.loads),
        storages=kept(snapshot.storages),
    )


def station(*meters: Mapping[str, Any], name: str = "ST1", node: str = "U1") -> dict[str, Any]:
    """Return a station of the registry with meters of the gateway gw-NAME."""
    defaults = {"gateway": f"gw-{name}", "rated_kw": 100_000}
    return {"id": name, "node": node, "meter": [{**defaults, **item} for item in meters]}


def registry(*stations: Mapping[str, Any]) -> Registry:
    """Return a registry."""
    return Registry.model_validate({"station": tuple(stations)})


class FakeLink:
    """Takes what is published and checks its signature, or fails as a broken link does."""

    def __init__(self) -> None:
        self.factors: list[Factors] = []
        self.feed: list[GridSlot] = []
        self.published: list[bytes] = []
        self.broken = False

    async def wait_connected(self) -> None:
        pass

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.broken:
            future.set_exception(LinkError("not connected"))
            return future
        ring = KeyRing()
        ring.add(key_of("centre").public_key(), "centre")
        content = open_envelope(payload, topic, ring).payload
        assert qos == 1
        if topic == topics.GRID_FEED:
            assert not retain
            self.feed.append(GridSlot.decode(content))
        else:
            message = Factors.decode(content)
            assert (topic, retain) == (topics.factor(message.node), True)
            self.factors.append(message)
            self.published.append(payload)
        future.set_result(None)
        return future


class Bench:
    """A store, a clock, a link, and the service between them."""

    def __init__(self, directory: Path, grid: Grid = GRID, known: Registry | None = None, **settings: Any) -> None:
        self.engine = database.open_store("sqlite:///store.sqlite", directory)
        database.upgrade(self.engine)
        self.clock = ManualClock(wall_ms=DAY_MS)
        self.link = FakeLink()
        self.settings = GridSettings(**{"hold_slots": 2, "correct_pause_s": 0, **settings})
        self.registry = known or registry()
        self.stations: dict[str, list[int]] = {}
        with database.writing(self.engine) as connection:
            meters.enter_registry(connection, self.registry)
            self.grid_number = shelf.enter_grid(connection, grid, DAY_MS, "three", DAY_MS)
        self.service = self.again()

    def again(self, **settings: Any) -> GridService:
        """Return another service on the same store, as after a restart."""
        self.service = GridService(
            *(self.engine, self.registry, Signer(key_of("centre")), self.link, self.clock),
            settings=self.settings.model_copy(update=settings),
            centre="centre",
            hooks=Hooks(stations=self.stations, grace_ms=1_800_000),
        )
        return self.service

    def tell(self, slots: Mapping[int, Snapshot], feed: str = "scada") -> None:
        """Enter telemetry by number of slot."""
        told = [(DAY_MS + number * SLOT_MS, snapshot) for number, snapshot in slots.items()]
        with database.writing(self.engine) as connection:
            telemetry.enter(connection, feed, told, self.clock.now_ms())

    def run_to(self, number: int, seconds: int = 100) -> None:
        """Let it be so many seconds after the start of a slot, and the service do what is to be done."""
        asyncio.run(self._run(DAY_MS + number * SLOT_MS + seconds * 1000))

    def run(self) -> None:
        """Let the service do what is to be done now."""
        asyncio.run(self._run(self.clock.now_ms()))

    async def _run(self, until_ms: int) -> None:
        await self.clock.advance(until_ms - self.clock.now_ms())
        publishing = asyncio.create_task(self.service.outlet.run())
        while await self.service.round():
            pass
        for _ in range(50):
            await asyncio.sleep(0)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)

    def slots(self, *, all_versions: bool = False) -> list[KeptSlot]:
        with database.reading(self.engine) as connection:
            return list(shelf.slots(connection, 0, 2**53, all_versions=all_versions))

    def slot(self, number: int) -> KeptSlot:
        return next(slot for slot in self.slots() if slot.start_ms == DAY_MS + number * SLOT_MS)

    def dispatched(self, number: int) -> dict[str, int | None]:
        """Return what the newest version of a slot dispatches, by node."""
        nodes = self.slot(number).nodes
        return dict(zip(("P1", "S1", "U1"), nodes.dispatched, strict=True))

    def origins(self, number: int) -> tuple[Origin, ...]:
        return self.slot(number).nodes.origins

    def newest(self, node: str) -> Factors:
        return [message for message in self.link.factors if message.node == node][-1]

    def findings(self) -> dict[tuple[str, str], GridFinding]:
        with database.reading(self.engine) as connection:
            return {(item.kind, item.subject): item for item in listed(connection)}

    def dirty(self) -> list[tuple[int, int, int]]:
        with database.reading(self.engine) as connection:
            return [(row.station, row.first_ms, row.last_ms) for row in connection.execute(select(dirty))]

    def meter(self, name: str) -> tuple[int, int]:
        """Return the numbers of a meter and its station."""
        with database.reading(self.engine) as connection:
            row = connection.execute(select(meter).where(meter.c.name == name)).one()
            return row.id, row.station

    def record(self, name: str, number: int, forward: float, reverse: float = 0.0, **values: Any) -> None:
        """Enter a meter's interval by mean powers in MW, as the intake does, with a notice."""
        meter_number, station_number = self.meter(name)
        start = DAY_MS + number * SLOT_MS + values.pop("offset_ms", 0)
        row = {
            "station": station_number,
            "start_ms": start,
            "meter": meter_number,
            "journal": 1,
            "duration_ms": SLOT_MS,
            "forward_mwh": round(forward * MWH),
            "reverse_mwh": round(reverse * MWH),
            "factor": None,
            "factor_quality": FactorQuality.UNDEFINED,
            "quality": 0,
        }
        zeros = ("forward_total_mwh", "reverse_total_mwh", "carbon_forward_ug", "carbon_reverse_ug")
        row |= dict.fromkeys((*zeros, "carbon_forward_total_ug", "carbon_reverse_total_ug", "readings"), 0)
        with database.writing(self.engine) as connection:
            taken = connection.exec_driver_sql("SELECT COUNT(*) FROM interval").scalar_one()
            connection.execute(insert(interval).values(**row | {"sequence": taken + 1} | values))
            shelf.notify(connection, start, start)

    def plan(self) -> Plan:
        with database.reading(self.engine) as connection:
            return Plan(shelf.grids(connection)[self.grid_number], self.registry, plan.numbers(connection))


def enrol(bench: Bench, station_name: str) -> None:
    """Enrol the gateway of a station and open a journal for it."""
    with database.writing(bench.engine) as connection:
        enrolment.add(connection, f"gw-{station_name}", new_key().public_key(), station_name, 0)
        connection.execute(insert(journal).values(gateway=1, context=b"journal1", opened_ms=0))
