"""Of a station that has had orders for long, a recent day's are found without those before it being read."""

from typing import Any

from sales_support import DAY_MS, HOUR_MS, context_of, order
from sqlalchemy import Engine
from sqlalchemy.event import listen, remove

from cloud_receiver import database
from cloud_receiver.sales import history, store, window
from cloud_receiver.sales.config import Sales
from cloud_receiver.sales.order import CSV
from cloud_receiver.sales.store import Told


def test_a_recent_day_does_not_read_what_was_over_before(engine: Engine) -> None:
    now_ms = DAY_MS + 24 * HOUR_MS
    with database.writing(engine) as connection:
        store.enter(connection, 1, [Told(1, order())], source=CSV, made_by="Li", now_ms=now_ms)
    context = context_of(engine)
    asked: list[tuple[str, Any]] = []

    def note(*told: Any) -> None:
        asked.append((told[2], told[3]))

    listen(engine, "before_cursor_execute", note)
    with database.reading(engine) as connection:
        span = DAY_MS, now_ms
        day = window.read(connection, context, span, Sales(), now_ms=now_ms, coverage_factor=2.0, records=False)
        list(history.changed(connection, day))
        list(history.malformed(connection, day))
    remove(engine, "before_cursor_execute", note)
    with database.reading(engine) as connection:
        plans = [
            row.detail
            for statement, values in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            if " charge_order " in row.detail or " event " in row.detail
        ]
    lookups = [plan for plan in plans if "number=?" not in plan]
    assert len(lookups) >= 11
    for plan in lookups:  # the newest, those of a time and later, or events of before there were orders
        assert "received_ms (station=?)" in plan or "_ms>?" in plan or "time_ms<?" in plan
