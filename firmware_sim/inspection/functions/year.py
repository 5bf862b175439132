"""365 days of factors and of daily carbon (365 天电碳因子与碳排放量), every row of them."""

from fractions import Fraction
from typing import Final

from diantan_core import next_day_start_ms
from firmware_sim.inspection.bench import Ability, Bench, DutRefusedError
from firmware_sim.inspection.functions.account import of_flow, read_row, scales
from firmware_sim.inspection.functions.checks import Checks, NotLookedAtError
from firmware_sim.inspection.functions.expectations import YEAR_DAYS, Expectations
from firmware_sim.inspection.functions.given import SLOT_MS
from firmware_sim.inspection.functions.journey import DAY_MS, DAY_SLOTS, Journey, UnsayableError, by_setting
from firmware_sim.inspection.functions.loads import day_factors, directions
from firmware_sim.inspection.functions.truth import WAYS
from firmware_sim.inspection.metering.judging import text

CARBON: Final = "daily_carbon"
FACTORS: Final = "factor_history"
_SELECTOR: Final = "factor_history_day"
_EACH_UNDEFINED: Final = 41  # slots: so the undefined ones wander through the day
_MOST_SHARES: Final = 6
_TELL_DAYS: Final = 15
_TURNS: Final = 2  # loads of a day
_STAND_MS: Final = 10_000  # what flows where the clock is set over the rest of the day
_DAY_BY_SETTING_MS: Final = 190_000


async def year(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Live through the days with known loads and factors, other ones in each slot, then read all rows back."""
    abilities = bench.dut.abilities
    if not abilities & {Ability.DAILY_CARBON, Ability.FACTOR_HISTORY}:
        raise NotLookedAtError("the device keeps neither daily carbon nor factors that can be read")
    journey = await Journey.begin(bench, expectations)
    await journey.fresh()
    undefined = await _says_undefined(journey, checks)
    days = await _live(journey, undefined=undefined)
    await journey.let_store()
    await journey.load(None)
    await journey.look()
    if Ability.DAILY_CARBON in abilities:
        await _carbon(journey, checks, days)
        await scales(journey, checks, "all days")
    else:
        checks.note("the device keeps no daily carbon that can be read: factors only")
    if Ability.FACTOR_HISTORY in abilities:
        await _factors(journey, checks, days)
    else:
        checks.note("the device keeps no factors that can be read: daily carbon only")
    checks.figures["days"] = str(len(days) - 1)
    if expectations.year_days < YEAR_DAYS:
        checks.note(f"shortened: {expectations.year_days} of {YEAR_DAYS} days were lived through")
    if expectations.every_days > 1:
        checks.note(f"sampled: of the rows, those of every {expectations.every_days}th day were read")


async def _says_undefined(journey: Journey, checks: Checks) -> bool:
    """Return whether the device can be told that a slot has no factor."""
    try:
        await journey.give({journey.slot_ms: None})
    except UnsayableError:
        checks.note("the profile can't say that a factor is undefined: all slots have one")
        return False
    except DutRefusedError:
        checks.note("the device takes no undefined factor: all slots have one")
        return False
    return True


async def _live(journey: Journey, *, undefined: bool) -> list[int]:
    """Live through the days; return the local midnights at which they begin, and the one after the last."""
    bench, number = journey.bench, journey.expectations.year_days
    day = journey.today_ms
    days = [day]
    await journey.give(_factors_of(bench, day, 0, undefined=undefined))
    for count in range(number):
        if count % _TELL_DAYS == 0:
            bench.tell(f"day {count + 1} of {number}")
        midnight = next_day_start_ms(day, bench.timezone)
        loads = directions(bench, Fraction(1, 2 + count % _MOST_SHARES))
        for turn in range(_TURNS):
            await journey.travel(day + turn * DAY_MS // _TURNS)
            await journey.load(loads[turn % len(loads)])
            await journey.wait(_STAND_MS * (1 + (count + turn) % 3))
        # In the afternoon: not every device takes factors for much more than a day ahead.
        await journey.give(_factors_of(bench, midnight, count + 1, undefined=undefined))
        await journey.travel(midnight)
        day = midnight
        days.append(day)
    return days


def _factors_of(bench: Bench, day_ms: int, number: int, *, undefined: bool) -> dict[int, int | None]:
    factors = day_factors(bench, day_ms, number)
    if undefined:
        for index, slot_ms in enumerate(factors):
            if (number * DAY_SLOTS + index) % _EACH_UNDEFINED == 0:
                factors[slot_ms] = None
    return factors


async def _carbon(journey: Journey, checks: Checks, days: list[int]) -> None:
    """Read the row of each day."""
    wrong, count = [], 0
    ways = [way for way in WAYS if f"carbon_{way}" in journey.first.values]
    for back in range(1, len(days), journey.expectations.every_days):
        day, midnight = days[-1 - back], days[-back]
        row = await read_row(journey.bench, CARBON, back)
        count += 1
        said = [] if row.get("time") == day else [f"time {row.get('time')} instead of {day} ms"]
        flow = await journey.flowed(journey.passed(day), journey.passed(midnight))
        for way in ways:
            wanted = await of_flow(journey, f"carbon_{way}", flow, 2 * journey.vague_ms)
            found = row.get(f"carbon_{way}")
            if not wanted.fits(found):
                said.append(f"{way} {found} instead of {text(wanted.value, 0)} ng")
        wrong += [f"row {back}: {', '.join(said)}"] if said else []
    checks.rows("daily carbon", "each row the carbon of its day, newest first", count, wrong)


async def _factors(journey: Journey, checks: Checks, days: list[int]) -> None:
    """Choose each day and read the factor of each of its slots."""
    wrong, count = [], 0
    for back in range(1, len(days), journey.expectations.every_days):
        day, midnight = days[-1 - back], days[-back]
        if (back - 1) % _TELL_DAYS == 0:
            journey.bench.tell(f"factors of {back} days back")
        await journey.bench.dut.write(_SELECTOR, {"day": back})
        for number, slot_ms in enumerate(range(day, midnight, SLOT_MS)[:DAY_SLOTS], 1):
            row = await read_row(journey.bench, FACTORS, number)
            count += 1
            factor = journey.given.of_slot(slot_ms)
            if row.get("time") != slot_ms or row.get("carbon_factor") != factor:
                wrong.append(f"{back} days back, slot {number}: {dict(row)} instead of {slot_ms} ms, {factor} mg/kWh")
    checks.rows("factor history", "the factor of each slot of each day", count, wrong)


def lasting(bench: Bench, expectations: Expectations) -> int:
    """Return how long the days take; each slot of them is lived through where the clock is set, too."""
    if by_setting(bench):
        return (expectations.year_days + 1) * _DAY_BY_SETTING_MS
    return (expectations.year_days + 3) * DAY_MS
