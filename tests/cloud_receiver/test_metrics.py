"""The receiver's metrics, scraped over a real socket, and held to the table in the documents."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from intake_support import Bench, Message, batch
from metrics_support import Scraped, documented, free_port, scrape
from receiver_support import DAY_MS, SLOT_MS, FakeGateway
from sqlalchemy import Engine

from cloud_receiver import database
from cloud_receiver import metrics as metrics_module
from cloud_receiver.counters import Counters
from cloud_receiver.dispatch import Figures
from cloud_receiver.estimation.claims import Claims, State
from cloud_receiver.grid.service.figures import Figures as GridFigures
from cloud_receiver.metrics import FAMILIES, ReceiverMetrics
from cloud_receiver.orders import issue
from cloud_receiver.orders.outbox import Figures as OutboxFigures
from cloud_receiver.refusal import Reason
from cloud_receiver.schema import completeness_day, finding
from cloud_receiver.schema import gateway as gateways
from cloud_receiver.schema import station as stations
from cloud_receiver.watchdog import LifeSigns
from supervision.config import Metrics
from wire import topics
from wire.commands import Outcome, Reply
from wire.connection import Received
from wire.envelope import Signer
from wire.messages import Status, StatusState
from wire.orders import TellStatus
from wire.records import ClockState
from wire.status_facts import Backlog, Overdue


def status(gateway: FakeGateway) -> Message:
    facts = (Backlog(7, 512, 61_000), 3, {0: 2}, -5, Overdue(40, 2, 900_000))
    told = Status(
        gateway.name, StatusState.HEALTH, DAY_MS, gateway.context, 9, 4, ClockState.SYNCHRONISED, 2, *facts
    ).encode()
    topic = topics.status(gateway.name)
    return Message(topic, Signer(gateway.key).sign(told, topic))


class Dispatch:
    figures = Figures(5, 2, DAY_MS, 1)


class Outbox:
    figures = OutboxFigures(3, 1)


class GridService:
    figures = GridFigures(30, 3, 1, DAY_MS - 1_200_000, 2, 4, 0.015)
    outlet = SimpleNamespace(failures=6)


def complete(day_ms: int, gateway: str) -> dict[str, Any]:
    """Return the row of a gateway's day of 96 slots."""
    amounts = {"expected_ms": 96, "present_ms": 90, "in_15_min_ms": 80, "in_60_min_ms": 85, "by_day_end_ms": 88}
    rest = ("interpolated_ms", "estimated_ms", "partial_ms", "substituted_ms", "made_ms")
    row = {name: count * SLOT_MS for name, count in amounts.items()} | dict.fromkeys(rest, 0)
    return {"station": 1, "day_ms": day_ms, "gateway": gateway, **row}


def metrics_of(bench: Bench, **settings: Any) -> ReceiverMetrics:
    return ReceiverMetrics(
        Metrics(**settings),
        bench.engine,
        bench.intake,
        Dispatch(),  # type: ignore[arg-type]  # only its figures are looked at
        lambda: True,
        outbox=Outbox(),
        now_ms=bench.clock.now_ms,
        grid=GridService(),  # type: ignore[arg-type]  # only its figures are looked at
    )


