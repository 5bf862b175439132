"""Loads and factors that the items use: such that slots and minutes hold whole steps of energy, where that can be."""

from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Final

from diantan_core import next_day_start_ms
from firmware_sim.inspection.bench import Ability, Bench
from firmware_sim.inspection.functions.given import SLOT_MS
from firmware_sim.inspection.functions.journey import DAY_SLOTS, Journey, step_of
from firmware_sim.inspection.points import LoadPoint, Rating

LEAST_MG: Final = 100_000
_STEP_MG: Final = 100  # official factors have four decimals of a kg/kWh
_VALUES: Final = 9_001  # a prime: factors up to 1.0000 kg/kWh
_STRIDE: Final = 389
_MINUTES_OF_HOUR: Final = 60
_HALF: Final = Fraction(1, 2)


def steady(bench: Bench, share: Fraction = _HALF, *, reverse: bool = False) -> LoadPoint:
    """Return a balanced load at power factor 1 near a share of the largest current.

    In each minute it moves a whole number of the energy register's steps, if there is such a current: then a device
    that forms carbon from whole steps loses nothing when the factor changes.
    """
    step = max(step_of(bench, "energy_forward") or 1, step_of(bench, "energy_reverse") or 1)
    return _steady(bench.rating, step, share, reverse=reverse)


@cache
def _steady(rating: Rating, step: int, share: Fraction, *, reverse: bool) -> LoadPoint:
    largest = max(int(rating.imax_ma * share), rating.itr_ma)
    whole = LoadPoint(
        rating.voltage_mv, largest, phases=rating.phases, frequency_mhz=rating.frequency_mhz, reverse=reverse
    )
    for current in range(largest, rating.itr_ma, -1):
        point = replace(whole, current_ma=current)
        if point.power_mw / _MINUTES_OF_HOUR % step == 0:
            return point
    return whole


def factor(number: int) -> int:
    """Return the n-th of a sequence of factors in mg/kWh; any 9001 in a row differ."""
    return LEAST_MG + _STEP_MG * (number * _STRIDE % _VALUES)


def day_factors(bench: Bench, day_ms: int, seed: int) -> dict[int, int | None]:
    """Return a factor for each slot of the day that begins at `day_ms`, another in each."""
    slots = range(day_ms, next_day_start_ms(day_ms, bench.timezone), SLOT_MS)
    return {slot_ms: factor(seed * DAY_SLOTS + number) for number, slot_ms in enumerate(slots)}


async def hold(journey: Journey, factor_mg: int | None, lasting_ms: int = 0) -> None:
    """Give a factor for the running slot and those that begin within a time; nothing on a device without factors."""
    if Ability.FACTOR not in journey.bench.dut.abilities:
        return
    slots = range(journey.slot_ms, int(journey.device_ms) + lasting_ms + 1, SLOT_MS)
    await journey.give(dict.fromkeys(slots, factor_mg))


async def give_day(journey: Journey, day_ms: int, seed: int) -> None:
    """Give a factor for each slot of a day; nothing on a device without factors."""
    if Ability.FACTOR in journey.bench.dut.abilities:
        await journey.give(day_factors(journey.bench, day_ms, seed))


def directions(bench: Bench, share: Fraction = _HALF) -> list[LoadPoint]:
    """Return a forward load and, where the device counts it, a smaller one in reverse."""
    forward = steady(bench, share)
    if Ability.REVERSE not in bench.dut.abilities:
        return [forward]
    return [forward, steady(bench, share / 3, reverse=True)]
