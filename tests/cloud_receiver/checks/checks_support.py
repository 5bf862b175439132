"""A station's day and a store with its checks, for the tests of the checks."""

import asyncio
import random
from collections.abc import Iterable, Sequence
from typing import Any

from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway
from sqlalchemy import Engine, insert

from clock import ManualClock
from cloud_receiver import database, findings, schema
from cloud_receiver.checks.runner import Runner
from cloud_receiver.commit import Committer
from cloud_receiver.config import Checks
from cloud_receiver.counters import Counters
from cloud_receiver.enrolment import enrolled
from cloud_receiver.findings import Finding
from cloud_receiver.quarantine import Quarantine
from cloud_receiver.registry import Registry
from cloud_receiver.verify import verify
from wire.records import FactorQuality, IntervalRecord, Quality, Record

SLOTS = 96
DAY_END_MS = DAY_MS + SLOTS * SLOT_MS
GRACE_MS = 30 * 60_000
KWH = 1_000_000
CHARGERS = ("C01", "C02", "C03")


def day(gains: dict[str, int] | None = None, seed: int = 1) -> list[IntervalRecord]:
    """Return a station's day: chargers that come and go, a grid-side meter that sees their true sum.

    `gains` is in thousandths; every meter cuts its register to 0.01 kWh.
    """
    draw = random.Random(seed)
    truth: dict[str, list[int]] = {name: [] for name in CHARGERS}
    for name in CHARGERS:
        while len(truth[name]) < SLOTS:
            truth[name] += [0] * draw.randrange(1, 9) + [draw.randrange(8, 15) * KWH] * draw.randrange(1, 6)
        truth[name] = truth[name][:SLOTS]
    grid = [sum(values) for values in zip(*truth.values(), strict=True)]
    records = []
    for name, energies in [*truth.items(), ("G", grid)]:
        records += registers(name, energies, (gains or {}).get(name, 0))
    return sorted(records, key=lambda record: record.start_ms)


def registers(name: str, energies: list[int], gain: int) -> Iterable[IntervalRecord]:
    true_total = total = carbon = 0
    for number, energy in enumerate(energies):
        true_total += energy * (1000 + gain) // 1000
        now = true_total // 10_000 * 10_000
        carbon_now = now * FACTOR // 1000
        yield IntervalRecord(
            *(name, DAY_MS + number * SLOT_MS, SLOT_MS, now - total, 0, now, 0, FACTOR, FactorQuality.DISPATCHED),
            *(carbon_now - carbon, 0, carbon_now, 0, 15, Quality.MEASURED),
        )
        total, carbon = now, carbon_now


class Centre:
    """A store with its checks, and the gateway's next sequence."""

    def __init__(self, engine: Engine, gateway: FakeGateway, registry: Registry) -> None:
        self.engine = engine
        self.gateway = gateway
        self.registry = registry
        self.clock = ManualClock(wall_ms=DAY_END_MS + GRACE_MS)
        self.settings = Checks()
        self.restart()
        self.committer = Committer(engine, Quarantine(60, 100), Counters())
        self.next = 1

    def restart(self) -> None:
        self.runner = Runner(self.engine, self.registry, self.clock, self.settings)

    def store(self, records: Sequence[Record]) -> None:
        for place in range(0, len(records), 64):
            part = list(records[place : place + 64])
            with database.reading(self.engine) as connection:
                known = enrolled(connection)
            item = verify(self.gateway.topic, self.gateway.envelope(self.next, part), known)
            self.committer.commit([item], (), self.clock.now_ms())
            self.next += len(part)

    def dispatch(self, factors: dict[int, int | None], issued_ms: int = DAY_MS) -> None:
        with database.writing(self.engine) as connection:
            rows = [
                {
                    "node": "node1",
                    "start_ms": DAY_MS + number * SLOT_MS,
                    "issued_ms": issued_ms,
                    "slot_ms": SLOT_MS,
                    "factor": factor,
                    "solve_id": b"x",
                }
                for number, factor in factors.items()
            ]
            connection.execute(insert(schema.factor), rows)

    def notice(self) -> None:
        """Have the whole day checked again."""
        with database.writing(self.engine) as connection:
            row = {"station": 1, "first_ms": DAY_MS, "last_ms": DAY_END_MS - SLOT_MS}
            connection.execute(insert(schema.dirty), [row])

    def check(self, *, closed: bool = False) -> list[Finding]:
        async def rounds() -> None:
            while await self.runner.round():
                pass

        asyncio.run(rounds())
        with database.reading(self.engine) as connection:
            return findings.listed(connection, closed=closed)


def shown(items: list[Finding]) -> list[tuple[str, str | None]]:
    return [(item.kind, item.meter) for item in items]


def slots_of(item: Finding) -> list[str]:
    slots = item.evidence["slots"]
    assert isinstance(slots, list)
    return slots


def first(item: Finding) -> dict[str, Any]:
    details = item.evidence["details"]
    assert isinstance(details, list)
    return dict(details[0])
