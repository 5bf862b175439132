"""Setting the clock (校时) over midnight, forwards and backwards, and within and over slots."""

from typing import Final

from diantan_core import next_day_start_ms
from firmware_sim.inspection.bench import Ability, Bench
from firmware_sim.inspection.functions.account import frozen, read_row, registers, row_step
from firmware_sim.inspection.functions.checks import Checks
from firmware_sim.inspection.functions.expectations import Expectations
from firmware_sim.inspection.functions.freezes import DAILY
from firmware_sim.inspection.functions.given import SLOT_MS
from firmware_sim.inspection.functions.journey import Journey
from firmware_sim.inspection.functions.loads import directions, factor, give_day, steady
from firmware_sim.inspection.functions.shown import factor_shown
from firmware_sim.inspection.functions.storage import MINUTE_MS
from firmware_sim.inspection.functions.supply import day_carbon

_SECOND_MS: Final = 1_000
_BESIDE_MS: Final = 2 * MINUTE_MS  # of midnight: a DL/T 645 clock can't be set within the minute beside it


async def forward(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Set the clock from before midnight to after it: the day ends there, once."""
    journey, midnight, before = await _eve(bench, expectations)
    await journey.live_to(midnight - _BESIDE_MS)
    await journey.set_clock(midnight + _BESIDE_MS)
    await journey.wait(MINUTE_MS)
    await registers(journey, checks, "after the clock was set over midnight")
    await row_step(journey, checks, "the freeze of the midnight that was left out", (DAILY, 1), midnight)
    checks.equal("the freeze before it", before, dict(await read_row(bench, DAILY, 2)))
    await day_carbon(journey, checks, midnight)
    # The clock is put right again, which must freeze nothing.
    await journey.wait(6 * MINUTE_MS)
    await journey.set_clock(_whole(journey, -2 * _BESIDE_MS))
    await _next_midnight(journey, checks, midnight)


async def backward(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Set the clock from after midnight to before it: the midnight that comes again is not frozen again."""
    journey, midnight, before = await _eve(bench, expectations)
    await journey.live_to(midnight + _BESIDE_MS)
    await row_step(journey, checks, "the freeze when midnight was passed", (DAILY, 1), midnight)
    await journey.set_clock(midnight - _BESIDE_MS)
    await journey.live_to(midnight + 2 * _BESIDE_MS)
    await registers(journey, checks, "after midnight was passed a second time")
    await row_step(journey, checks, "the freeze when midnight was passed again", (DAILY, 1), midnight)
    checks.equal("the freeze before it", before, dict(await read_row(bench, DAILY, 2)))
    await day_carbon(journey, checks, midnight)
    await journey.set_clock(_whole(journey, 2 * _BESIDE_MS))
    await _next_midnight(journey, checks, midnight)


async def _eve(bench: Bench, expectations: Expectations) -> tuple[Journey, int, dict[str, int]]:
    """Return a journey some minutes before a midnight, with load, that midnight, and the newest row before it."""
    journey = await Journey.begin(bench, expectations)
    await journey.fresh()
    midnight = journey.midnight_ms
    await journey.travel(midnight - 2 * _BESIDE_MS)
    await give_day(journey, journey.today_ms, 1)
    await give_day(journey, midnight, 2)
    before = dict(await read_row(bench, DAILY, 1))
    await journey.load(directions(bench)[0])
    return journey, midnight, before


async def _next_midnight(journey: Journey, checks: Checks, midnight: int) -> None:
    """Go on to the next midnight: its freeze follows the one before, with none lost or doubled between."""
    bench = journey.bench
    following = next_day_start_ms(midnight, bench.timezone)
    await journey.load(None)
    await journey.travel(following)
    await journey.let_store()
    await journey.look()
    await row_step(journey, checks, "the freeze of the next midnight", (DAILY, 1), following)
    wrong = await frozen(journey, DAILY, 2, midnight)
    checks.that("the one before it", f"that of {midnight} ms", "; ".join(wrong) or "as expected", good=not wrong)


async def slots(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Set the clock within a slot, and over the start of one and back: the factor follows the clock, registers stay."""
    journey = await Journey.begin(bench, expectations)
    if journey.counts_carbon:
        now = journey.slot_ms
        await journey.give({now + number * SLOT_MS: factor(60 + number) for number in range(4)})
    await journey.next_slot()
    await journey.wait(4 * MINUTE_MS)
    await journey.load(steady(bench))
    start = journey.slot_ms
    for what, by_ms in (
        ("set on by 3 min within its slot", 3 * MINUTE_MS),
        ("set back by 4 min within its slot", -4 * MINUTE_MS),
        ("set on over the start of the next slot", SLOT_MS),
        ("set back to the slot before", -SLOT_MS),
    ):
        await journey.wait(MINUTE_MS)
        await journey.set_clock(_whole(journey, by_ms))
        if Ability.CARBON in bench.dut.abilities and journey.counts_carbon:
            await factor_shown(journey, checks, f"the factor when the clock was {what}")
        await journey.wait(MINUTE_MS)
        await registers(journey, checks, f"a minute after the clock was {what}")
    await journey.load(None)
    await journey.set_clock(_whole(journey, MINUTE_MS))  # as much in all as before
    checks.figures["slot"] = str(start)


def _whole(journey: Journey, by_ms: int) -> int:
    """Return the device's time so much later, in whole seconds: not every clock can be set finer."""
    moved = int(journey.device_ms) + by_ms
    return moved - moved % _SECOND_MS
