"""A report with something of everything in it."""

from dataclasses import replace

from firmware_sim.inspection.points import Rating
from firmware_sim.inspection.report.model import Environment, Report, Subject
from firmware_sim.inspection.result import ItemInfo, ItemResult, PointResult, Reading, Step, Verdict

BEGAN = 1_790_000_000_000
NASTY = 'a <script>alert("x")</script> & \x00 \x1b[31m ✓'


def reading(current_ma: int, error: str, *, run: int = 1, factor: str = "0.5", by: str = "register") -> Reading:
    return Reading(
        *("carbon", "fixed", by, run, factor, "0.5L", f"{current_ma}mA", current_ma, "balanced", 220_000),
        *("120000.000", 7 if by == "pulse" else None, "27500.000000", "27501.000000", error, "1", "0.010000"),
    )


def point(current_ma: int, error: str, *, good: bool, factor: str = "0.5", by: str = "register") -> PointResult:
    readings = (
        reading(current_ma, error, factor=factor, by=by),
        reading(current_ma, error, run=2, factor=factor, by=by),
    )
    return PointResult(f"{current_ma}/{factor}/{by}", readings, error, f"+{float(error):.1f}", "0.1", "1", good)


ITEMS = [
    ItemInfo("metering.electricity", "5.6.1", "electricity", "Electricity error", "电能计量误差"),
    ItemInfo("metering.carbon.fixed", "5.6.2.2", "metering", "Carbon error", "碳计量误差"),
    ItemInfo("function.display", "5.7", "function", "Display", "显示"),
    ItemInfo("robustness.noise", "", "robustness", "Noise", "干扰"),
    ItemInfo("laboratory.emc", "5.8", "laboratory", "EMC", "电磁兼容"),
]
RESULTS = {
    "metering.electricity": ItemResult("metering.electricity", Verdict.PASSED, BEGAN, BEGAN + 1500, note="limits: x"),
    "metering.carbon.fixed": ItemResult(
        "metering.carbon.fixed",
        Verdict.FAILED,
        BEGAN,
        BEGAN + 60_000,
        points=(
            point(60_000, "0.250000", good=True),
            point(5_000, "1.250000", good=False),
            point(5_000, "0.100000", good=True, by="pulse"),
            point(5_000, "0.200000", good=True, factor="1"),
        ),
    ),
    "function.display": ItemResult(
        "function.display",
        Verdict.FAILED,
        BEGAN,
        BEGAN + 1,
        (Step("the unit", "kg", NASTY, good=False), Step("the digits", "6", "6", good=True)),
    ),
    "robustness.noise": ItemResult("robustness.noise", Verdict.ERROR, BEGAN, BEGAN, note="the line is gone"),
}


def report(**changes: object) -> Report:
    whole = Report(
        "type",
        Subject("R-1", "某某仪表", "EC-3", "0001", inspector="张三"),
        Environment("23.1 °C", "50 %"),
        Rating("B", 220_000, 250, 500, 60_000, 20, constant=1000),
        "Asia/Shanghai",
        ITEMS,
        RESULTS,
        {"Source": "simulated"},
        "Diantan default limits, 1 (limits.toml)",
        "diantan 0",
        BEGAN,
        BEGAN + 70_000,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # a test's own changes
