"""A corrected factor: no false alarm while gateways settle it, and a finding where they never do."""

import asyncio
from pathlib import Path

import pytest
from intake_support import Bench, Message
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, interval
from sqlalchemy import Engine

from clock import ManualClock
from cloud_receiver import database, findings
from cloud_receiver.checks.load import stations_by_node
from cloud_receiver.checks.runner import Runner
from cloud_receiver.config import Checks, Dispatch
from cloud_receiver.dispatch import Dispatcher
from cloud_receiver.registry import Registry
from wire.records import AdjustmentRecord

GRACE_MS = 30 * 60_000
NEW = 600_000


class Centre:
    """A centre that dispatches 0.5703, gets four meters' slot with it and corrects it an hour later."""

    def __init__(self, engine: Engine, gateway: FakeGateway, registry: Registry, directory: Path) -> None:
        self.bench = Bench(engine)
        self.gateway = gateway
        self.clock: ManualClock = self.bench.clock
        self.runner = Runner(engine, registry, self.clock, Checks())
        self.path = directory / "factors.csv"
        self.write("0.570300")
        with database.reading(engine) as connection:
            stations = stations_by_node(connection, registry)
        self.dispatcher = Dispatcher(
            *(engine, self.bench.signer, self.bench.link, self.clock),  # type: ignore[arg-type]  # nothing is published
            Dispatch(schedule=self.path),
            stations=stations,
            grace_ms=GRACE_MS,
        )
        self.dispatcher.messages(self.clock.now_ms())
        records = [
            interval(0, name, energy=3_000_000 if name == "G" else 1_000_000) for name in ("C01", "C02", "C03", "G")
        ]
        self.bench.take(Message(gateway.topic, gateway.envelope(1, list(records))))
        self.clock.wall_ms += 4 * SLOT_MS

    def write(self, factor: str) -> None:
        lines = [f"node1,2026-07-01T00:{minute:02}:00+08:00,{factor}" for minute in (0, 15)]
        self.path.write_text("\n".join(["node,start,factor", *lines]) + "\n")

    def correct(self) -> None:
        self.write("0.600000")
        self.dispatcher._reload()
        self.dispatcher.messages(self.clock.now_ms())

    def adjust(self, first: int, *names: str) -> None:
        changes = []
        for name in names:
            energy = 3_000_000 if name == "G" else 1_000_000
            change = energy * (NEW - FACTOR) // 1000
            changes.append(AdjustmentRecord(name, DAY_MS, SLOT_MS, energy, 0, FACTOR, NEW, change, 0, b"s"))
        self.bench.take(Message(self.gateway.topic, self.gateway.envelope(first, list(changes))))

    def check(self) -> list[tuple[str, str | None]]:
        asyncio.run(self.runner.round())
        with database.reading(self.bench.engine) as connection:
            found = findings.listed(connection)
        return [(item.kind, item.meter) for item in found if item.kind.startswith("factor")]


@pytest.fixture
def centre(engine: Engine, gateway: FakeGateway, registry: Registry, tmp_path: Path) -> Centre:
    return Centre(engine, gateway, registry, tmp_path)


def test_what_is_being_settled_is_no_finding(centre: Centre) -> None:
    assert centre.check() == []
    centre.correct()
    centre.adjust(5, "C01")
    assert centre.check() == []
    centre.adjust(6, "C02", "C03", "G")
    centre.clock.wall_ms += GRACE_MS
    assert centre.check() == []


def test_what_nobody_settles_is_a_finding_when_its_time_is_over(centre: Centre) -> None:
    assert centre.check() == []
    centre.correct()
    centre.clock.wall_ms += GRACE_MS - 1
    assert centre.check() == []
    centre.clock.wall_ms += 1
    assert centre.check() == [("factor_unsettled", name) for name in ("C01", "C02", "C03", "G")]
    centre.adjust(5, "C01", "C02", "C03", "G")
    assert centre.check() == []


def test_a_factor_that_never_was_dispatched_stays_an_alarm(centre: Centre) -> None:
    false = interval(1, "C01", factor=FACTOR + 7)
    centre.bench.take(Message(centre.gateway.topic, centre.gateway.envelope(5, [false])))
    centre.correct()
    assert centre.check() == [("factor_mismatch", "C01")]