def test_what_is_taken_in_is_told(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(batch(gateway, 1, 8), batch(gateway, 5, 8), Message(gateway.topic, b"junk"), status(gateway))
    with database.writing(engine) as connection:
        (station,) = connection.execute(stations.select().limit(1)).all()
        connection.execute(gateways.insert().values(name="gw-unheard", station=station.id, added_ms=1))
        for number, state in enumerate(["open", "acknowledged", "closed"]):
            values = dict.fromkeys(("day_ms", "meter", "first_ms", "last_ms", "opened_ms", "updated_ms"), number)
            values |= {"station": station.id, "kind": "balance_day", "severity": "alarm", "state": state}
            connection.execute(finding.insert().values(**values, evidence="{}"))
        connection.execute(completeness_day.insert().values(**complete(DAY_MS - 86_400_000, "gw1")))
    port = free_port()

    async def scenario() -> Scraped:
        metrics = metrics_of(bench, port=port)
        told: list[str] = []
        metrics.timed(Received("t", b"", False, lambda: told.append("ack"))).ack()
        assert told == ["ack"]
        await metrics.start()
        try:
            return await scrape(port)
        finally:
            await metrics.stop()

    found = asyncio.run(scenario())
    assert found.kinds == {family.name: family.kind for family in FAMILIES}
    assert found.samples["diantan_receiver_records_total"] == {("stored",): 12, ("duplicate",): 4}
    assert found.value("diantan_receiver_batches_total") == 2
    refused = found.samples["diantan_receiver_refused_total"]
    assert set(refused) == {(reason.value,) for reason in Reason}
    assert {reason for reason, count in refused.items() if count} == {("malformed",)}
    assert found.value("diantan_receiver_commit_lag_seconds_count") == 1
    assert found.value("diantan_receiver_store_up") == 1
    assert found.samples["diantan_receiver_gateways"] == {("online",): 1, ("offline",): 0, ("unheard",): 1}
    assert found.value("diantan_receiver_gateway_unacknowledged", "gw1") == 4
    assert found.value("diantan_receiver_gateway_backlog_age_seconds", "gw1") == 61
    assert found.value("diantan_receiver_gateway_meters_overdue", "gw1") == 2
    assert found.value("diantan_receiver_gateway_seen_timestamp_seconds", "gw1") == DAY_MS / 1000
    assert found.samples["diantan_receiver_findings"] == {("balance_day", "alarm"): 2}
    assert found.samples["diantan_receiver_dispatches_total"] == {("done",): 5, ("failed",): 2}
    assert found.value("diantan_receiver_dispatch_timestamp_seconds") == DAY_MS / 1000
    assert found.value("diantan_receiver_nodes_without_factor") == 1
    slots = found.samples["diantan_receiver_grid_slots_total"]
    assert slots == {("solved",): 30, ("corrected",): 3, ("failed",): 1}
    since_start_s = (bench.clock.now_ms() - DAY_MS) / 1000
    assert found.value("diantan_receiver_grid_newest_age_seconds") == since_start_s + 300
    assert found.value("diantan_receiver_grid_nodes_on_fallback") == 2
    assert found.value("diantan_receiver_grid_elements_missing") == 4
    assert found.value("diantan_receiver_grid_imbalance_ratio") == 0.015
    assert found.value("diantan_receiver_grid_publish_failures_total") == 6


def test_commands_and_replies_are_told(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    with database.writing(engine) as connection:
        answered, under_way, *_ = (
            issue.issue(
                *(connection, bench.signer, "gw1", TellStatus()),
                author="tester",
                now_ms=DAY_MS + number * 1000,
                valid_ms=60_000,
            )
            for number in range(4)
        )
        for issued_ms in (DAY_MS - 60_001, DAY_MS - 2 * 86_400_000):  # expired just now, and long ago
            order = (connection, bench.signer, "gw1", TellStatus())
            issue.issue(*order, author="tester", now_ms=issued_ms, valid_ms=60_000)
    topic = topics.reply("gw1")

    def reply(number: bytes, outcome: Outcome) -> Message:
        return Message(topic, Signer(gateway.key).sign(Reply("gw1", number, DAY_MS, outcome).encode(), topic))

    bench.take(
        *(reply(answered, Outcome.DONE), reply(answered, Outcome.DONE), reply(under_way, Outcome.UNDER_WAY)),
        *(reply(bytes(16), Outcome.DONE), Message(topic, b"junk")),
    )
    bench.clock.wall_ms = DAY_MS + 31_000
    found = Scraped(metrics_of(bench).text(0))
    assert found.value("diantan_receiver_commands_open") == 3
    assert found.value("diantan_receiver_commands_oldest_age_seconds") == 30
    assert found.value("diantan_receiver_commands_expired") == 1
    assert found.value("diantan_receiver_commands_published_total") == 3
    assert found.samples["diantan_receiver_replies_total"] == {
        ("done",): 1,
        ("refused",): 0,
        ("failed",): 0,
        ("under_way",): 1,
        ("duplicate",): 1,
    }
    assert found.value("diantan_receiver_replies_quarantined_total") == 2
    bench.clock.wall_ms = DAY_MS + 120_000
    found = Scraped(metrics_of(bench).text(0))
    assert found.value("diantan_receiver_commands_open") == 0
    assert found.value("diantan_receiver_commands_oldest_age_seconds") == 0
    # Two were never answered; of the one that is under way the final reply may still come.
    assert found.value("diantan_receiver_commands_expired") == 3


def test_what_became_of_stations_in_this_night_is_told(engine: Engine) -> None:
    bench = Bench(engine)
    owner = Claims(engine, bench.clock.now_ms, "someone")
    owner.take({1: DAY_MS, 2: DAY_MS, 3: DAY_MS - 86_400_000})
    for number in (1, 3):
        owner.settle(number, State.DONE)
    owner.write()
    found = Scraped(metrics_of(bench).text(0))
    assert found.samples["diantan_receiver_night_stations"] == {("taken",): 1, ("done",): 1, ("failed",): 0}


def test_the_store_is_asked_once_in_a_while(
    engine: Engine, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = metrics_of(Bench(engine))
    asked: list[int] = []
    read = metrics_module._read
    monkeypatch.setattr(metrics_module, "_read", lambda *given: (asked.append(1), read(*given))[1])
    for now_s in (100, 101, 104.9, 105, 109):
        assert Scraped(metrics.text(now_s)).value("diantan_receiver_store_up") == 1
    assert len(asked) == 2


def test_a_store_that_fails_is_told_and_the_rest_too(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(batch(gateway, 1, 8))
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE finding RENAME TO gone")
    found = Scraped(metrics_of(bench).text(0))
    assert found.value("diantan_receiver_store_up") == 0
    assert found.value("diantan_receiver_records_total", "stored") == 8
    assert "diantan_receiver_gateways" not in found.samples


def test_without_a_port_nothing_is_timed(engine: Engine) -> None:
    message = Received("t", b"", False, lambda: None)
    assert metrics_of(Bench(engine)).timed(message) is message


def test_the_document_has_every_metric() -> None:
    assert documented("receiver") == {family.name: (family.kind, family.labels, family.meaning) for family in FAMILIES}


class Intake:
    """An intake whose figures the test sets."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.backlog = 0


def test_an_intake_that_stores_nothing_while_messages_wait_is_stuck() -> None:
    intake, now_s = Intake(), 0.0
    signs = LifeSigns(intake, longest_retry_s=60, seconds=lambda: now_s)
    assert signs.trouble() is None
    now_s = 10_000.0
    assert signs.trouble() is None  # nothing to do
    intake.backlog = 3
    assert signs.trouble() is None
    now_s += 240
    assert signs.trouble() is None
    now_s += 1
    assert signs.trouble() == "the intake is stuck, with 3 messages waiting"
    for counter in ("transactions", "store_errors"):
        setattr(intake.counters, counter, 1)
        assert signs.trouble() is None
        now_s += 241
        assert signs.trouble() is not None
    intake.counters.refused["malformed"] += 1
    assert signs.trouble() is None


def test_completeness_of_the_day_that_was_over_last_is_told(engine: Engine) -> None:
    bench = Bench(engine)
    bench.clock.wall_ms = DAY_MS + 34 * 3_600_000
    assert "diantan_receiver_day_slots{" not in metrics_of(bench).text(0.0)
    with database.writing(engine) as connection:
        for day_ms, gateway in ((DAY_MS, "gw1"), (DAY_MS, "gw2"), (DAY_MS - 86_400_000, "gw1")):
            connection.execute(completeness_day.insert().values(**complete(day_ms, gateway)))
    page = metrics_of(bench).text(0.0)
    for name, count in (("expected", 192), ("present", 180), ("in_15_min", 160), ("in_60_min", 170)):
        assert f'diantan_receiver_day_slots{{state="{name}"}} {count}' in page
