"""A store with its intake and its checks, for tests of orders on their whole way."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from receiver_support import FakeGateway
from sales_support import DAY_MS, HOUR_MS, KWH, SLOT_MS
from sqlalchemy import Engine

from clock import ManualClock
from cloud_receiver import database, findings
from cloud_receiver.checks.runner import Runner
from cloud_receiver.commit import Committer
from cloud_receiver.config import Checks
from cloud_receiver.counters import Counters
from cloud_receiver.enrolment import enrolled
from cloud_receiver.findings import Finding
from cloud_receiver.quarantine import Quarantine
from cloud_receiver.registry import Registry
from cloud_receiver.sales import store
from cloud_receiver.sales.order import CSV, Order
from cloud_receiver.sales.store import Told
from cloud_receiver.validation.config import Validation
from cloud_receiver.verify import verify
from wire.charge_order import ChargeOrder
from wire.records import EventCode, EventRecord, FactorQuality, IntervalRecord, Quality, Record

NAMES = {1: "C01", 2: "C02", 3: "C03", 4: "G"}
ABOUT_ORDERS = ("order_", "sold_", "unsold_")
CHARGE = {40: 5.0, 41: 5.0, 42: 5.0, 43: 5.0}


def told(item: Order, meter: str | None = "C01", **more: int | str) -> EventRecord:
    """Return an order as its gateway tells it."""
    wire = ChargeOrder(item.number, item.start_ms, item.end_ms, item.energy_mwh, item.amount)
    return EventRecord(meter, item.end_ms, EventCode.CHARGE_ORDER, wire.to_details() | {20: item.start_ms, **more})


def intervals(energies: Mapping[int, float], *, meters: Iterable[int] = NAMES, days: int = 1) -> list[Record]:
    """Return the records of days: charger C01 and the grid side have these kWh, the others none."""
    found: list[Record] = []
    for meter in meters:
        total = 0
        for slot in range(96 * days):
            energy = round(energies.get(slot, 0) * KWH) if meter in (1, 4) else 0
            total += energy
            times = NAMES[meter], DAY_MS + slot * SLOT_MS, SLOT_MS
            rest = FactorQuality.UNDEFINED, 0, 0, 0, 0, 15, Quality.MEASURED
            found.append(IntervalRecord(*times, energy, 0, total, 0, None, *rest))
    return found


class Centre:
    """A store with its intake and its checks."""

    def __init__(
        self, engine: Engine, gateway: FakeGateway, registry: Registry, now_ms: int = DAY_MS + 49 * HOUR_MS
    ) -> None:
        self.engine = engine
        self.gateway = gateway
        self.registry = registry
        self.clock = ManualClock(wall_ms=now_ms)
        off = Validation(enabled=False)
        self.runner = Runner(engine, registry, self.clock, Checks(), validation=off)
        self._committer = Committer(engine, Quarantine(60, 100), Counters())
        self._next = 1

    def begin_journal(self, context: bytes) -> None:
        """Let the gateway begin a new journal."""
        self.gateway = replace(self.gateway, context=context)
        self._next = 1

    def take(self, *records: Record) -> None:
        """Take in what the gateway sends."""
        for place in range(0, len(records), 64):
            part = list(records[place : place + 64])
            with database.reading(self.engine) as connection:
                known = enrolled(connection)
            item = verify(self.gateway.topic, self.gateway.envelope(self._next, part), known)
            self._committer.commit([item], (), self.clock.now_ms())
            self._next += len(part)

    def enter(self, *orders: Order, meter: int = 1) -> None:
        """Take in orders of a file."""
        with database.writing(self.engine) as connection:
            items = [Told(meter, item) for item in orders]
            store.enter(connection, 1, items, source=CSV, made_by="Li", now_ms=self.clock.now_ms())

    def again(self) -> None:
        """Check anew the days that wait for it."""

        async def portions() -> None:
            while await self.runner.again():
                pass

        asyncio.run(portions())

    def check(self) -> dict[tuple[str, str | None], Finding]:
        """Run the checks until nothing waits; return what is open about orders."""

        async def rounds() -> None:
            while await self.runner.round():
                pass

        asyncio.run(rounds())
        with database.reading(self.engine) as connection:
            found = findings.listed(connection)
        return {(item.kind, item.meter): item for item in found if item.kind.startswith(ABOUT_ORDERS)}
