"""A centre with a store, to which a bench's readings are sent as a gateway sends them."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from receiver_support import FakeGateway
from sqlalchemy import Engine, select
from validation_support import DAY_MS, SLOT_MS, SLOTS, Bench, context, energies, rows

from clock import ManualClock, SystemClock
from cloud_receiver import database, findings, schema
from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.checks.runner import Runner
from cloud_receiver.commit import Committer
from cloud_receiver.config import Checks
from cloud_receiver.counters import Counters
from cloud_receiver.enrolment import enrolled
from cloud_receiver.findings import Finding
from cloud_receiver.quarantine import Quarantine
from cloud_receiver.registry import Registry
from cloud_receiver.validation import estimates
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.estimates import Estimate
from cloud_receiver.verify import verify
from wire.records import FactorQuality, IntervalRecord, Quality, Record

DAY_END_MS = DAY_MS + SLOTS * SLOT_MS
WEEK = 7
NAMES = {1: "C01", 2: "C02", 3: "C03", 4: "G"}


def station_registry() -> Registry:
    """Return the registry of the bench's station."""
    return Registry(station=(context().station,))


def record(row: IntervalRow) -> IntervalRecord:
    """Return an interval as a gateway sends it, without a carbon factor."""
    return IntervalRecord(
        *(NAMES[row.meter], row.start_ms, row.duration_ms, row.forward_mwh, row.reverse_mwh),
        *(row.forward_total_mwh, row.reverse_total_mwh, None, FactorQuality.UNDEFINED, 0, 0, 0, 0, row.readings),
        Quality(row.quality),
    )


def records(found: Iterable[IntervalRow]) -> list[Record]:
    """Return intervals in order of time as records."""
    return [record(row) for row in sorted(found)]


def day_of(bench: Bench, days: int, seed: int) -> list[IntervalRow]:
    """Return a healthy day some days after that of the bench, its registers from 0 on."""
    begin = DAY_MS + days * SLOTS * SLOT_MS
    return [
        row for meter, values in energies(seed, bench.station).items() for row in rows(meter, values, start_ms=begin)
    ]


class Centre:
    """The store, its runner, and the gateway's journal."""

    def __init__(
        self, engine: Engine, gateway: FakeGateway, registry: Registry, validation: Validation | None = None
    ) -> None:
        self.engine = engine
        self.gateway = gateway
        self.clock = ManualClock(wall_ms=DAY_END_MS + 30 * 60_000)
        self.registry = registry
        self.runner = Runner(engine, registry, self.clock, Checks(), validation=validation)
        self.committer = Committer(engine, Quarantine(60, 100), Counters())
        self.next = 1

    def store(self, items: list[Record]) -> None:
        """Take records in."""
        for place in range(0, len(items), 64):
            part = items[place : place + 64]
            with database.reading(self.engine) as connection:
                known = enrolled(connection)
            item = verify(self.gateway.topic, self.gateway.envelope(self.next, part), known)
            self.committer.commit([item], (), self.clock.now_ms())
            self.next += len(part)

    def check(self, *, closed: bool = False) -> list[Finding]:
        """Run the checks until nothing waits; return the findings."""

        async def rounds() -> None:
            while await self.runner.round():
                pass

        asyncio.run(rounds())
        with database.reading(self.engine) as connection:
            return findings.listed(connection, closed=closed)

    def estimates(self, first_ms: int = DAY_MS, end_ms: int = DAY_END_MS) -> list[Estimate]:
        """Return every estimate of the day."""
        with database.reading(self.engine) as connection:
            return estimates.stored(connection, 1, first_ms, end_ms)

    def intervals(self) -> list[tuple[object, ...]]:
        """Return every stored interval, whole."""
        with database.reading(self.engine) as connection:
            return [tuple(row) for row in connection.execute(select(schema.interval))]


REGISTRY = """
[[station]]
id = "S1"
node = "node1"
loss = { trunk_ohm = "0.004", branch_ohm = "0.03" }
auxiliary = { load_w = 400 }
meter = [
  { id = "C01", role = "charger", gateway = "gw1", rated_kw = 60 },
  { id = "C02", role = "charger", gateway = "gw1", rated_kw = 60 },
  { id = "C03", role = "charger", gateway = "gw1", rated_kw = 60 },
  { id = "G", role = "grid", gateway = "gw1", rated_kw = 400, accuracy_class = "0.5" },
]
"""


def configuration(directory: Path) -> list[str]:
    """Write the files of a centre on the store of the tests; return the options that name it and the time."""
    (directory / "registry.toml").write_text(REGISTRY)
    path = directory / "receiver.toml"
    path.write_text('[centre]\nkey_file = "centre.key"\ndatabase = "sqlite:///store.sqlite"\n')
    return ["--config", str(path), "--clock", f"simulated:{DAY_END_MS + 30 * 60_000}:1:{SystemClock().monotonic_ms()}"]
