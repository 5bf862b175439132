"""`sales show`: lines of chargers and the station, and the orders themselves."""

import json
from pathlib import Path
from typing import Any

import pytest
from sales_support import DAY_MS, HOUR_MS, KWH, Centre
from sqlalchemy import insert, select

from cloud_receiver import database
from cloud_receiver.schema import interval, meter

ORDERS = """number,charger,start,end,energy_kwh,amount
first,C01,2026-06-29 10:00,2026-06-29 10:30,1,1
a1,C01,2026-07-01 10:00,2026-07-01 11:00,20,30.5
a2,C02,2026-07-01 12:00,2026-07-01 13:00,{second},-0.25
"""


def fill(centre: Centre, energies: dict[int, int]) -> None:
    """Enter hourly records of the grid side from the day before on, kWh by hour of the day."""
    engine = centre.engine()
    with database.writing(engine) as connection:
        number = connection.execute(select(meter.c.id).where(meter.c.name == "G")).scalar_one()
        total, rows = 0, []
        for hour in range(-24, 48):
            energy = energies.get(hour, 0) * KWH
            total += energy
            values = {"station": 1, "start_ms": DAY_MS + hour * HOUR_MS, "meter": number, "journal": 1}
            values |= {"sequence": hour + 30, "duration_ms": HOUR_MS, "forward_mwh": energy, "reverse_mwh": 0}
            values |= {"forward_total_mwh": total, "reverse_total_mwh": 0, "factor_quality": 3, "readings": 1}
            carbon = ("forward", "reverse", "forward_total", "reverse_total")
            rows.append(values | {"quality": 0} | {f"carbon_{name}_ug": 0 for name in carbon})
        connection.execute(insert(interval), rows)
    engine.dispose()


@pytest.fixture
def centre(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Centre:
    return Centre(tmp_path, capsys)


def shown(centre: Centre, *options: str) -> tuple[int, list[dict[str, Any]]]:
    status, out, _ = centre.run("sales", "show", "S1", "--from", "2026-07-01", "--json", *options)
    return status, json.loads(out)


def test_a_day_that_agrees(centre: Centre) -> None:
    centre.take(ORDERS.format(second=10))
    fill(centre, {10: 20, 12: 10})
    status, lines = shown(centre)
    assert status == 0
    found = [(line["charger"], line["orders"], line["energy_kwh"], line["amount"], line["verdict"]) for line in lines]
    assert found == [
        ("C01", 1, "20.000000", "30.5000", "undetermined"),
        ("C02", 1, "10.000000", "-0.2500", "undetermined"),
        (None, 2, "30.000000", "30.2500", "within"),
    ]
    balance = lines[2]["balance"]
    assert (balance["sold_kwh"], balance["metered_kwh"]) == ("30.000000", "30.000000")
    assert balance["between_idle_moments"] is True
    assert set(balance["standard_uncertainty_kwh"]) == {
        "accuracy_class",
        "order_step",
        "register_step",
        "loss",
        "auxiliary",
        "conversion",
    }


def test_a_day_that_does_not_and_its_month(centre: Centre) -> None:
    centre.take(ORDERS.format(second=3))
    fill(centre, {10: 20, 12: 10})
    status, lines = shown(centre)
    assert (status, lines[2]["verdict"]) == (1, "beyond")
    assert lines[2]["balance"]["difference_kwh"] == "-7.000000"
    status, out, _ = centre.run("sales", "show", "S1", "--from", "2026-07", "--by", "month", "--lang", "en")
    assert status == 1
    rows = [line for line in out.splitlines() if line.startswith("2026-07 ")]
    assert len(rows) == 3
    assert "station, grid side" in rows[2]


def test_the_table_in_both_languages(centre: Centre) -> None:
    centre.take(ORDERS.format(second=10))
    fill(centre, {10: 20, 12: 10})
    for language, words in (("en", "within tolerance"), ("zh", "合格"), ("both", "within tolerance 合格")):
        _, out, _ = centre.run("sales", "show", "S1", "--from", "2026-07-01", "--lang", language)
        assert words in out
    assert "全站与关口表" in out


def test_the_orders_with_their_versions(centre: Centre) -> None:
    centre.take(ORDERS.format(second=10), "--by", "Li")
    centre.take(ORDERS.format(second=11), "--by", "Wang")
    _, now = shown(centre, "--orders")
    assert [(item["number"], item["version"], item["by"]) for item in now] == [("a1", 1, "Li"), ("a2", 2, "Wang")]
    _, out, _ = centre.run("sales", "show", "S1", "--from", "2026-07-01", "--orders", "--all")
    assert "1 (superseded 已被取代)" in out
    assert now[1]["signed"] is None


def test_a_span_too_long_is_refused(centre: Centre) -> None:
    status, _, said = centre.run("sales", "show", "S1", "--from", "2020-01", "--to", "2026-01")
    assert status == 1
    assert "at most 400 days" in said


@pytest.mark.parametrize("end", ["2026-06-30", "2026-07-01T00:00+08:00"])
def test_a_span_that_ends_before_it_begins_is_refused(centre: Centre, end: str) -> None:
    for first in ("2026-07", "2026-07-01"):
        status, out, said = centre.run("sales", "show", "S1", "--from", first, "--to", end)
        assert (status, out) == (1, "")
        assert "expected a span that ends after it begins" in said


def test_an_order_that_ends_at_midnight_is_listed_with_the_day_that_is_over_then(centre: Centre) -> None:
    head, *_ = ORDERS.splitlines()
    centre.take(
        f"{head}\nlate,C01,2026-06-30 23:00,2026-07-01 00:00,1,1\nlast,C01,2026-07-01 23:00,2026-07-02 00:00,1,1\n"
    )
    _, lines = shown(centre)
    _, listed = shown(centre, "--orders")
    assert [item["number"] for item in listed] == ["last"]
    assert lines[0]["orders"] == 1


def test_of_a_station_with_more_orders_than_there_can_be_nothing_is_said(centre: Centre) -> None:
    centre.take(ORDERS.format(second=3))
    fill(centre, {10: 20, 12: 10})
    head, *_ = ORDERS.splitlines()
    many = [f"n{place},C01,2026-07-01 10:00,2026-07-01 10:01,0,0" for place in range(6000)]
    centre.take("\n".join([head, *many]))
    status, lines = shown(centre)
    assert (status, lines[-1]["charger"], lines[-1]["verdict"]) == (0, None, "undetermined")
