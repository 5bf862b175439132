"""Orders that are missing, or of another time than they say: named, left out, and never an error of a charger."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from estimation_support import DAY, ERRORS, LENGTH, Site
from known_orders_support import Sold, prepared, store_orders
from receiver_support import SLOT_MS

from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.missing import ELSEWHERE, MISSING, LeftOut, by_month
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.estimation.run import estimate

DAYS = 40  # from July into August
SETTINGS = Estimation(days=DAYS)
END = DAY + DAYS * LENGTH


def said(site: Site, orders: Sequence[Sold]) -> StationResult:
    store_orders(site, orders)
    return estimate(site.engine, site.context(), SETTINGS, DAY, END).result


def judged_well(found: StationResult) -> bool:
    return [one.decision for one in found.chargers] == ["clear", "flag", "clear"] and all(
        abs(one.error - 100 * error) < 3 * one.u for one, error in zip(found.chargers, ERRORS, strict=True)
    )


def about(found: StationResult, name: str) -> list[tuple[object, object]]:
    return [(item.numbers["month"], item.numbers["windows"]) for item in found.findings if item.name == name]


def test_missing_orders_are_named_by_month_and_judge_nobody(site: Site) -> None:
    orders = prepared(site, 0, 1, 2, days=DAYS)
    august = DAY + 31 * LENGTH
    # A single one of August, and every fifth of the second week of July.
    gone = {next(one for one in orders if one.start_ms > august)} | set(
        [one for one in orders if DAY + 7 * LENGTH < one.start_ms < DAY + 14 * LENGTH][::5]
    )
    found = said(site, [one for one in orders if one not in gone])
    assert judged_well(found)
    assert [month for month, _ in about(found, MISSING)] == ["2026-07", "2026-08"]
    assert sum(item.excess_kwh for item in found.left_out) == pytest.approx(
        sum(one.energy_mwh / 1e6 for one in gone), rel=0.05
    )
    for one in gone:
        assert any(item.start_ms <= one.start_ms < item.end_ms for item in found.left_out)
    assert about(found, ELSEWHERE) == []
    assert not any(item.blocks for item in found.findings)


def test_an_order_of_another_day_is_named_on_both(site: Site) -> None:
    orders = prepared(site, 0, 1, 2, days=DAYS)
    one = max(orders[10:-10], key=lambda item: item.energy_mwh)
    moved = one._replace(start_ms=one.start_ms + 2 * LENGTH, end_ms=one.end_ms + 2 * LENGTH)
    found = said(site, [moved if item == one else item for item in orders])
    assert judged_well(found)
    excesses = [item.excess_kwh for item in found.left_out]
    for sign in (1, -1):
        assert sum(max(sign * kwh, 0) for kwh in excesses) == pytest.approx(one.energy_mwh / 1e6, rel=0.1)


def test_steps_of_a_coarse_master_are_no_missing_orders(site: Site) -> None:
    orders = prepared(site, 0, 1, 2, days=DAYS, step_kwh=4)
    found = said(site, orders)
    assert found.left_out == ()
    assert [one.decision for one in found.chargers][1] == "flag"


def test_with_too_many_missing_nobody_is_judged(site: Site) -> None:
    orders = prepared(site, 0, 1, 2, days=DAYS)
    found = said(site, [one for place, one in enumerate(orders) if place % 3])
    assert {(one.decision, one.reason) for one in found.chargers} == {("undetermined", "station")}
    assert any(item.blocks for item in found.findings if item.name == MISSING)


def test_a_gap_of_the_master_hides_no_missing_orders(site: Site) -> None:
    middle = DAY + 10 * LENGTH
    gap = range(middle, middle + 4 * SLOT_MS)
    orders = prepared(site, 0, 1, 2, days=DAYS, gap=gap)
    # Cars are plugged in on both sides of the gap, and nothing of a whole day around it came in.
    gone = [one for one in orders if abs(one.start_ms - middle) < LENGTH // 2]
    kept = [one for one in orders if one not in gone]
    kept.append(Sold(0, middle - LENGTH // 2, middle + LENGTH // 2, 1_000_000))
    found = said(site, sorted(kept, key=lambda one: one.start_ms))
    assert judged_well(found)
    [least] = [item for item in found.left_out if not item.whole]
    assert least.start_ms < middle < least.end_ms
    assert 0.5 < least.excess_kwh / sum(one.energy_mwh / 1e6 for one in gone) < 1.02


def test_findings_are_by_the_local_month_in_which_windows_begin() -> None:
    zone = "Europe/Oslo"
    edge = int(datetime(2019, 3, 1, tzinfo=ZoneInfo(zone)).timestamp() * 1000)
    items = [
        LeftOut(edge - 1, edge + 9, 5.0, 3.0, 1.5),
        LeftOut(edge, edge + 9, 2.0, 3.0, -1.0),
        LeftOut(edge + 9, edge + 12, 7.0, 3.0, 4.0),
        LeftOut(edge + 12, edge + 20, 1.0, 0.0, 1.0, whole=False),
    ]
    assert by_month(items, zone) == [
        (MISSING, {"month": "2019-02", "windows": 1, "kwh": 1.5, "master_kwh": 5, "orders_kwh": 3}),
        (MISSING, {"month": "2019-03", "windows": 2, "kwh": 5, "master_kwh": 8, "orders_kwh": 3}),
        (ELSEWHERE, {"month": "2019-03", "windows": 1, "kwh": -1, "master_kwh": 2, "orders_kwh": 3}),
    ]
