"""What is expected of the garage (bars of earlier work on the same data), and what came."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from demo.garage.run import Outcome

MONTH: Final = "2019-02"
"""Whose session records are known to be missing in part."""
MOST_SPREAD: Final = 1.1
MOST_RMS: Final = 0.62
"""Per cent: what was reached on this data before."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation and what came of it."""

    what: str
    came: str
    met: bool


def judge(outcome: Outcome) -> list[Expectation]:
    """Return what the commands say of each expectation."""
    found = outcome.whole
    lacking = {item["from"][:7]: _least_lacking(item) for item in outcome.sold if item["verdict"] == "beyond"}
    findings = [item["numbers"] for item in found["findings"] if item["name"] == "missing_orders"]
    missing = {numbers["month"]: numbers for numbers in findings}
    worst = max(missing, key=lambda month: missing[month]["kwh"], default="")
    named = missing.get(MONTH, {"kwh": 0.0, "windows": 0.0})
    spread, halves = found["spread"], found["halves"]
    return [
        Expectation(
            f"less was sold than metered in {MONTH}, most of all months 售电少于计量最多的月份",
            f"{lacking.get(MONTH, 0):.0f} kWh",
            max(lacking, key=lambda month: lacking[month], default="") == MONTH,
        ),
        Expectation(
            f"windows of {MONTH} lack orders, more than of any other month 缺少订单最多的月份",
            f"{named['kwh']:.0f} kWh in {named['windows']:.0f} windows",
            worst == MONTH,
        ),
        Expectation(
            f"windows scatter by at most {MOST_SPREAD} % 时段残差",
            f"{spread:.2f} %",
            spread <= MOST_SPREAD,
        ),
        Expectation(
            f"half-years differ by at most {MOST_RMS} % rms 前后两半之差",
            f"{halves['rms']:.2f} %",
            halves["rms"] <= MOST_RMS,
        ),
        Expectation(
            "half-years agree at the stated confidence, 95 % 按所给置信度一致",
            f"z rms {halves['z_rms']:.2f}, limit {halves['z_limit']:.2f}, own u x {halves['factor']:.2f}",
            bool(halves["agree"]),
        ),
    ]


def _least_lacking(item: Mapping[str, Any]) -> float:
    """Return by how much less was sold than metered, kWh: the least it can be, where orders reach over the month."""
    difference = item["balance"]["difference_kwh"]
    return -max(map(float, difference)) if isinstance(difference, list) else -float(difference)
