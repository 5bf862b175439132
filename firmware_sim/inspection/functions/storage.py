"""Data storage and display (数据存储与显示): the previous day's carbon, the digits, forward and reverse."""

from fractions import Fraction
from typing import Final

from diantan_core import next_day_start_ms
from firmware_sim.inspection.bench import Bench
from firmware_sim.inspection.functions.account import UNITS, of_flow, registers, scales
from firmware_sim.inspection.functions.checks import Checks, NotLookedAtError
from firmware_sim.inspection.functions.expectations import Expectations
from firmware_sim.inspection.functions.given import SLOT_MS
from firmware_sim.inspection.functions.journey import Journey, step_of
from firmware_sim.inspection.functions.loads import directions, give_day, hold, steady
from firmware_sim.inspection.functions.shown import DISPATCHED, factor_shown
from firmware_sim.inspection.functions.truth import WAYS

MINUTE_MS: Final = 60_000
DAYS_OF_LOAD: Final = 2
_QUARTERS: Final = (0, 24, 48, 72)  # slots of a day at which the load changes
_STAND_MS: Final = 4 * MINUTE_MS
_NG_DIGITS: Final = 12  # of a kg
_MG_DIGITS: Final = 6
_OFFICIAL_MG: Final = 581_300


async def previous_day(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Live through days with loads in both directions, and one without, and read the day's carbon after each."""
    names = [f"carbon_{way}_previous_day" for way in WAYS]
    names = [name for name in names if step_of(bench, name) is not None]
    if not names:
        raise NotLookedAtError("the device shows no carbon of the previous day")
    journey = await Journey.begin(bench, expectations)
    await journey.fresh()
    day = journey.today_ms
    await give_day(journey, day, 0)
    for number in range(DAYS_OF_LOAD + 1):
        midnight = next_day_start_ms(day, bench.timezone)
        loads = directions(bench, Fraction(1, number + 1))
        for turn, quarter in enumerate(_QUARTERS if number < DAYS_OF_LOAD else ()):
            await journey.travel(day + quarter * SLOT_MS)
            await journey.load(loads[turn % len(loads)])
            await journey.wait(_STAND_MS)
        # The midnight itself is lived through with load, except before and after the day without.
        await journey.travel(midnight - MINUTE_MS)
        await give_day(journey, midnight, number + 1)
        if number >= DAYS_OF_LOAD - 1:
            await journey.load(None)
        await journey.live_to(midnight + MINUTE_MS)
        await journey.look()
        values = await bench.dut.read(*names)
        flow = await journey.flowed(journey.passed(day), journey.passed(midnight))
        for name in names:
            way = name.removesuffix("_previous_day")
            wanted = await of_flow(journey, way, flow, 2 * journey.vague_ms)
            checks.near(f"day {number + 1}: {name}", UNITS["carbon"], wanted.value, values.get(name), wanted.tolerance)
        day = midnight
    await scales(journey, checks, "all days")


async def digits(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Look at the steps in which carbon (kg) and factor (kg/kWh) are shown, and that they are really used."""
    for way in WAYS:
        step = step_of(bench, f"carbon_{way}")
        if step is not None:
            _decimals(checks, f"carbon_{way} in kg", step, _NG_DIGITS, expectations.carbon_decimals)
    step = step_of(bench, "carbon_factor")
    if step is not None:
        _decimals(checks, "carbon_factor in kg/kWh", step, _MG_DIGITS, expectations.factor_decimals)
    checks.note(
        f"digits asked for: {expectations.carbon_decimals} of a kg, {expectations.factor_decimals} of a kg/kWh "
        "(a setting: what the standard asks is not known here)"
    )
    journey = await Journey.begin(bench, expectations)
    if not journey.counts_carbon:
        return
    await hold(journey, _OFFICIAL_MG, 2 * SLOT_MS)
    await factor_shown(journey, checks, "a factor of four decimals is shown with all of them", DISPATCHED)
    await journey.load(steady(bench))
    for minute in (1, 3, 7):
        await journey.wait(minute * MINUTE_MS)
        await registers(journey, checks, f"{minute} min on")


def _decimals(checks: Checks, what: str, step: int, of_unit: int, wanted: int) -> None:
    largest = 10 ** (of_unit - wanted) if wanted <= of_unit else 0
    checks.that(
        f"{what} is shown with its digits",
        f"at least {wanted} decimals",
        f"steps of 10^-{of_unit} times {step}",
        good=0 < step <= largest and largest % step == 0,
    )


async def separate(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Let energy flow forward, back, and forward again: each register counts its own direction alone."""
    journey = await Journey.begin(bench, expectations)
    forward, reverse = directions(bench)
    for number, (load, minutes) in enumerate(((forward, 10), (reverse, 20), (forward, 5), (reverse, 1)), 1):
        await hold(journey, 100_000 * (number + 3), minutes * MINUTE_MS + SLOT_MS)
        await journey.load(load)
        await journey.wait(minutes * MINUTE_MS)
        await registers(journey, checks, f"{number}: {minutes} min {'in reverse' if load.reverse else 'forward'}")
    await journey.load(None)
