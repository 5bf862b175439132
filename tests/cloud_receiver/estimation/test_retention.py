"""Means of voltage grow old: what is removed, in what steps, and what stays."""

import asyncio
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from drops_support import Wired, blocks_of, filled, means_of, sent, wired
from estimation_support import DAY, LENGTH, Site
from intake_support import Bench, Message
from receiver_support import SLOT_MS, FakeGateway, interval
from sqlalchemy import func, select
from sqlalchemy.event import listen

from clock import ManualClock
from cloud_receiver import database
from cloud_receiver.estimation import retention, text
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.retention import Retention, kept_from_ms, remove
from cloud_receiver.estimation.run import estimate
from cloud_receiver.schema import event, message, removal
from cloud_receiver.schema import interval as interval_table
from wire.records import EventCode, EventRecord

NOW = DAY + 500 * LENGTH


def ends(site: Site) -> list[int]:
    """Return when the blocks end that are left."""
    with database.reading(site.engine) as connection:
        return sorted(
            connection.execute(select(event.c.time_ms).where(event.c.code == int(EventCode.VOLTAGE_MEANS))).scalars()
        )


def of_days(site: Site, days: int, meters: int = 1) -> None:
    """Store a block for each day, of the 12 h before noon."""
    for place, number in enumerate(site.numbers()[:meters]):
        blocks = blocks_of(means_of([230.0] * 96 * days, [1.0] * 96 * days))[::2]
        sent(site, number, blocks, first=1 + 10_000 * place)


async def turns(worker: Retention) -> list[float]:
    """Take turns until it rests; return for how long after each."""
    rests = [await worker.turn()]
    while rests[-1] < retention.REST_S:
        rests.append(await worker.turn())
    return rests


def test_what_is_older_than_the_setting_is_removed_and_nothing_else(site: Site) -> None:
    of_days(site, 5)
    [first, *_] = site.numbers()
    site.exchanged(first, DAY + SLOT_MS)
    clock = ManualClock(wall_ms=DAY + 103 * LENGTH + LENGTH // 3)
    asyncio.run(turns(Retention(site.engine, clock, 100)))
    # Days end at midnight UTC, 8 h after the days that begin at `DAY`: of the third one noon is past.
    assert ends(site) == [DAY + day * LENGTH + LENGTH // 2 for day in (3, 4)]
    with database.reading(site.engine) as connection:
        codes = connection.execute(select(event.c.code)).scalars().all()
        assert codes.count(int(EventCode.EXCHANGE)) == 1
        [row] = connection.execute(select(removal)).all()
    edge = DAY + 3 * LENGTH + LENGTH // 3
    assert (row.code, row.before_ms, row.rows, row.removed_ms) == (107, edge, 3, clock.now_ms())


def test_nothing_old_is_nothing_written(site: Site) -> None:
    of_days(site, 2)
    assert remove(site.engine, DAY, NOW) == 0
    with database.reading(site.engine) as connection:
        assert kept_from_ms(connection) is None


def test_it_goes_in_steps_between_which_others_have_their_turn(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    of_days(site, 6, meters=2)
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 5)
    left: list[int] = []

    def backlog() -> int:
        """Let it wait once after each piece, and see what is left by then."""
        left.append(len(ends(site)))
        return left.count(left[-1]) < 2

    rests = asyncio.run(turns(Retention(site.engine, ManualClock(wall_ms=NOW), 400, backlog)))
    assert left == [7, 7, 2, 2, 0, 0]
    assert rests[-1] == retention.REST_S
    assert len(rests) == 4
    with database.reading(site.engine) as connection:
        assert connection.execute(select(removal.c.rows)).scalar_one() == 12


def test_the_oldest_go_first_and_late_ones_with_the_next_turn(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    of_days(site, 4)
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 2)
    before = ends(site)
    assert remove(site.engine, NOW, NOW) == 2
    assert ends(site) == before[2:]
    assert remove(site.engine, NOW, NOW) == 2
    of_days(site, 1, meters=2)
    assert remove(site.engine, NOW, NOW) == 2
    assert ends(site) == []


def test_what_was_said_to_be_gone_stays_gone(site: Site) -> None:
    of_days(site, 4)
    assert remove(site.engine, DAY + 2 * LENGTH, NOW) == 2
    sent(site, site.numbers()[0], blocks_of(means_of([230.0] * 4, [1.0] * 4)), first=500)
    assert remove(site.engine, DAY + LENGTH, NOW + 1) == 1
    with database.reading(site.engine) as connection:
        assert kept_from_ms(connection) == DAY + 2 * LENGTH


def test_the_oldest_are_found_by_an_index(site: Site) -> None:
    of_days(site, 2)
    asked: list[tuple[str, Any]] = []
    listen(site.engine, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
    remove(site.engine, NOW, NOW)
    with database.reading(site.engine) as connection:
        plans = [
            row.detail
            for statement, parameters in [*asked]
            if "FROM event" in statement
            for row in connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement}", parameters[0] if isinstance(parameters, list) else parameters
            )
        ]
    assert plans[:2] == ["SEARCH event USING INDEX ix_event_time_ms (time_ms<?)"] * 2
    assert [plan for plan in plans[2:] if not plan.startswith("SEARCH event USING PRIMARY KEY")] == []


def test_the_signed_messages_and_all_other_records_stay(site: Site, gateway: FakeGateway) -> None:
    [block] = blocks_of(means_of([230.0] * 48, [1.0] * 48))
    told = EventRecord("C01", block.end_ms, EventCode.VOLTAGE_MEANS, block.to_details())
    bench = Bench(site.engine)
    envelope = gateway.envelope(1, [interval(0), told])
    bench.take(Message(gateway.topic, envelope))
    assert ends(site) == [block.end_ms]
    assert remove(site.engine, NOW, NOW) == 1
    with database.reading(site.engine) as connection:
        assert bytes(connection.execute(select(message.c.envelope)).scalar_one()) == envelope
        assert connection.execute(select(func.count()).select_from(interval_table)).scalar_one() == 1
    # Sent again it is a duplicate, not another record, nor a conflict with what is stored.
    bench.take(Message(gateway.topic, gateway.envelope(1, [interval(0), told])))
    assert (bench.intake.counters.duplicates, bench.intake.counters.refused.total(), ends(site)) == (2, 0, [])


def test_an_estimate_of_a_time_whose_voltages_are_gone_says_so(site: Site) -> None:
    site.enter(wired(4))
    filled(site, Wired((1e-3, 1.2e-3, 1.4e-3, 1.6e-3), days=6), (0.0,) * 4)
    settings = Estimation(split_halves=False)

    def said() -> tuple[Any, str]:
        found = estimate(site.engine, site.context(), settings, DAY, DAY + 6 * LENGTH).result
        return found, text.report(found, ZoneInfo("Asia/Shanghai"))

    found, report = said()
    assert "no longer kept" not in report
    assert found.content()["voltage_blocks"]["kept_from_ms"] is None
    while remove(site.engine, DAY + 2 * LENGTH, NOW):
        pass
    found, report = said()
    assert "voltages before 2026-07-03T00:00:00+08:00 are no longer kept" in report
    assert {one.branch.reason for one in found.chargers} != {"voltages_removed"}
    while remove(site.engine, NOW, NOW):
        pass
    found, report = said()
    assert {one.branch.reason for one in found.chargers} == {"voltages_removed"}
    assert found.content()["voltage_blocks"]["kept_from_ms"] == NOW
    assert "its voltages are no longer kept 电压数据已超过保存期" in report
