"""Daily and monthly freezes (日冻结、月冻结): 1 to 30 and 1 to 12 back, month ends, leap day, the local midnight."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

from diantan_core import day_start_ms, next_day_start_ms, next_month_start_ms
from firmware_sim.inspection.bench import Ability, Bench
from firmware_sim.inspection.functions.account import frozen, read_row, row_step, scales
from firmware_sim.inspection.functions.checks import Checks
from firmware_sim.inspection.functions.expectations import DAILY_ROWS, MONTHLY_ROWS, Expectations
from firmware_sim.inspection.functions.journey import DAY_MS, Journey, by_setting
from firmware_sim.inspection.functions.loads import directions, factor, give_day, hold
from firmware_sim.inspection.functions.storage import MINUTE_MS

DAILY: Final = "daily_freezes"
MONTHLY: Final = "monthly_freezes"
_HOUR_MS: Final = 3_600_000
_BY_SETTING_MS: Final = 500_000  # with its two midnights
_FEBRUARY: Final = 2
_LEAP_DAY: Final = 29
_LENGTHS: Final = 3  # of months: 28 or 29, 30, 31
_SHARES: Final = 5


async def daily(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Live through so many days, each with other loads, and read all rows."""
    journey = await Journey.begin(bench, expectations)
    await journey.fresh()
    midnights = []
    for number in range(DAILY_ROWS):
        day = journey.today_ms
        bench.tell(f"day {number + 1} of {DAILY_ROWS}")
        await _day_of_loads(journey, day, number)
        midnights.append(next_day_start_ms(day, bench.timezone))
        await journey.travel(midnights[-1])
    await _all_rows(journey, checks, DAILY, midnights)


