"""What was sold, in the daily report's three forms."""

import csv
import io
import json
from datetime import date

from sales_support import order
from sqlalchemy import Engine

from cloud_receiver import database, report, report_text
from cloud_receiver.config import Checks
from cloud_receiver.registry import Registry
from cloud_receiver.report import Report
from cloud_receiver.report_words import Language
from cloud_receiver.sales import store
from cloud_receiver.sales.order import CSV, Order
from cloud_receiver.sales.store import Told


def made(engine: Engine, registry: Registry, *orders: tuple[int, Order]) -> Report:
    with database.writing(engine) as connection:
        told = [Told(meter, item) for meter, item in orders]
        store.enter(connection, 1, told, source=CSV, made_by="x", now_ms=5)
        return report.make(connection, registry, Checks(), "S1", date(2026, 7, 1))


SOLD = (
    (1, order("a", -1, 2, 10, amount=123_456)),
    (1, order("b", 23, 1, 20.5, amount=4)),
    (1, order("c", 23.5, 1, 7, amount=9)),
    (2, order("d", 9, 1, 0.01)),
)


def test_orders_that_end_in_the_day_are_in_the_table(engine: Engine, registry: Registry) -> None:
    text = report_text.table_text(made(engine, registry, *SOLD), Language.BOTH)
    block = text[text.index("Sold by orders") :].split("\n\n")[0].splitlines()
    assert block[0] == "Sold by orders that end in the day 当日结束订单的售电"
    assert [line.split() for line in block[3:]] == [
        ["C01", "2", "30.500", "12.3460", "-"],
        ["C02", "1", "0.010", "-", "-"],
    ]


def test_in_csv_and_json(engine: Engine, registry: Registry) -> None:
    found = made(engine, registry, *SOLD)
    rows = list(csv.DictReader(io.StringIO(report_text.csv_text(found))))
    assert [(row["orders"], row["sold_kwh"], row["sold_amount"]) for row in rows] == [
        ("2", "30.500000", "12.3460"),
        ("1", "0.010000", ""),
        ("", "", ""),
        ("", "", ""),
    ]
    content = json.loads(report_text.json_text(found))
    assert content["meters"][0]["sold"] == {"orders": 2, "energy_kwh": "30.500000", "amount": "12.3460"}
    assert content["meters"][2]["sold"] is None


def test_a_day_without_orders_has_no_such_table(engine: Engine, registry: Registry) -> None:
    assert "Sold by orders" not in report_text.table_text(made(engine, registry), Language.BOTH)
