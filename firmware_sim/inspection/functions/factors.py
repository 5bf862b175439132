"""Factors that are missing, late, at a day's end, 0, undefined, too large, or of another time (电碳因子异常)."""

from typing import Final

from firmware_sim.inspection.bench import Ability, Bench, DutRefusedError
from firmware_sim.inspection.functions.account import registers, row_step
from firmware_sim.inspection.functions.checks import Checks, NotLookedAtError
from firmware_sim.inspection.functions.expectations import Expectations
from firmware_sim.inspection.functions.freezes import DAILY
from firmware_sim.inspection.functions.given import SLOT_MS
from firmware_sim.inspection.functions.journey import DAY_MS, Journey, UnsayableError
from firmware_sim.inspection.functions.loads import directions, factor, hold, steady
from firmware_sim.inspection.functions.shown import DEFAULT, DISPATCHED, HELD, UNDEFINED, factor_shown
from firmware_sim.inspection.functions.storage import MINUTE_MS

_QUALITY: Final = {"held": HELD, "default": DEFAULT, "undefined": UNDEFINED}
_FAR_MS: Final = 400 * DAY_MS
_LARGEST: Final = (2**32 - 2, 2**32 - 296, 100 * (2**16 - 1), 10**6 * 2**12, 10_000_000)
"""Largest factors that some encoding can say, mg/kWh: 32 bits, the same in hundreds, 16 bits in hundreds, …"""


