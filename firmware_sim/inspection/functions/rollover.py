"""Registers that start again from 0 at their end (翻转): nothing is lost, and what is formed from them stays right."""

from fractions import Fraction
from math import ceil
from typing import Final

from firmware_sim.inspection.bench import Ability, Bench
from firmware_sim.inspection.functions.account import registers, row_step
from firmware_sim.inspection.functions.checks import Checks, NotLookedAtError
from firmware_sim.inspection.functions.expectations import Expectations
from firmware_sim.inspection.functions.freezes import DAILY
from firmware_sim.inspection.functions.given import SLOT_MS
from firmware_sim.inspection.functions.journey import Journey, step_of
from firmware_sim.inspection.functions.loads import directions, factor, hold
from firmware_sim.inspection.functions.storage import MINUTE_MS
from firmware_sim.inspection.functions.supply import day_carbon
from firmware_sim.inspection.metering.measure import UJ_PER_MWH
from firmware_sim.inspection.points import LoadPoint

_BEFORE_MS: Final = 10 * MINUTE_MS  # of load until the end is reached
_FACTOR: Final = 0


async def energy(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Bring the energy registers near their end and over it."""
    await _over_the_end(bench, checks, expectations, "energy")


async def carbon(bench: Bench, checks: Checks, expectations: Expectations) -> None:
    """Bring the carbon registers near their end and over it."""
    await _over_the_end(bench, checks, expectations, "carbon")


async def _over_the_end(bench: Bench, checks: Checks, expectations: Expectations, quantity: str) -> None:
    loads = directions(bench)
    ends, near = _near_the_end(bench, checks, quantity, loads)
    assert bench.registers is not None
    await bench.source.set(None)
    await bench.registers.preset(near)
    journey = await Journey.begin(bench, expectations)
    journey.ends = ends
    for name, value in near.items():
        # Part of a step may have been there already: it stays.
        found = journey.first.values[name]
        checks.that(f"{name} before its end", value, found, good=0 <= found - value <= bench.dut.resolution(name))
    fast = bench.fast is not None and Ability.DAILY_FREEZES in bench.dut.abilities
    if fast:
        await journey.fresh()
    for load in loads:
        name = _register(quantity, load)
        if name not in near:
            continue
        # A coarse register may be further from its end than the minutes that were meant.
        before_ms = ceil((ends[name] - near[name]) / _flow(quantity, load) / MINUTE_MS) * MINUTE_MS
        await hold(journey, factor(_FACTOR), 2 * before_ms + SLOT_MS)
        await journey.load(load)
        await journey.wait(before_ms // 2)
        await registers(journey, checks, f"{name}, before the end")
        await journey.wait(before_ms)
        await registers(journey, checks, f"{name}, beyond the end")
    await journey.load(None)
    for name, value in near.items():
        found = journey.last.values[name]
        checks.that(f"{name} starts again", f"below {ends[name]}", found, good=0 <= found < value)
    if fast:
        midnight = journey.midnight_ms
        await journey.travel(midnight)
        await journey.let_store()
        await row_step(journey, checks, "the day's freeze", (DAILY, 1), midnight)
        await day_carbon(journey, checks, midnight)


def _near_the_end(
    bench: Bench, checks: Checks, quantity: str, loads: list[LoadPoint]
) -> tuple[dict[str, int], dict[str, int]]:
    """Return at what values the registers end, and those from which some minutes of load reach the end."""
    if bench.registers is None:
        raise NotLookedAtError("the bench can't set the device's registers")
    ends: dict[str, int] = {}
    near: dict[str, int] = {}
    for load in loads:
        name = _register(quantity, load)
        step = step_of(bench, name)
        if step is None:
            continue
        try:
            ends[name] = bench.registers.end(name)
        except KeyError:
            checks.note(f"{name} has no end that is known")
            continue
        near[name] = ends[name] - ceil(_flow(quantity, load) * _BEFORE_MS / step) * step
    if not near:
        raise NotLookedAtError(f"no register of {quantity} has an end that is known")
    return ends, near


def _register(quantity: str, load: LoadPoint) -> str:
    return f"{quantity}_{'reverse' if load.reverse else 'forward'}"


def _flow(quantity: str, load: LoadPoint) -> Fraction:
    """Return what a register gains in a ms, in its unit."""
    return abs(load.power_mw) / UJ_PER_MWH * (factor(_FACTOR) if quantity == "carbon" else 1)
