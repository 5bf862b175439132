"""Power cuts (停电与上电): what is kept, what is not counted, and what happens in the worst moments."""

import asyncio
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from firmware_sim.inspection.bench import Ability, Bench, DutError
from firmware_sim.inspection.functions.account import of_flow, read_row, registers, row_step
from firmware_sim.inspection.functions.checks import Checks
from firmware_sim.inspection.functions.expectations import Expectations
from firmware_sim.inspection.functions.freezes import DAILY
from firmware_sim.inspection.functions.given import SLOT_MS
from firmware_sim.inspection.functions.journey import DAY_MS, Journey, by_setting, step_of
from firmware_sim.inspection.functions.loads import directions, factor, hold, steady
from firmware_sim.inspection.functions.shown import factor_shown
from firmware_sim.inspection.functions.storage import MINUTE_MS
from firmware_sim.inspection.functions.truth import WAYS
from firmware_sim.inspection.metering.judging import text

_PATIENCE_MS: Final = 60_000  # in which a device must answer after the supply is back
_PAUSE_MS: Final = 500
_SHORT_CUTS: Final = 3
_TRIES: Final = 2
_BY_SETTING_MS: Final = 3_600_000  # of which 45 min are lived through
_ROOM_MS: Final = 6 * MINUTE_MS  # one factor must hold until what came of the write is known


