"""Comparison by registers (示值比对): what a register gained, beside what the standard measured meanwhile.

A register that steps finely is read when it suits: its step, how often the device renews it, and how long the requests
take are what counting may add. Where that would ask for longer than the plan's dwell, the register's own changes gate
the comparison as pulses do: it is read over and over until it changes, and counts whole steps from change to change.
"""

import contextlib
from collections.abc import Awaitable, Callable
from fractions import Fraction
from math import ceil
from typing import Final

from firmware_sim.inspection.bench import Bench, DutError
from firmware_sim.inspection.metering.measure import (
    THOUSAND,
    Compared,
    Look,
    Quantity,
    energy_between,
    flow,
    look,
    told_apart,
)
from firmware_sim.inspection.points import LoadPoint

WaitUntil = Callable[[Fraction], Awaitable[None]]
_RESERVE: Final = Fraction(5, 4)  # by how much more than just enough is planned
_EARLY: Final = Fraction(1, 10)  # of a step: how early a change may come, of a meter that runs fast
_PATIENT_STEPS: Final = 3  # after which a register that does not change counts as dead
# A device may form its carbon from whole steps of energy, or once in a while: then it changes less often than it could.
_LEAST_PATIENCE_MS: Final = Fraction(60_000)
_LEAST_PAUSE_MS: Final = 5
_LEAST_GATED_MS: Final = 2 * _LEAST_PAUSE_MS  # what changes faster than it can be watched tells nothing by changing
_MOST_ROUNDS: Final = 6
_MOST_AT_ONCE: Final = 4  # times as long as before, in the next round
_GAINING: Final = Fraction(9, 10)  # a round that brings less than that is the last


def _step_ms(bench: Bench, quantity: Quantity, point: LoadPoint) -> Fraction:
    return bench.dut.resolution(quantity.register(point)) / flow(quantity, point)


def is_gated(bench: Bench, quantity: Quantity, point: LoadPoint, limit: Fraction) -> bool:
    """Return whether the register's own changes gate the comparison at a load point.

    A carbon register may step as coarsely as the energy register does, if the device forms its carbon from that.
    """
    step = _step_ms(bench, quantity, point)
    if quantity.factor is not None:
        with contextlib.suppress(KeyError):
            step = max(step, _step_ms(bench, Quantity("energy", None, None), point))
    unknown = step + bench.renewed_ms
    return THOUSAND * unknown > limit * bench.selection.dwell_ms and unknown > _LEAST_GATED_MS


def _wanted_ms(bench: Bench, quantity: Quantity, point: LoadPoint, limit: Fraction) -> Fraction:
    """Return how long is compared: the dwell, or what gating by changes leaves unknown."""
    dwell = Fraction(bench.selection.dwell_ms)
    step = _step_ms(bench, quantity, point)
    if not is_gated(bench, quantity, point, limit):
        return max(dwell, THOUSAND * (step + bench.renewed_ms) / limit)
    wanted = max(dwell, _RESERVE * THOUSAND * min(step, Fraction(bench.renewed_ms)) / limit)
    return max(wanted, (ceil(wanted / step) - _EARLY) * step)


def register_ms(bench: Bench, quantity: Quantity, point: LoadPoint, limit: Fraction) -> int:
    """Return how long one comparison takes at a load point, about."""
    wanted = _wanted_ms(bench, quantity, point, limit)
    if not is_gated(bench, quantity, point, limit):
        return ceil(wanted)
    step = _step_ms(bench, quantity, point)
    return ceil(max(wanted, ceil(wanted / step) * step) + step / 2)


async def mark(
    bench: Bench, quantity: Quantity, point: LoadPoint, limit: Fraction, wait_until: WaitUntil, *, gated: bool
) -> Look:
    """Read the register once, or (`gated`) from one reading to the next until it changes.

    DutError when it does not change in the time of three steps, or the dwell if that is longer.
    """
    name = quantity.register(point)
    seen = await look(bench, [name])
    if not gated:
        return seen
    blur = min(_step_ms(bench, quantity, point), Fraction(bench.renewed_ms))
    may = limit * _wanted_ms(bench, quantity, point, limit) / THOUSAND - blur  # for both ends
    pause = max(may / _RESERVE - 2 * (seen.after - seen.before), Fraction(_LEAST_PAUSE_MS))
    due = _PATIENT_STEPS * (_step_ms(bench, quantity, point) + bench.renewed_ms)
    patience = max(due, Fraction(bench.selection.dwell_ms), _LEAST_PATIENCE_MS)
    until = seen.after + patience
    while True:
        await wait_until(bench.time.now() + pause)
        now = await look(bench, [name])
        if now.values != seen.values:
            return Look(now.values, seen.before, now.after)
        if seen.before > until:
            raise DutError(
                f"expected {name} to change at {point.current_ma} mA, "
                f"it stands at {now.values[name]} for more than {float(patience) / THOUSAND:.0f} s"
            )
        seen = now


async def by_registers(
    bench: Bench, quantity: Quantity, point: LoadPoint, limit: Fraction, wait_until: WaitUntil
) -> Compared:
    """Compare registers for as long as their resolution asks; the load point is set already.

    DutError for a register that stands still or falls, BenchError when the standard meter does not serve.
    """
    wanted, before = _wanted_ms(bench, quantity, point, limit), None
    gated = is_gated(bench, quantity, point, limit)
    first = await mark(bench, quantity, point, limit, wait_until, gated=gated)
    for _ in range(_MOST_ROUNDS):
        await wait_until(first.middle + wanted)
        last = await mark(bench, quantity, point, limit, wait_until, gated=gated)
        compared = await _compared(bench, quantity, point, (first, last), gated=gated)
        # The time that a request takes counts as well, and is not known before.
        short = compared.short(limit)
        if short <= 1 or (before is not None and short > _GAINING * before):
            break
        before = short
        wanted = Fraction(ceil((last.middle - first.middle) * min(short * _RESERVE, Fraction(_MOST_AT_ONCE))))
    return told_apart(compared, limit)


async def _compared(
    bench: Bench, quantity: Quantity, point: LoadPoint, ends: tuple[Look, Look], *, gated: bool
) -> Compared:
    first, last = ends
    name = quantity.register(point)
    energy, uncertainty = await energy_between(bench, point, first.middle, last.middle)
    return Compared(
        "register",
        quantity.of(energy),
        Fraction(gained(bench, name, first.values[name], last.values[name])),
        blurred(bench, name, flow(quantity, point), ends, gated=gated),
        last.middle - first.middle,
        uncertainty=quantity.of(uncertainty),
    )


def blurred(bench: Bench, name: str, flowing: Fraction, ends: tuple[Look, Look], *, gated: bool) -> Fraction:
    """Return what step, renewal and the length of the requests may add to the difference of two readings."""
    first, last = ends
    step, renewed = bench.dut.resolution(name), flowing * bench.renewed_ms
    taking = (first.after - first.before + last.after - last.before) / 2
    return (min(Fraction(step), renewed) if gated else step + renewed) + flowing * taking


def gained(bench: Bench, name: str, first: int, last: int) -> int:
    """Return what a register gained, over its end if that is known; DutError for one that fell without reason."""
    if last >= first:
        return last - first
    end = bench.ends.get(name)
    if end is not None and first >= end - end // 10 and last <= end // 10:
        return last + end - first
    told = "it has no end that is known" if end is None else f"it ends at {end}"
    raise DutError(f"{name} fell from {first} to {last} at a steady load; {told}")