async def missing(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Send no factor for the slots of a new day; what then holds is a setting."""
    journey = await Journey.begin(bench, expectations)
    await journey.fresh()
    midnight = journey.midnight_ms
    await journey.travel(midnight - SLOT_MS - MINUTE_MS)
    await journey.give({journey.slot_ms: factor(1), midnight - SLOT_MS: factor(2)})
    await journey.load(steady(bench))
    await journey.live_to(midnight - MINUTE_MS)
    await factor_shown(journey, checks, "in the last slot with a factor", DISPATCHED)
    for number in (1, 2):
        await journey.live_to(midnight + (number - 1) * SLOT_MS + MINUTE_MS)
        await factor_shown(journey, checks, f"in slot {number} without", _QUALITY[expectations.missing])
        await registers(journey, checks, f"in slot {number} without")
    await journey.load(None)
    checks.note(f"a slot whose factor has not come: {expectations.missing} (a setting)")


async def late(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Send a factor within its slot, and one after it: what has been counted is never counted anew."""
    journey = await Journey.begin(bench, expectations)
    await hold(journey, factor(10))
    await journey.next_slot()
    slot_ms = journey.slot_ms
    await journey.give({slot_ms: factor(11)})
    await journey.load(steady(bench))
    await journey.wait(5 * MINUTE_MS)
    await journey.give({slot_ms: factor(12)})
    await factor_shown(journey, checks, "a factor that comes within its slot")
    await registers(journey, checks, "when it came")
    await journey.wait(5 * MINUTE_MS)
    await registers(journey, checks, "5 min later")
    await journey.give({slot_ms + SLOT_MS: factor(13)})
    await journey.live_to(slot_ms + SLOT_MS + 5 * MINUTE_MS)
    await registers(journey, checks, "in the next slot")
    await journey.give({slot_ms: factor(14)})
    await factor_shown(journey, checks, "when one comes for the slot that is over", DISPATCHED)
    await registers(journey, checks, "when it came")
    await journey.wait(5 * MINUTE_MS)
    await registers(journey, checks, "5 min later")
    await journey.load(None)


async def day_end(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Let the day's last slot and the next day's first have factors of their own, with load over midnight."""
    journey = await Journey.begin(bench, expectations)
    await journey.fresh()
    midnight = journey.midnight_ms
    await journey.travel(midnight - SLOT_MS - MINUTE_MS)
    await journey.give({journey.slot_ms: factor(21), midnight - SLOT_MS: factor(22)})
    await journey.give({midnight: factor(23)})
    loads = directions(bench)
    for what, until, load in (
        ("in the last slot", midnight - SLOT_MS + MINUTE_MS, loads[0]),
        ("at the end of the day", midnight - MINUTE_MS, loads[-1]),
        ("in the first slot", midnight + MINUTE_MS, loads[0]),
    ):
        await journey.load(load)
        await journey.live_to(until)
        await factor_shown(journey, checks, what, DISPATCHED)
        await registers(journey, checks, what)
    await journey.load(None)
    if Ability.DAILY_FREEZES in bench.dut.abilities:
        await row_step(journey, checks, "the day's freeze", (DAILY, 1), midnight)


async def zero(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Give the factor 0: energy counts, carbon stands; and it is a factor, not the absence of one."""
    journey = await Journey.begin(bench, expectations)
    await _three(journey, checks, 0, DISPATCHED)


async def undefined(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Say that there is no factor: energy counts, carbon stands, and the device shows none."""
    journey = await Journey.begin(bench, expectations)
    await _three(journey, checks, None, UNDEFINED)


async def _three(journey: Journey, checks: Checks, factor_mg: int | None, quality: int) -> None:
    """Let energy flow before, with, and after a special factor."""
    await hold(journey, factor(31), SLOT_MS)
    await journey.load(steady(journey.bench))
    await journey.wait(2 * MINUTE_MS)
    await hold(journey, factor_mg, SLOT_MS)
    await factor_shown(journey, checks, "when it is given", quality)
    await journey.wait(5 * MINUTE_MS)
    await registers(journey, checks, "with it")
    await hold(journey, factor(32), SLOT_MS)
    await factor_shown(journey, checks, "after it", DISPATCHED)
    await journey.wait(2 * MINUTE_MS)
    await registers(journey, checks, "after it")
    await journey.load(None)


async def too_large(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Give the largest factor that can be said: refused, or counted with; beyond the maker's bound only refused."""
    journey = await Journey.begin(bench, expectations)
    await hold(journey, factor(41), SLOT_MS)
    await journey.load(steady(bench))
    await journey.wait(MINUTE_MS)
    limit = expectations.largest_factor_mg
    for candidate in _LARGEST if limit is None else (limit + 100 - limit % 100, *_LARGEST):
        if limit is not None and candidate <= limit:
            continue
        try:
            await hold(journey, candidate, SLOT_MS)
        except UnsayableError:
            continue
        except DutRefusedError as error:
            checks.that(f"a factor of {candidate} mg/kWh", "refused", f"refused: {error}", good=True)
        else:
            wanted = "refused" if limit is not None else "refused, or counted with"
            checks.that(f"a factor of {candidate} mg/kWh", wanted, "taken", good=limit is None)
        break
    else:
        raise NotLookedAtError("the profile can say no factor that is out of range")
    if limit is None:
        checks.note("no bound is published from which on a factor must be refused; largest_factor_mg sets one")
    await factor_shown(journey, checks, "the factor in force")
    await journey.wait(MINUTE_MS)
    await registers(journey, checks, "with it, or without")
    await hold(journey, factor(42), SLOT_MS)
    await journey.wait(MINUTE_MS)
    await registers(journey, checks, "after it")
    await journey.load(None)


async def far(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Send factors of slots far in the past and in the future: neither touches what is in force, or the registers."""
    journey = await Journey.begin(bench, expectations)
    await hold(journey, factor(51), SLOT_MS)
    await journey.load(steady(bench))
    await journey.wait(MINUTE_MS)
    for what, slot_ms in (("past", journey.slot_ms - _FAR_MS), ("future", journey.slot_ms + _FAR_MS)):
        try:
            await journey.give({slot_ms - slot_ms % SLOT_MS: factor(52)})
        except DutRefusedError as error:
            done, said = "refused", f"refused: {error}"
        else:
            done, said = "stored", "taken"
        wanted = "refused or taken" if expectations.far == "either" else expectations.far
        checks.that(f"a factor of the far {what}", wanted, said, good=expectations.far in ("either", done))
        await factor_shown(journey, checks, f"the factor in force after one of the far {what}")
        await journey.wait(MINUTE_MS)
        await registers(journey, checks, f"after one of the far {what}")
    await journey.load(None)
    checks.note(f"a factor of a slot 400 days away: {expectations.far} (a setting)")


def lasting_slots(number: int) -> int:
    """Return how long so many slots take."""
    return number * SLOT_MS
