"""What is no mistake passes: metering errors within the class, clocks off or drifting, any moment, zone and rating."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from functions_support import failed, perform

from diantan_core import day_start_ms
from firmware_sim.inspection.bench import Ability
from firmware_sim.inspection.defects.storage import FreezeLate
from firmware_sim.inspection.functions import function_items
from firmware_sim.inspection.parts.fast import JumpForward, SetForward
from firmware_sim.inspection.parts.simulated import SimulatedBench
from firmware_sim.inspection.points import Rating
from firmware_sim.inspection.result import Verdict
from firmware_sim.meter import Meter, MeterSettings, Row

# Those that cost a second each are left to the tests of all items.
SLOW = ("functions.daily-freezes", "functions.monthly-freezes", "functions.year", "communication.factor")
IDS = [
    item.info.id
    for item in function_items()
    if item.info.id not in SLOW and not item.info.id.startswith(("robustness.line", "robustness.power-cut-factor"))
]


def _with(**changes: Any) -> Callable[[MeterSettings], MeterSettings]:
    return lambda settings: replace(settings, **changes)


def _at(zone: str, *parts: int) -> int:
    return int(datetime(*parts, tzinfo=ZoneInfo(zone)).timestamp() * 1000)  # type: ignore[arg-type, misc]  # a date's parts


@pytest.mark.parametrize(
    "keys",
    [
        {"adjust": _with(gain_error=Fraction(4, 1000))},
        {"adjust": _with(clock_drift_ppm=Fraction(-5), clock_offset_ms=-1700, gain_error=Fraction(-3, 1000))},
        {"adjust": _with(clock_drift_ppm=Fraction(4)), "profile": "dlt698-carbon-meter"},
        {"adjust": _with(clock_offset_ms=2345), "profile": "dlt645-three-phase"},
        {"start_ms": _at("Asia/Shanghai", 2028, 2, 28, 23, 59, 59) + 999},
        {"start_ms": _at("Europe/Berlin", 2026, 10, 20, 3, 1, 2), "timezone": "Europe/Berlin"},
        {"start_ms": _at("UTC", 2026, 12, 31, 23, 44, 30), "timezone": "UTC"},
        {"rating": Rating("C", 57_700, 10, 50, 6_000, 1, constant=10_000)},
        {"rating": Rating("A", 230_000, 250, 500, 60_000, 20, phases=1), "profile": "dlt698-carbon-meter"},
    ],
    ids=["gain", "slow clock", "fast clock", "offset", "leap day", "summer time", "UTC", "57.7 V", "single phase"],
)
def test_a_right_meter_passes(keys: dict[str, Any]) -> None:
    assert [(result.id, failed(result)) for result in perform(*IDS, **keys) if failed(result)] == []


class Slow:
    """A device whose answers take time, as they do on a real line."""

    def __init__(self, dut: Any, time: Any) -> None:
        self._dut = dut
        self._time = time

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._dut, name)
        if name not in ("read", "row", "write", "raw"):
            return asked

        async def ask(*keys: Any) -> Any:
            await self._time.wait(30)
            try:
                return await asked(*keys)
            finally:
                await self._time.wait(45)

        return ask


@pytest.mark.parametrize(
    ("profile", "kind"),
    [("sim-carbon-meter", "is set"), ("dlt698-carbon-meter", "runs on"), ("dlt645-three-phase", "is set")],
)
def test_a_right_meter_passes_on_a_slow_line(profile: str, kind: str) -> None:
    def slow(bench: SimulatedBench) -> None:
        dut: Any = Slow(bench.dut, bench.time)
        bench.dut = dut
        # A DL/T 645 clock can't be set within the minute before midnight.
        lead_ms = 61_000 if profile.startswith("dlt645") else None
        jumps = SetForward(bench.time, dut, bench.timezone, midnight_lead_ms=lead_ms)
        bench.fast = JumpForward(bench.time, dut) if kind == "runs on" else jumps

    results = perform(*IDS, profile=profile, change=slow)
    assert [(result.id, failed(result)) for result in results if failed(result)] == []


def test_an_error_beyond_the_class_is_told_where_carbon_is_judged() -> None:
    result = perform("functions.directions", adjust=_with(gain_error=Fraction(3, 100)))[0]
    assert any("beside the standard" in what for what in failed(result))


class InAMoment(Meter):
    """Stores what a midnight has frozen 40 s later: until then the rows, and the day's carbon, are those of before."""

    def row(self, table: str, number: int, now_ms: int) -> Row:
        busy = self._is_busy(now_ms) and table != "factor_history"
        if table == "monthly_freezes" and busy:
            today_ms = day_start_ms(self.device_time(now_ms), self.settings.timezone)
            busy = bool(self.frozen.monthly) and self.frozen.monthly[0]["time"] == today_ms
        return super().row(table, number + busy, now_ms)

    def values(self, now_ms: int) -> Row:
        row = super().values(now_ms)
        if not self._is_busy(now_ms):
            return row
        before = self.frozen.carbon_days[1] if len(self.frozen.carbon_days) > 1 else {}
        more = {f"carbon_{way}_previous_day": before.get(f"carbon_{way}", 0) for way in ("forward", "reverse")}
        return {**row, **more}

    def _is_busy(self, now_ms: int) -> bool:
        self.advance(now_ms)
        device_ms = self.device_time(now_ms)
        return device_ms - day_start_ms(device_ms, self.settings.timezone) < 40_000


@pytest.mark.parametrize("name", [item.info.id for item in function_items() if Ability.FAST in item.info.needs])
@pytest.mark.parametrize("kind", ["is set", "runs on"])
def test_a_meter_that_stores_a_freeze_in_a_moment_passes(name: str, kind: str) -> None:
    def jump(bench: SimulatedBench) -> None:
        if kind == "is set":
            bench.fast = SetForward(bench.time, bench.dut, bench.timezone)

    result = perform(name, firmware=InAMoment, change=jump)[0]
    assert (result.verdict, failed(result)) == (Verdict.PASSED, [])


def test_a_freeze_that_is_taken_late_is_told_from_one_that_is_stored_late_in_every_row() -> None:
    for name, rows in (("functions.daily-freezes", 30), ("functions.monthly-freezes", 12)):
        (wrong,) = (step for step in perform(name, firmware=FreezeLate)[0].steps if not step.good)
        assert wrong.found.startswith(f"{rows} of {rows} wrong: row 1: energy_")
