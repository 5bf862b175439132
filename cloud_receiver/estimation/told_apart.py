"""Findings that another one explains: they would mislead whoever is to put things right."""

from collections.abc import Sequence
from typing import Final

from cloud_receiver.estimation.changes import CHANGED, LEVEL_CHANGED
from cloud_receiver.estimation.gross import BEYOND_POWER
from cloud_receiver.estimation.model import Setup
from cloud_receiver.estimation.noticed import LEVEL, Noticed
from cloud_receiver.estimation.ratio import RATIO, RATIO_CHANGED
from diantan_core import ErrorEstimation

CoreFinding = tuple[str, list[int], dict[str, float | str], bool]

_BACKWARDS: Final = 8
"""Windows in which the master runs backwards, which no clock makes it do."""
_OF_RATIO: Final = frozenset({"gain", "unexplained", "unexplained_load", "clock_shift"})
_OF_CHANGED_RATIO: Final = frozenset({LEVEL, LEVEL_CHANGED, CHANGED})


def told_apart(
    estimation: ErrorEstimation, setup: Setup, noticed: Sequence[Noticed]
) -> tuple[list[CoreFinding], list[Noticed]]:
    """Return the findings of the core that stand, and those of the centre.

    - A master that runs backwards, or by a wrong ratio, or by another one from some day on, makes energies fit better a
      few hours away: no clock is shifted because of it. One that was turned round generates nothing, and what it counts
      too much by a wrong ratio is no load.
    - By a wrong ratio nothing is explained, and all chargers lie far from the master. A load that is less than nothing
      is no generation then, unless the master runs backwards.
    - A charger whose clock is hours off, or whose numbers no power explains, is behind the master and has charged. Of
      one that isn't, or is reversed, no clock can be told.
    """
    by_core = [name for name, *_ in estimation.findings]
    by_centre = {item.name for item in noticed}
    dropped: set[str] = set()
    dropped_of_centre: set[str] = set()
    if by_centre & {RATIO, RATIO_CHANGED}:
        dropped |= _OF_RATIO
    if RATIO_CHANGED in by_centre:
        dropped_of_centre |= _OF_CHANGED_RATIO
    if "gain" in by_core or RATIO in by_centre:
        dropped_of_centre.add(LEVEL)
    backwards = any(_backwards(name, numbers) for name, _, numbers, _ in estimation.findings)
    if _turned(estimation, noticed):
        dropped |= {"generation", "clock_shift"}
    elif backwards:
        dropped.add("clock_shift")
    elif by_centre & {RATIO, RATIO_CHANGED}:
        dropped.add("generation")
    explained = {number for item in noticed if item.name == BEYOND_POWER for number in item.meters}
    if "clock_shift" not in dropped:
        explained |= _about(estimation, setup, "clock_shift")
    strange = _about(estimation, setup, "implausible") | _about(estimation, setup, "negative")
    own = {"never_charged": explained, "implausible": explained, "offset": strange}
    found = [
        (name, about, numbers, blocks)
        for name, about, numbers, blocks in estimation.findings
        if name not in dropped and not {setup.chargers[place] for place in about} & own.get(name, set())
    ]
    return found, [item for item in noticed if item.name not in dropped_of_centre]


def _about(estimation: ErrorEstimation, setup: Setup, name: str) -> set[int]:
    return {setup.chargers[place] for found, about, *_ in estimation.findings if found == name for place in about}


def _backwards(name: str, numbers: dict[str, float | str]) -> bool:
    return name == "generation" and float(numbers.get("windows", 0)) >= _BACKWARDS


def _turned(estimation: ErrorEstimation, noticed: Sequence[Noticed]) -> bool:
    """Return whether the master counts the wrong way round, always or from some day on."""
    always = any(name == "gain" and float(numbers["ratio"]) < 0 for name, _, numbers, _ in estimation.findings)
    return always or any(
        float(item.numbers[name]) < 0
        for item in noticed
        for name in {RATIO: ("ratio",), RATIO_CHANGED: ("before", "after")}.get(item.name, ())
    )