async def kept(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Cut the supply under load, for long over the start of a slot, and shortly and often; then let the day end.

    Where the day's carbon can be told, all of it flows on a day of its own.
    """
    journey = await Journey.begin(bench, expectations)
    unseen = _day_unseen(bench)
    if not unseen:
        await journey.fresh()
    if journey.counts_carbon:
        await journey.next_slot()
        await journey.give({journey.slot_ms: factor(1)})
        await journey.give({journey.slot_ms + SLOT_MS: factor(2), journey.slot_ms + 2 * SLOT_MS: factor(3)})
    freezes, day = await _newest(bench), journey.midnight_ms
    await journey.load(steady(bench))
    await journey.wait(10 * MINUTE_MS)
    await registers(journey, checks, "before the cut")
    await _dark(journey, 10 * MINUTE_MS)
    await _clock(journey, checks, "after 10 min in the dark")
    if journey.counts_carbon:
        await factor_shown(journey, checks, "the factor after 10 min in the dark")
    await registers(journey, checks, "after 10 min in the dark")
    await journey.wait(MINUTE_MS)
    await registers(journey, checks, "a minute later")
    for number in range(_SHORT_CUTS):
        await _dark(journey, 1000 + number * 500)
        await journey.wait(1000)
    await registers(journey, checks, f"after {_SHORT_CUTS} short cuts")
    await _clock(journey, checks, "after the short cuts")
    await journey.load(None)
    if freezes and journey.midnight_ms == day:
        checks.equal("the newest rows of the freezes", freezes, await _newest(bench))
    if unseen:
        checks.note(f"the carbon of the day with its cuts was not looked at: {unseen}")
        return
    await journey.travel(day)
    await journey.let_store()
    await journey.look_at_clock()
    await journey.look()
    await day_carbon(journey, checks, day)


def _day_unseen(bench: Bench) -> str:
    """Return why the carbon of a day can't be told on this bench; empty where it can."""
    if bench.fast is None:
        return "time can't be run forward to midnight"
    lacking = sorted({Ability.CARBON, Ability.FACTOR, Ability.CLOCK_READ} - bench.dut.abilities)
    if lacking:
        return f"it needs {', '.join(lacking)}"
    return "" if _day_names(bench) else "the device shows no carbon of the previous day"


def lasting_kept(bench: Bench, _: object) -> int:
    """Return how long the cuts take, with the days before and after where the day's carbon is looked at."""
    if _day_unseen(bench):
        return 3 * SLOT_MS
    return _BY_SETTING_MS if by_setting(bench) else 4 * DAY_MS


def _day_names(bench: Bench) -> list[str]:
    """Return the points of the previous day's carbon that the device has."""
    names = (f"carbon_{way}_previous_day" for way in WAYS)
    return [name for name in names if step_of(bench, name) is not None]


async def over_midnight(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Cut the supply a minute before midnight and give it back a minute after: the day ends as it must."""
    journey = await Journey.begin(bench, expectations)
    await journey.fresh()
    midnight = journey.midnight_ms
    await journey.travel(midnight - 5 * MINUTE_MS)
    if journey.counts_carbon:
        await journey.give({journey.slot_ms: factor(5)})
        await journey.give({midnight: factor(6)})
    before = dict(await read_row(bench, DAILY, 1))
    await journey.load(directions(bench)[0])
    await journey.live_to(midnight - MINUTE_MS)
    await _dark(journey, 2 * MINUTE_MS)
    await journey.wait(MINUTE_MS)
    await registers(journey, checks, "after a midnight in the dark")
    await journey.load(None)
    await row_step(journey, checks, "the day's freeze", (DAILY, 1), midnight)
    checks.equal("the freeze of the day before", before, dict(await read_row(bench, DAILY, 2)))
    await day_carbon(journey, checks, midnight)


async def day_carbon(journey: Journey, checks: Checks, midnight: int) -> None:
    """Hold the previous day's carbon against all that flowed since the item began: nothing had before, on that day."""
    names = _day_names(journey.bench)
    if not names:
        return
    values = await journey.bench.dut.read(*names)
    flow = await journey.flowed(journey.first.middle, journey.passed(midnight))
    for name in names:
        wanted = await of_flow(journey, name.removesuffix("_previous_day"), flow, journey.vague_ms)
        checks.near(name, "ng", wanted.value, values.get(name), wanted.tolerance)


async def factor_write(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Cut the supply while a factor is written, and just after: the old or the new one is there, whole."""
    journey = await Journey.begin(bench, expectations)
    await hold(journey, factor(11), 2 * SLOT_MS)
    for number in range(1, _TRIES + 1):
        what = f"cut {number} during a write"
        if journey.slot_ms + SLOT_MS - journey.device_ms < _ROOM_MS:
            await journey.next_slot()
            await hold(journey, factor(11), 2 * SLOT_MS)
        written = asyncio.ensure_future(_try(journey, factor(12 + number)))
        await asyncio.sleep(0)  # the request is on its way
        await _cut(journey, written, MINUTE_MS)
        confirmed = await written
        await _either(journey, checks, what, factor(12 + number), confirmed=confirmed)
    await journey.restart()
    await hold(journey, factor(19), 2 * SLOT_MS)
    await _dark(journey, MINUTE_MS)
    await factor_shown(journey, checks, "a factor that was confirmed just before the cut")
    await journey.load(steady(bench))
    await journey.wait(2 * MINUTE_MS)
    await registers(journey, checks, "with the factor that was confirmed")
    await journey.load(None)


async def _try(journey: Journey, factor_mg: int) -> bool:
    """Write a factor to the running slot; return whether the device confirmed it."""
    slot_ms = journey.slot_ms
    try:
        await journey.say("factor", {"time": slot_ms, "carbon_factor": factor_mg})
    except DutError:
        return False
    return True


async def _cut(journey: Journey, written: "asyncio.Future[bool]", lasting_ms: int) -> None:
    bench = journey.bench
    await bench.source.cut()
    try:
        await asyncio.wait([written])
        await journey.wait(lasting_ms)
    finally:
        await bench.source.restore()
    await _answers(journey)


async def _either(journey: Journey, checks: Checks, what: str, new: int, *, confirmed: bool) -> None:
    """Find out by the carbon of two minutes which factor the device has: the old or the new, nothing between."""
    bench = journey.bench
    old = journey.given.at(journey.device_ms, journey.now)
    await journey.restart()
    await journey.load(steady(bench))
    await journey.wait(2 * MINUTE_MS)
    await journey.load(None)
    await journey.look()
    candidates = {new} if confirmed else {old, new}
    flow = await journey.flowed(journey.first.middle, journey.last.middle)
    found = journey.gained("carbon_forward")
    energy = flow.energy["forward"]
    step = bench.dut.resolution("carbon_forward")
    fits = []
    scale = await journey.scale("forward")
    for candidate in sorted(value or 0 for value in candidates):
        vague = (journey.slack_ms + journey.first.vague_ms + journey.last.vague_ms) * journey.peak
        if abs(found - energy * scale.factor * candidate) < step + vague * candidate:
            fits.append(candidate)
    checks.that(
        f"{what}: the factor that the carbon tells of",
        " or ".join(f"{value} mg/kWh" for value in sorted(value or 0 for value in candidates)),
        f"{text(found / energy, 3)} mg/kWh" if energy else "no energy",
        good=bool(fits),
    )
    if step_of(bench, "carbon_factor") is not None:
        shown = (await bench.dut.read("carbon_factor")).get("carbon_factor")
        checks.that(f"{what}: the factor shown", sorted(str(value) for value in candidates), shown, good=shown in fits)
    await hold(journey, factor(11), SLOT_MS)


async def _dark(journey: Journey, lasting_ms: int) -> None:
    """Take the supply away for a time and wait until the device answers again."""
    bench = journey.bench
    before = journey.now
    await bench.source.cut()
    try:
        journey.slack_ms += journey.now - before
        await journey.wait(lasting_ms)
    finally:
        await bench.source.restore()
    await _answers(journey)


async def _answers(journey: Journey) -> None:
    """Wait until the device answers; what it measured while it was starting is not known."""
    restored = journey.now
    while True:
        try:
            await journey.look()
        except DutError:
            if journey.now - restored > _PATIENCE_MS:
                raise
            await journey.wait(_PAUSE_MS)
        else:
            break
    journey.slack_ms += journey.now - restored


async def _clock(journey: Journey, checks: Checks, what: str) -> None:
    bench = journey.bench
    if step_of(bench, "device_time") is None:
        return
    before = journey.now
    found = (await bench.dut.read("device_time")).get("device_time")
    expected = journey.device_ms
    limit = bench.limits.clock_seconds_per_day * 1000
    tolerance = journey.clock_ms + (journey.now - before) + journey.vague_ms + limit
    checks.near(f"the clock {what}", "ms", Fraction(int(expected)), found, tolerance)


async def _newest(bench: Bench) -> dict[str, Mapping[str, int]]:
    found: dict[str, Mapping[str, int]] = {}
    for table, ability in ((DAILY, Ability.DAILY_FREEZES), ("monthly_freezes", Ability.MONTHLY_FREEZES)):
        if ability in bench.dut.abilities:
            found[table] = dict(await read_row(bench, table, 1))
    return found
