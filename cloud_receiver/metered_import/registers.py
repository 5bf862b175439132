"""Energies of intervals from cumulative registers (示数) at instants, and the registers that they reach."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cloud_receiver.metered_import.clock_changes import Row

Pair = tuple[int, int]
"""Forward (正向) and reverse (反向), mWh."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a meter counted in one interval of the file; `before`: the registers at its beginning, if they are known."""

    line: int
    start_ms: int
    energy: Pair
    before: Pair | None = None


def steps(
    rows: Sequence[Row],
    interval_ms: int,
    most_mwh: int,
    rollover_mwh: int | None,
    *,
    refuse: Callable[[int, str], None],
    named: Callable[[int], str],
) -> list[Step]:
    """Return the intervals between registers that follow each other at their distance; rows are in order of time.

    A register that falls is refused, unless it started again from 0 at `rollover_mwh` and at most `most_mwh` were
    counted since. Cumulative registers go on over a rollover (翻转). `named` names a line by its number.
    """
    result = []
    offset = [0, 0]
    for before, after in pairwise(rows):
        base = (before.values[0] + offset[0], before.values[1] + offset[1])
        energy = [0, 0]
        for place, name in enumerate(("register", "reverse register")):
            low, high = before.values[place], after.values[place]
            rise = high - low
            if rise < 0 and rollover_mwh is not None and low < rollover_mwh and rise + rollover_mwh <= most_mwh:
                offset[place] += rollover_mwh
                rise += rollover_mwh
            if rise < 0:
                hint = "" if rollover_mwh else " (--rollover says at which value it starts again)"
                text = (
                    f"{name}: expected at least {kwh(low)} kWh, that of {named(before.line)}, found {kwh(high)}{hint}"
                )
                refuse(after.line, text)
                break
            energy[place] = rise
        else:
            if after.time_ms - before.time_ms == interval_ms:
                result.append(Step(after.line, before.time_ms, (energy[0], energy[1]), base))
    return result


def kwh(mwh: int) -> str:
    """Return an energy in kWh as messages show it, exactly."""
    whole, rest = divmod(abs(mwh), 1_000_000)
    text = f"{whole}.{rest:06}".rstrip("0").rstrip(".")
    return f"-{text}" if mwh < 0 else text