async def monthly(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Live through so many months, with other loads in each, and read all rows."""
    journey = await Journey.begin(bench, expectations)
    await journey.fresh()
    midnights: list[int] = []
    for number in range(MONTHLY_ROWS):
        bench.tell(f"month {number + 1} of {MONTHLY_ROWS}")
        day = journey.today_ms
        await _day_of_loads(journey, day, number)
        midnights.append(next_month_start_ms(int(journey.device_ms), bench.timezone))
        await journey.travel(midnights[-1])
    await _all_rows(journey, checks, MONTHLY, midnights)


async def _day_of_loads(journey: Journey, day_ms: int, number: int) -> None:
    """Let other amounts flow in each direction, with a factor of the day's own; some load stays on."""
    await hold(journey, factor(number), DAY_MS)
    for turn, load in enumerate(directions(journey.bench, Fraction(1, 2 + number % _SHARES))):
        await journey.travel(day_ms + (6 + 8 * turn) * _HOUR_MS)
        await journey.load(load)
        await journey.wait((2 + number % 3) * MINUTE_MS)


async def _all_rows(journey: Journey, checks: Checks, table: str, midnights: list[int]) -> None:
    # With load, so that the last row, too, tells a freeze that came late from one that was read late.
    await journey.let_store()
    await journey.load(None)
    await journey.look()
    wrong = []
    for back, midnight in enumerate(reversed(midnights), 1):
        said = await frozen(journey, table, back, midnight)
        wrong += [f"row {back}: {', '.join(said)}"] if said else []
    expected = f"rows 1 to {len(midnights)} back, the registers at each midnight, newest first"
    checks.rows(table, expected, len(midnights), wrong)
    await scales(journey, checks, table)


async def month_ends(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Live through the ends of months of 28 or 29, 30 and 31 days with load, to the second."""
    journey = await Journey.begin(bench, expectations)
    await journey.fresh()
    lengths: set[int] = set()
    while len(lengths) < _LENGTHS:
        end = next_month_start_ms(int(journey.device_ms), bench.timezone)
        days = _local(bench, end - 1).day
        if max(days, _LEAP_DAY) in lengths:
            await journey.travel(end)
            continue
        lengths.add(max(days, _LEAP_DAY))  # February counts once
        bench.tell(f"the end of a month of {days} days")
        await _across_month_end(journey, checks, end, f"{days} days")


async def _across_month_end(journey: Journey, checks: Checks, end: int, which: str) -> None:
    bench = journey.bench
    # Two midnights before: the last days of a month must not end it.
    before_last = day_start_ms(day_start_ms(end - 1, bench.timezone) - 1, bench.timezone)
    await journey.load(None)
    await journey.travel(before_last)
    await hold(journey, factor(len(which)))
    kept = await _present(bench, MONTHLY)
    await _across(journey, end)
    if kept is not None:
        row = dict(await read_row(bench, MONTHLY, 2))
        checks.that(f"{which}: the month ends once", kept or "no row", row or "no row", good=row == kept)
        await row_step(journey, checks, f"{which}: monthly freeze", (MONTHLY, 1), end)
    if Ability.DAILY_FREEZES in bench.dut.abilities:
        await row_step(journey, checks, f"{which}: daily freeze", (DAILY, 1), end)


async def _across(journey: Journey, midnight: int) -> None:
    """Live through a midnight with load, and with other factors on both sides of it."""
    bench = journey.bench
    day = day_start_ms(midnight - 1, bench.timezone)
    await journey.travel(midnight - MINUTE_MS)
    await give_day(journey, day, day // DAY_MS)
    await give_day(journey, midnight, day // DAY_MS + 1)
    await journey.load(directions(bench)[0])
    await journey.live_to(midnight + MINUTE_MS)
    await journey.load(None)
    await journey.look()


async def _present(bench: Bench, table: str) -> Mapping[str, int] | None:
    """Return the newest row; None where the device keeps no such table."""
    ability = Ability.MONTHLY_FREEZES if table == MONTHLY else Ability.DAILY_FREEZES
    return dict(await read_row(bench, table, 1)) if ability in bench.dut.abilities else None


async def leap_day(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Live through 29 February: it has its day and its freeze, and the month ends after it."""
    journey = await Journey.begin(bench, expectations)
    leap = _next_leap_day(bench, int(journey.device_ms) + 3 * DAY_MS)
    eve = day_start_ms(leap - 1, bench.timezone)
    bench.tell(f"on the way to {_local(bench, leap):%Y-%m-%d}")
    if not by_setting(bench) or Ability.CLOCK_SET not in bench.dut.abilities:
        await journey.travel(eve)
    else:
        await journey.set_clock(eve + 12 * _HOUR_MS)
    await hold(journey, factor(0))
    kept = await _present(bench, MONTHLY)
    for midnight, day in ((leap, "28 February"), (next_day_start_ms(leap, bench.timezone), "29 February")):
        await _across(journey, midnight)
        if Ability.DAILY_FREEZES in bench.dut.abilities:
            await row_step(journey, checks, f"daily freeze after {day}", (DAILY, 1), midnight)
        if kept is None:
            continue
        if midnight == leap:
            row = dict(await read_row(bench, MONTHLY, 1))
            checks.that("28 February does not end the month", kept or "no row", row or "no row", good=row == kept)
        else:
            await row_step(journey, checks, f"monthly freeze after {day}", (MONTHLY, 1), midnight)


async def local_midnight(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Live through the midnight of UTC and the local one: only the local one ends the day."""
    journey = await Journey.begin(bench, expectations)
    await journey.fresh()
    await journey.let_store()
    local = journey.midnight_ms
    await hold(journey, factor(1), local - int(journey.device_ms) + DAY_MS // 2)
    utc = journey.today_ms - journey.today_ms % DAY_MS + DAY_MS
    kept = await _present(bench, DAILY)
    assert kept is not None  # the item needs the ability
    if utc < local:
        await journey.travel(utc - MINUTE_MS)
        await journey.load(directions(bench)[0])
        await journey.live_to(utc + MINUTE_MS)
        await journey.load(None)
        row = dict(await read_row(bench, DAILY, 1))
        checks.that("the midnight of UTC ends no day", kept, row, good=row == kept)
    await _across(journey, local)
    await row_step(journey, checks, f"daily freeze at the midnight of {bench.timezone}", (DAILY, 1), local)
    second = dict(await read_row(bench, DAILY, 2))
    checks.that("there is no other one between", kept, second, good=second == kept)


def _local(bench: Bench, time_ms: int) -> datetime:
    zone = ZoneInfo(bench.timezone)
    return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=time_ms)).astimezone(zone)


def _next_leap_day(bench: Bench, after_ms: int) -> int:
    """Return the local midnight at which the next 29 February begins."""
    month = next_month_start_ms(after_ms, bench.timezone)
    while True:
        end = next_month_start_ms(month, bench.timezone)
        last = _local(bench, end - 1)
        if last.month == _FEBRUARY and last.day == _LEAP_DAY:
            return day_start_ms(end - 1, bench.timezone)
        month = end


def lasting_leap_day(bench: Bench, _: object) -> int:
    """Return how long it is until the next leap day, if the device has the bench's time."""
    if by_setting(bench):
        return _BY_SETTING_MS
    now = int(bench.time.now())
    return _next_leap_day(bench, now + 3 * DAY_MS) + 2 * DAY_MS - now
