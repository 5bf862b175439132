"""Factors every 15 minutes, and freezes read by command (通信功能)."""

from itertools import pairwise
from typing import Final

from diantan_core import next_month_start_ms
from firmware_sim.inspection.bench import Ability, Bench
from firmware_sim.inspection.functions.account import UNITS, of_flow, read_row, scales
from firmware_sim.inspection.functions.checks import Checks
from firmware_sim.inspection.functions.expectations import DAILY_ROWS, MONTHLY_ROWS, Expectations
from firmware_sim.inspection.functions.freezes import DAILY, MONTHLY
from firmware_sim.inspection.functions.given import SLOT_MS
from firmware_sim.inspection.functions.journey import DAY_SLOTS, Journey
from firmware_sim.inspection.functions.loads import directions, factor
from firmware_sim.inspection.functions.shown import DISPATCHED, look_at_factor
from firmware_sim.inspection.functions.storage import MINUTE_MS
from firmware_sim.inspection.metering.judging import text

_SECOND_MS: Final = 1_000
_REVERSE_EACH: Final = 4


async def factor_every_slot(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Send each slot of a day its factor a minute before it begins, and read factor and carbon in each."""
    journey = await Journey.begin(bench, expectations)
    await journey.fresh()
    loads = directions(bench)
    early, late, gained = [], [], []
    begin = journey.midnight_ms
    await journey.travel(begin - SLOT_MS)
    await journey.give({begin - SLOT_MS: factor(DAY_SLOTS)})
    for number in range(DAY_SLOTS):
        slot_ms = begin + number * SLOT_MS
        await journey.travel(slot_ms - MINUTE_MS)
        await journey.give({slot_ms: factor(number)})
        await journey.load(loads[-1 if number % _REVERSE_EACH == 0 else 0])
        await journey.live_to(slot_ms - _SECOND_MS)
        right, expected, found = await look_at_factor(journey, DISPATCHED)
        early += [] if right else [f"before slot {number + 1}: {found} instead of {expected}"]
        await journey.live_to(slot_ms + MINUTE_MS)
        right, expected, found = await look_at_factor(journey, DISPATCHED)
        late += [] if right else [f"in slot {number + 1}: {found} instead of {expected}"]
        said = await _carbon(journey)
        gained += [f"in slot {number + 1}: {', '.join(said)}"] if said else []
    await journey.load(None)
    if found:
        checks.rows("no factor holds before its slot", "the factor of the slot before", DAY_SLOTS, early)
        checks.rows("each factor holds from its slot on", "the slot's own factor", DAY_SLOTS, late)
    checks.rows("the carbon of each slot", "energy times the factor of each slot", DAY_SLOTS, gained)
    await scales(journey, checks, "the day")


async def _carbon(journey: Journey) -> list[str]:
    """Return what is wrong with the carbon registers now."""
    first, last = journey.first, await journey.look()
    flow = await journey.flowed(first.middle, last.middle)
    wrong = []
    for name in (name for name in last.values if name.startswith("carbon")):
        wanted = await of_flow(journey, name, flow, first.vague_ms + last.vague_ms)
        if not wanted.fits(journey.gained(name)):
            wrong.append(f"{name} gained {journey.gained(name)} instead of {text(wanted.value, 0)} {UNITS['carbon']}")
    return wrong


async def freezes_by_command(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Read rows in any order and again, with other readings between: a row stays what it is."""
    journey = await Journey.begin(bench, expectations)
    # One month's end at least, if it keeps such, and a day's after it.
    if Ability.MONTHLY_FREEZES in bench.dut.abilities:
        await journey.travel(next_month_start_ms(int(journey.device_ms), bench.timezone))
    await journey.travel(journey.midnight_ms)
    await journey.travel(journey.midnight_ms)
    await journey.let_store()
    for table, ability, rows in (
        (DAILY, Ability.DAILY_FREEZES, DAILY_ROWS),
        (MONTHLY, Ability.MONTHLY_FREEZES, MONTHLY_ROWS),
    ):
        if ability not in bench.dut.abilities:
            checks.note(f"the profile has no {table}")
            continue
        rising = {number: dict(await read_row(bench, table, number)) for number in range(1, rows + 1)}
        falling = {}
        for number in range(rows, 0, -1):
            await journey.look()
            falling[number] = dict(await read_row(bench, table, number))
        wrong = [
            f"row {number}: {falling[number]} and {rising[number]}"
            for number in rising
            if falling[number] != rising[number]
        ]
        checks.rows(f"{table}, read twice", "the same rows in any order", rows, wrong)
        filled = [number for number in rising if rising[number]]
        checks.that(
            f"{table}, rows without a gap",
            "filled from row 1 on",
            f"rows {filled}" if filled else "no rows",
            good=bool(filled) and filled == list(range(1, len(filled) + 1)),
        )
        times = [rising[number]["time"] for number in filled if "time" in rising[number]]
        falls = all(newer > older for newer, older in pairwise(times))
        checks.that(f"{table}, newest first", "falling times", times or "no times in the profile", good=falls)
