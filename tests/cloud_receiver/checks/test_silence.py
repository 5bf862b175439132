"""Honest stations whose gateways were silent, whose meters were exchanged or rolled over: over midnights, leap days."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from checks_support import KWH, shown
from receiver_support import FACTOR, SLOT_MS, FakeGateway, enrol, station_model
from silence_support import HOUR_MS, Life
from sqlalchemy import Engine, insert, select

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
from diantan_core import next_month_start_ms
from wire.records import IntervalRecord, Record

JULY_1_MS = 1_782_835_200_000  # 2026-07-01 00:00 +08:00
DAY_MS = 24 * HOUR_MS
CHARGERS = ("C01", "C02", "C03")


@pytest.fixture
def registry() -> Registry:
    """Have the grid side read by another gateway than the chargers."""
    station = station_model()
    meters = tuple(meter.model_copy(update={"gateway": "gw2"}) if meter.id == "G" else meter for meter in station.meter)
    return Registry(station=(station.model_copy(update={"meter": meters}),))


@dataclass
class Centre:
    """A centre to which two gateways deliver."""

    engine: Engine
    registry: Registry
    gateways: Sequence[FakeGateway]
    now_ms: int
    next: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = ManualClock(wall_ms=self.now_ms)
        self.committer = Committer(self.engine, Quarantine(60, 100), Counters())
        self.runner = Runner(self.engine, self.registry, self.clock, Checks())

    def dispatch(self, life: Life) -> None:
        rows = [
            {"node": "node1", "start_ms": start, "issued_ms": start, "slot_ms": SLOT_MS, "solve_id": b"x"}
            | {"factor": life.factors.get(start, FACTOR)}
            for start in range(life.first_ms, life.last_ms, SLOT_MS)
        ]
        with database.writing(self.engine) as connection:
            connection.execute(insert(schema.factor), rows)

    def take(self, records: Iterable[Record], gateway: int) -> None:
        sender, items = self.gateways[gateway], list(records)
        with database.reading(self.engine) as connection:
            known = enrolled(connection)
        for place in range(0, len(items), 500):
            part = items[place : place + 500]
            first = self.next.setdefault(sender.name, 1)
            self.committer.commit([verify(sender.topic, sender.envelope(first, part), known)], (), self.clock.now_ms())
            self.next[sender.name] += len(part)

    def check(self, *, closed: bool = False) -> list[Finding]:
        async def rounds() -> None:
            while await self.runner.round():
                pass

        asyncio.run(rounds())
        with database.reading(self.engine) as connection:
            return findings.listed(connection, closed=closed)


@pytest.fixture
def gateways(engine: Engine, gateway: FakeGateway) -> list[FakeGateway]:
    return [gateway, enrol(engine, "gw2")]


def judged(life: Life, engine: Engine, registry: Registry, gateways: Sequence[FakeGateway]) -> list[Finding]:
    """Return what is found when all has come and is over."""
    centre = Centre(engine, registry, gateways, life.last_ms)
    centre.dispatch(life)
    centre.take(life.all(life.chargers), 0)
    centre.take(life.all(["G"]), 1)
    return centre.check()


def silent(life: Life, names: Iterable[str], begin_h: float, end_h: float) -> None:
    span = (life.first_ms + round(begin_h * HOUR_MS), life.first_ms + round(end_h * HOUR_MS))
    for name in names:
        life.silent.setdefault(name, []).append(span)


def ramp(life: Life) -> None:
    """Let the factor rise and fall over the day."""
    for number, start in enumerate(range(life.first_ms, life.last_ms, SLOT_MS)):
        life.factors[start] = 300_000 + 10_000 * abs(number % 96 - 48)


def evening(life: Life, names: Iterable[str] = CHARGERS) -> None:
    """Let all that chargers have around the first midnight flow before it."""
    for name in names:
        kept = [each for each in life.charges[name] if each[1] <= life.first_ms + 20 * HOUR_MS]
        later = [each for each in life.charges[name] if each[0] >= life.first_ms + 29 * HOUR_MS]
        last = (life.first_ms + round(22.2 * HOUR_MS), life.first_ms + round(23.9 * HOUR_MS), 55.0)
        life.charges[name] = [*kept, last, *later]


POOR = "validation_prolonged_estimation"


@pytest.mark.parametrize("seed", range(2))
def test_a_gateway_without_power_over_midnight_while_the_grid_side_is_read(
    seed: int, engine: Engine, registry: Registry, gateways: Sequence[FakeGateway]
) -> None:
    life = Life(JULY_1_MS, seed=seed)
    ramp(life)
    evening(life)
    silent(life, CHARGERS, 22.05, 28.1)
    found = judged(life, engine, registry, gateways)
    assert shown(found) == [(POOR, name) for _ in range(2) for name in CHARGERS]


def test_a_charger_that_is_not_read_makes_no_other_suspect(
    engine: Engine, registry: Registry, gateways: Sequence[FakeGateway]
) -> None:
    life = Life(JULY_1_MS, days=1)
    # Half a day's energy flowed in two hours of it, and the others stood idle.
    span = (life.first_ms + 8 * HOUR_MS, life.first_ms + 18 * HOUR_MS)
    for name in CHARGERS:
        life.charges[name] = [each for each in life.charges[name] if each[1] <= span[0] or each[0] >= span[1]]
    life.charges["C01"].append((span[0] + HOUR_MS, span[0] + 3 * HOUR_MS, 55.0))
    silent(life, ["C01"], 7.9, 18.1)
    assert shown(judged(life, engine, registry, gateways)) == [(POOR, "C01")]


def test_a_meter_that_could_not_be_told_the_factor_has_not_deviated(
    engine: Engine, registry: Registry, gateways: Sequence[FakeGateway]
) -> None:
    life = Life(JULY_1_MS, days=1)
    ramp(life)
    silent(life, ["C01"], 11.9, 20.1)
    centre = Centre(engine, registry, gateways, life.last_ms)
    centre.dispatch(life)
    centre.take([*life.all(life.chargers), *life.own_freezes("C01")], 0)
    centre.take(life.all(["G"]), 1)
    assert shown(centre.check()) == [(POOR, "C01")]


@pytest.mark.parametrize("hours", [0.0, 2.0])
def test_a_meter_that_is_exchanged_at_midnight(
    hours: float, engine: Engine, registry: Registry, gateways: Sequence[FakeGateway]
) -> None:
    life = Life(JULY_1_MS, begin={"C02": 555 * KWH})
    life.charges["C02"] = [
        each for each in life.charges["C02"] if abs((each[0] + each[1]) / 2 - JULY_1_MS - DAY_MS) > 3 * HOUR_MS
    ]
    silent(life, ["C02"], 24 - hours, 24 + hours)
    life.exchanged["C02"] = JULY_1_MS + DAY_MS
    found = shown(judged(life, engine, registry, gateways))
    # The centre estimates what is missing.
    missing = [("missing_intervals", "C02"), (POOR, "C02")] if hours else []
    assert sorted(found) == sorted([("validation_meter_exchange", "C02"), *missing, *missing])


def test_registers_that_roll_over(engine: Engine, registry: Registry, gateways: Sequence[FakeGateway]) -> None:
    digits = {"C01": 1_000_000 * KWH, "G": 1_000_000 * KWH}
    begin = {"C01": 999_900 * KWH, "G": 999_500 * KWH}
    life = Life(JULY_1_MS, begin=begin, digits=digits)
    silent(life, ["C01"], 5, 6)
    assert life.register("C01", life.end_ms) < life.begin["C01"]
    assert life.register("G", life.end_ms) < life.begin["G"]
    assert judged(life, engine, registry, gateways) == []


def test_a_february_of_29_days(engine: Engine, registry: Registry, gateways: Sequence[FakeGateway]) -> None:
    life = Life(int(datetime.fromisoformat("2028-02-28T00:00:00+08:00").timestamp()) * 1000, days=2)
    found = judged(life, engine, registry, gateways)
    assert found == []
    with database.reading(engine) as connection:
        days = set(connection.execute(select(schema.day_check.c.day_ms)).scalars())
    assert {life.first_ms, life.first_ms + DAY_MS} <= days
    assert next_month_start_ms(life.first_ms, life.timezone) == life.end_ms


def test_three_days_that_come_late_leave_nothing_open(
    engine: Engine, registry: Registry, gateways: Sequence[FakeGateway]
) -> None:
    life = Life(JULY_1_MS, days=4)
    centre = Centre(engine, registry, gateways, life.last_ms)
    centre.dispatch(life)
    records = life.all(life.chargers)
    cut = life.first_ms + 20 * HOUR_MS
    centre.take([item for item in records if ended(item) <= cut], 0)
    centre.take(life.all(["G"]), 1)
    assert {item.kind for item in centre.check()} == {"missing_intervals"}
    centre.take([item for item in records if ended(item) > cut], 0)
    assert centre.check() == []
    assert {(item.kind, item.state) for item in centre.check(closed=True)} == {("missing_intervals", "closed")}


def ended(item: Record) -> int:
    return item.start_ms + item.duration_ms if isinstance(item, IntervalRecord) else DAY_MS * 10**6


JULY_30_MS = JULY_1_MS + 29 * DAY_MS


def test_a_month_goes_on_over_a_silence_at_midnight(
    engine: Engine, registry: Registry, gateways: Sequence[FakeGateway]
) -> None:
    life = Life(JULY_30_MS)
    evening(life)
    silent(life, CHARGERS, 22.05, 28.1)
    assert shown(judged(life, engine, registry, gateways)) == [(POOR, name) for _ in range(2) for name in CHARGERS]


def test_a_month_that_ends_in_a_silence_is_balanced_without_it(
    engine: Engine, registry: Registry, gateways: Sequence[FakeGateway]
) -> None:
    life = Life(JULY_30_MS + DAY_MS)
    evening(life)
    silent(life, CHARGERS, 22.05, 28.1)
    assert shown(judged(life, engine, registry, gateways)) == [(POOR, name) for _ in range(2) for name in CHARGERS]


def test_what_meters_did_not_count_in_a_silence_is_found_by_the_month(
    engine: Engine, registry: Registry, gateways: Sequence[FakeGateway]
) -> None:
    life = Life(JULY_30_MS)
    evening(life)
    silent(life, CHARGERS, 22.05, 28.1)
    for name in CHARGERS:
        life.unseen[name] = [(life.first_ms + round(22.1 * HOUR_MS), life.first_ms + 24 * HOUR_MS)]
    found = judged(life, engine, registry, gateways)
    assert [item.kind for item in found if item.kind != POOR] == ["balance_month"]
    assert found[0].evidence["bridged_slots"] == 25


def test_what_a_meter_did_not_count_in_a_silence_is_found_by_the_day(
    engine: Engine, registry: Registry, gateways: Sequence[FakeGateway]
) -> None:
    life = Life(JULY_1_MS, days=1)
    silent(life, ["C01"], 7.9, 18.1)
    life.unseen["C01"] = [(life.first_ms + 8 * HOUR_MS, life.first_ms + 18 * HOUR_MS)]
    assert ("balance_day", None) in shown(judged(life, engine, registry, gateways))
