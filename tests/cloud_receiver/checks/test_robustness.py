"""What the checks make of edited registries, wrong clocks and their own faults."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, enrol, interval, station_model
from sqlalchemy import Engine, event, insert, select

from clock import ManualClock
from cloud_receiver import database, findings, meters, report, schema
from cloud_receiver.checks import deadlines, judging
from cloud_receiver.checks.evaluate import MOST_VIOLATIONS, SlotResult, evaluate
from cloud_receiver.checks.model import Slot
from cloud_receiver.checks.runner import Runner, merged
from cloud_receiver.commit import Committer
from cloud_receiver.config import Checks
from cloud_receiver.counters import Counters
from cloud_receiver.enrolment import enrolled
from cloud_receiver.findings import Finding
from cloud_receiver.quarantine import Quarantine
from cloud_receiver.registry import Meter, Registry, Role
from cloud_receiver.verify import verify
from wire.records import IntervalRecord

SLOTS = 96
GRACE_MS = 30 * 60_000
DAY_END_MS = DAY_MS + SLOTS * SLOT_MS
LAST_INSTANT_MS = 1 << 53
NAMES = ("C01", "C02", "C03", "G")


def at(number: int) -> datetime:
    """Return the start of a slot of the day."""
    return datetime.fromtimestamp((DAY_MS + number * SLOT_MS) / 1000, UTC)


def day(names: Iterable[str] = NAMES, slots: Iterable[int] = range(SLOTS)) -> list[IntervalRecord]:
    """Return a day on which every charger takes 1 kWh in a slot and the grid side sees three."""
    return [interval(slot, name, energy=3_000_000 if name == "G" else 1_000_000) for slot in slots for name in names]


class Centre:
    """A store, its checks and what the gateways send."""

    def __init__(self, engine: Engine, *gateways: FakeGateway) -> None:
        self.engine = engine
        self.clock = ManualClock(wall_ms=DAY_END_MS + GRACE_MS)
        self.committer = Committer(engine, Quarantine(60, 100), Counters())
        self.next = {gateway.name: 1 for gateway in gateways}

    def dispatch(self) -> None:
        with database.writing(self.engine) as connection:
            connection.execute(
                insert(schema.factor),
                [
                    {"node": "node1", "start_ms": DAY_MS + number * SLOT_MS, "issued_ms": 1, "slot_ms": SLOT_MS}
                    | {"factor": FACTOR, "solve_id": b"x"}
                    for number in range(2 * SLOTS)
                ],
            )

    def store(self, gateway: FakeGateway, records: list[IntervalRecord]) -> None:
        with database.reading(self.engine) as connection:
            known = enrolled(connection)
        for place in range(0, len(records), 64):
            part = records[place : place + 64]
            envelope = gateway.envelope(self.next[gateway.name], list(part))
            self.committer.commit([verify(gateway.topic, envelope, known)], (), self.clock.now_ms())
            self.next[gateway.name] += len(part)

    def runner(self, registry: Registry) -> Runner:
        """Start a receiver with a registry."""
        with database.writing(self.engine) as connection:
            meters.enter_registry(connection, registry)
        return Runner(self.engine, registry, self.clock, Checks())

    def check(self, runner: Runner) -> list[Finding]:
        async def rounds() -> None:
            # Two rounds: what is due may be more than one round takes.
            await runner.round()
            while await runner.round():
                pass

        asyncio.run(rounds())
        with database.reading(self.engine) as connection:
            return findings.listed(connection)

    def checked(self) -> list[Any]:
        with database.reading(self.engine) as connection:
            return list(connection.execute(select(schema.slot_check).order_by(schema.slot_check.c.start_ms)).all())


@pytest.fixture
def centre(engine: Engine, gateway: FakeGateway) -> Centre:
    centre = Centre(engine, gateway)
    centre.dispatch()
    return centre


def shown(items: list[Finding]) -> list[tuple[str, str | None]]:
    return [(item.kind, item.meter) for item in items]


def changed(registry: Registry, *meter: Meter) -> Registry:
    (station,) = registry.station
    return Registry(station=(station.model_copy(update={"meter": meter}),))


def charger(name: str, gateway: str = "gw1", **more: Any) -> Meter:
    return Meter(id=name, role=Role.CHARGER, gateway=gateway, rated_kw=Decimal(60), **more)


def test_a_charger_added_during_a_day_does_not_stop_the_checks(
    centre: Centre, gateway: FakeGateway, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    centre.clock.wall_ms = DAY_MS + 40 * SLOT_MS
    centre.store(gateway, day(slots=range(40)))
    assert centre.check(centre.runner(registry)) == []
    new = charger("C04", since=at(40))
    bigger = changed(registry, *registry.station[0].meter, new)
    runner = centre.runner(bigger)
    records = day(slots=range(40, SLOTS))
    records += [interval(slot, "C04", energy=0) for slot in range(40, SLOTS)]
    centre.store(gateway, sorted(records, key=lambda record: record.start_ms))
    centre.clock.wall_ms = DAY_END_MS + GRACE_MS
    assert centre.check(runner) == []
    assert "failed" not in caplog.text
    with database.reading(centre.engine) as connection:
        made = report.make(connection, bigger, Checks(), "S1", at(0).date().replace(day=1, month=7))
    assert made.balance is not None
    assert made.balance.slots == SLOTS


def test_a_charger_registered_without_its_date_is_missing_and_stops_nothing(
    centre: Centre, gateway: FakeGateway, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    centre.clock.wall_ms = DAY_MS + 40 * SLOT_MS
    centre.store(gateway, day(slots=range(40)))
    assert centre.check(centre.runner(registry)) == []
    runner = centre.runner(changed(registry, *registry.station[0].meter, charger("C04")))
    centre.store(gateway, day(slots=range(40, SLOTS)))
    centre.clock.wall_ms = DAY_END_MS + GRACE_MS
    assert shown(centre.check(runner)) == [("missing_intervals", "C04")]
    assert "failed" not in caplog.text


def test_a_meter_moved_to_another_gateway(centre: Centre, gateway: FakeGateway, registry: Registry) -> None:
    other = enrol(centre.engine, "gw2")
    centre.next["gw2"] = 1
    rest = [meter for meter in registry.station[0].meter if meter.id != "C01"]
    moved = changed(registry, charger("C01", until=at(40)), charger("C01", "gw2", since=at(40)), *rest)
    centre.store(gateway, day(slots=range(40)))
    centre.store(gateway, day(NAMES[1:], range(40, SLOTS)))
    centre.store(other, day(["C01"], range(40, SLOTS)))
    assert centre.check(centre.runner(moved)) == []
    assert all(row.complete for row in centre.checked())


def test_a_meter_that_sends_after_it_was_taken_out_is_named(
    centre: Centre, gateway: FakeGateway, registry: Registry
) -> None:
    rest = [meter for meter in registry.station[0].meter if meter.id != "C01"]
    centre.store(gateway, day())
    found = centre.check(centre.runner(changed(registry, charger("C01", until=at(90)), *rest)))
    item = next(item for item in found if item.kind == "unknown_meter")
    assert item.meter == "C01"
    assert item.evidence["count"] == 6


def test_a_station_taken_out_of_the_registry_and_back(centre: Centre, gateway: FakeGateway, registry: Registry) -> None:
    centre.store(gateway, day(slots=range(40)))
    other = station_model(id="S2", meter=())
    assert centre.check(centre.runner(Registry(station=(other,)))) == []
    centre.store(gateway, day(slots=range(40, SLOTS)))
    assert centre.check(centre.runner(registry)) == []
    assert len(centre.checked()) == SLOTS


def test_a_gateway_whose_clock_began_in_1970(
    centre: Centre, registry: Registry, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with database.writing(engine) as connection:
        connection.execute(schema.gateway.update().values(added_ms=DAY_MS))
    gateway = enrol(engine, "gw9")
    centre.next["gw9"] = 1
    with database.writing(engine) as connection:
        connection.execute(schema.gateway.update().values(added_ms=DAY_MS))
    runner = centre.runner(registry)
    centre.store(gateway, [replace(interval(0), start_ms=5 * SLOT_MS)])
    centre.store(gateway, [replace(interval(0), start_ms=LAST_INSTANT_MS - SLOT_MS)])
    assert centre.check(runner) == []
    assert "is the clock of a gateway wrong?" in caplog.text
    assert centre.checked() == []
    with database.reading(engine) as connection:
        assert len(connection.execute(select(schema.interval)).all()) == 2


def test_a_clock_that_was_ahead_and_is_put_right(centre: Centre, gateway: FakeGateway, registry: Registry) -> None:
    runner = centre.runner(registry)
    centre.clock.wall_ms = DAY_MS + 20 * SLOT_MS
    centre.store(gateway, day(slots=range(20)))
    assert centre.check(runner) == []
    centre.clock.step_wall(200 * SLOT_MS)
    assert {item.kind for item in centre.check(runner)} == {"missing_intervals"}
    centre.clock.step_wall(-200 * SLOT_MS)
    # What was found of days that have not come is taken back.
    assert centre.check(runner) == []

    def missing(runner: Runner) -> dict[str | None, object]:
        return {item.meter: item.evidence["count"] for item in centre.check(runner)}

    centre.store(gateway, day(NAMES[1:], slots=range(20, 60)))
    centre.clock.wall_ms = DAY_MS + 60 * SLOT_MS
    assert missing(runner)["C01"] == 38
    centre.clock.wall_ms += GRACE_MS
    # Slots 58 and 59 are due by the clock alone: no record tells of them.
    assert missing(runner) == {"C01": 40}
    # So it is after a restart.
    again = Runner(centre.engine, registry, centre.clock, Checks())
    centre.clock.wall_ms += SLOT_MS
    assert missing(again) == {"C01": 41, "C02": 1, "C03": 1, "G": 1}


def test_nothing_is_missing_before_the_date_in_the_registry(
    centre: Centre, gateway: FakeGateway, registry: Registry
) -> None:
    (station,) = registry.station
    later = Registry(station=(station.model_copy(update={"since": at(50)}),))
    centre.store(gateway, day(NAMES[1:], slots=range(50)))
    centre.store(gateway, day(slots=range(50, SLOTS)))
    assert centre.check(centre.runner(later)) == []


def test_a_fault_in_a_check_ends_neither_the_others_nor_the_process(
    centre: Centre,
    gateway: FakeGateway,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fault(*_: object) -> Any:
        raise KeyError("fault")

    runner = centre.runner(registry)
    centre.store(gateway, day())
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(judging, "evaluate", fault)
        centre.check(runner)
        centre.check(runner)
    assert caplog.text.count("the checks of station S1 failed") == 1
    centre.store(gateway, day(slots=range(SLOTS, SLOTS + 1)))
    centre.check(runner)
    assert centre.checked()


def test_an_idle_round_asks_little_of_the_store(engine: Engine) -> None:
    stations = tuple(station_model(id=f"S{number}", meter=()) for number in range(30))
    centre = Centre(engine)
    runner = centre.runner(Registry(station=stations))
    centre.check(runner)
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    asyncio.run(runner.round())
    event.remove(engine, "before_cursor_execute", note)
    assert sum(statement.startswith("SELECT") for statement in asked) == 1


def test_a_backlog_is_checked_once(
    centre: Centre, gateway: FakeGateway, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = centre.runner(registry)
    checked: list[int] = []

    def note(slot: Slot, *rest: Any) -> SlotResult:
        checked.append(slot.start_ms)
        return evaluate(slot, *rest)

    monkeypatch.setattr(judging, "evaluate", note)
    monkeypatch.setattr(deadlines, "DEADLINES_AT_ONCE", 10)
    centre.store(gateway, day())
    for _ in range(15):
        centre.check(runner)
    assert sorted(checked) == [DAY_MS + number * SLOT_MS for number in range(SLOTS)]


def test_an_interval_that_leaves_its_slot_is_named_and_not_counted(
    centre: Centre, gateway: FakeGateway, registry: Registry
) -> None:
    records = day()
    place = next(place for place, record in enumerate(records) if record.meter == "C01")
    records[place] = replace(records[place], duration_ms=1 << 50)
    centre.store(gateway, records)
    found = {item.kind: item for item in centre.check(centre.runner(registry))}
    assert set(found) == {"interval_span", "missing_intervals"}
    details = found["missing_intervals"].evidence["details"]
    assert isinstance(details, list)
    assert [detail["missing_s"] for detail in details] == [900]
    assert [row.complete for row in centre.checked()].count(0) == 1


def test_crumbs_leave_a_bounded_result(centre: Centre, gateway: FakeGateway, registry: Registry) -> None:
    whole = interval(3, "C01", energy=1_000_000)
    crumbs = [replace(whole, start_ms=whole.start_ms + number, duration_ms=2) for number in range(300)]
    centre.store(gateway, [*day(slots=range(3)), *crumbs])
    found = centre.check(centre.runner(registry))
    (item,) = [item for item in found if item.kind == "overlapping_intervals"]
    # Every second one is left out of those that overlap, and counted.
    assert item.evidence["count"] == 150
    results = [json.loads(row.result) for row in centre.checked()]
    most = Counter((start, each["kind"]) for start, result in enumerate(results) for each in result["violations"])
    assert max(most.values()) == MOST_VIOLATIONS


def test_two_receivers_that_check_at_once_find_everything_once(
    centre: Centre, gateway: FakeGateway, registry: Registry
) -> None:
    centre.store(gateway, day(names=("C01", "C02", "G")))
    runners = [centre.runner(registry), centre.runner(registry)]

    async def both() -> None:
        await asyncio.gather(*(runner.round() for runner in runners))
        while any(await asyncio.gather(*(runner.round() for runner in runners))):
            pass

    asyncio.run(both())
    alone = centre.check(centre.runner(registry))
    assert ("missing_intervals", "C03") in shown(alone)
    assert len(set(shown(alone))) == len(alone)
    assert len(centre.checked()) == SLOTS
    with database.reading(centre.engine) as connection:
        assert connection.execute(select(schema.dirty)).all() == []
        opened = connection.execute(select(schema.finding_change.c.change)).scalars().all()
    assert opened.count("opened") == len(findings_of(centre))


def findings_of(centre: Centre) -> list[Finding]:
    with database.reading(centre.engine) as connection:
        return findings.listed(connection, closed=True)


def test_spans_that_touch_are_one() -> None:
    assert merged([(50 * SLOT_MS, 51 * SLOT_MS), (0, SLOT_MS), (2 * SLOT_MS, 3 * SLOT_MS)]) == [
        (0, 3 * SLOT_MS),
        (50 * SLOT_MS, 51 * SLOT_MS),
    ]
