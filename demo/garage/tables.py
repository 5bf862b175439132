"""What the garage's demonstration prints beside what the commands do."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table

from demo.garage.files import ZONE
from demo.garage.judge import Expectation
from demo.garage.stamps import Free


def clocks(found: list[Free]) -> Table:
    """Return in how many hours without a vehicle something charged."""
    table = Table(
        title="Hours without a vehicle in which something charged 无车时段中有充电的小时数", title_style="bold"
    )
    table.add_column("sessions' times\n会话时间")
    for heading in ("winter\n冬季", "share\n占比", "summer\n夏季", "share\n占比"):
        table.add_column(heading, justify="right")
    names = {-1: "an hour earlier 提前一小时", 0: "as they are, by local time 当地时间", 1: "an hour later 推后一小时"}
    for shift, name in names.items():
        cells = [
            cell
            for summer in (False, True)
            for one in found
            if (one.summer, one.shift_h) == (summer, shift)
            for cell in (f"{one.charging} of {one.hours}", f"{100 * one.charging / max(one.hours, 1):.1f} %")
        ]
        table.add_row(name, *cells)
    return table


def months(sold: Sequence[Mapping[str, Any]]) -> Table:
    """Return what was sold against what was metered."""
    table = Table(title="Sold against metered, by month 按月售电与计量", title_style="bold")
    table.add_column("month 月份")
    for heading in ("orders 订单", "sold 售电 kWh", "grid side 关口 kWh", "difference 差 kWh", "tolerance 允差 kWh"):
        table.add_column(heading, justify="right")
    table.add_column("verdict 结论")
    for item in sold:
        balance = item["balance"]
        cells = [_kwh(balance[f"{name}_kwh"]) for name in ("sold", "metered", "difference", "tolerance")]
        table.add_row(item["from"][:7], str(item["orders"]), *cells, item["verdict"])
    return table


def left_out(whole: Mapping[str, Any]) -> Table:
    """Return the windows without a match; those that follow each other and miss the same as one."""
    table = Table(title="Windows in which orders and the meter don't match 订单与总表不符的时段", title_style="bold")
    for heading in ("from 起", "to 止"):
        table.add_column(heading)
    for heading in ("windows 时段", "meter 总表 kWh", "orders 订单 kWh", "excess 多出 kWh"):
        table.add_column(heading, justify="right")
    runs: list[list[Mapping[str, Any]]] = []
    for item in sorted(whole["left_out"], key=lambda item: item["start_ms"]):
        if runs and _goes_on(runs[-1][-1], item):
            runs[-1].append(item)
        else:
            runs.append([item])
    for run in runs:
        sums = [sum(item[name] for item in run) for name in ("master_kwh", "orders_kwh", "excess_kwh")]
        least = "" if run[0]["whole"] else ">= "
        shown = [f"{least}{value:.2f}" for value in sums[::2]]
        table.add_row(
            _hour(run[0]["start_ms"]), _hour(run[-1]["end_ms"]), str(len(run)), shown[0], f"{sums[1]:.2f}", shown[1]
        )
    return table


def _goes_on(before: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    alike = before["whole"] == item["whole"] and before["excess_kwh"] * item["excess_kwh"] > 0
    return bool(alike and before["end_ms"] == item["start_ms"])


def _hour(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, ZoneInfo(ZONE)):%Y-%m-%d %H:%M}"


def halves(both: Sequence[Mapping[str, Any]]) -> Table:
    """Return what was estimated from each half alone."""
    table = Table(title="Each half alone 前后两半各自的估计", title_style="bold")
    table.add_column("unit 桩")
    for half in both:
        factor = 1.0 if half["halves"] is None else half["halves"]["factor"]
        span = f"{_hour(half['first_ms'])[:10]} .. {_hour(half['end_ms'])[:10]}"
        table.add_column(f"{span}\nown u x {factor:.2f}", justify="right")
    for pair in zip(*(half["chargers"] for half in both), strict=True):
        cells = [f"{one['error']:+.2f} % (u {one['u']:.2f} %)" if one["active_windows"] else "-" for one in pair]
        table.add_row(pair[0]["meter"], *cells)
    return table


def _kwh(value: str | list[str]) -> str:
    return " .. ".join(f"{float(one):.0f}" for one in ([value] if isinstance(value, str) else value))


def verdict(expectations: list[Expectation]) -> Table:
    """Return what was expected and what came."""
    table = Table(title="Expected 预期", title_style="bold")
    for heading in ("what 项目", "came 结果", "met 符合"):
        table.add_column(heading)
    for item in expectations:
        table.add_row(item.what, item.came, "yes 是" if item.met else "no 否")
    return table
