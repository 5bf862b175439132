"""Islands that take power and have no source: their users get another factor, and a finding says why."""

import math
from array import array
from collections.abc import Sequence

import pytest

from cloud_receiver.grid.kept import NodeQuality, Powers, of
from cloud_receiver.grid.model import Branch, Generator, Grid, Load, Node, Storage
from cloud_receiver.grid.service.fallback import quality_of, results
from cloud_receiver.grid.service.solve import core_slot
from cloud_receiver.grid.service.unfed import unfed
from cloud_receiver.grid.solving import core_grid
from wire.messages import Origin

GRID = Grid(
    tuple(map(Node, "abcd")),
    (Branch("ab", "a", "b"), Branch("bc", "b", "c"), Branch("cd", "c", "d")),
    (Generator("G", "a"),),
    (Load("town", "b"), Load("village", "d")),
    (Storage("S", "c"),),
)
TANK = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0)


def powers(
    source: float = 10.0, loads: Sequence[float] = (10.0, 5.0), opened: Sequence[int] = (1,), discharge: float = 0.0
) -> Powers:
    tank = list(TANK)
    tank[1] = discharge
    sources = (source, 0.5, None)
    demand = [value for power in loads for value in (power, None)]
    flows = [*(10.0, 0.0, 0.0, 10.0), *(0.0,) * 4, *(5.0, 0.0, 0.0, 5.0)]
    return Powers(0.25, of(flows), of(sources), of(demand), of(tank), frozenset(opened))


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (powers(), {2, 3}),
        (powers(opened=()), set()),
        (powers(loads=(10.0, 0.0005)), set()),
        (powers(loads=(10.0, -5.0)), set()),
        (powers(discharge=5.0), set()),
        (powers(discharge=math.nan), set()),
        (powers(source=math.nan, opened=()), set()),
        (powers(source=0.0), {0, 1, 2, 3}),
        (powers(source=-3.0, loads=(0.0, 0.0)), set()),
    ],
)
def test_only_what_takes_and_is_not_fed_is_named(measured: Powers, expected: set[int]) -> None:
    assert unfed(GRID, measured) == expected


def test_a_user_of_such_an_island_gets_the_last_factor_or_the_official_one() -> None:
    """The reconciliation makes the island's load 0: without a word of the measurement it would look dead."""
    used = powers(loads=(10.0, 0.0))
    used = Powers(
        0.25, array("d", [*used.flows[:8], *(0.0,) * 4]), used.sources, used.loads, used.storages, frozenset({1})
    )
    flow = core_grid(GRID).solve(core_slot(used))
    assert flow.qualities == ["defined", "defined", "dead", "dead"]
    found = results(flow, list("abcd"), [], 530_600, unfed(GRID, powers())).nodes
    assert found.qualities[2:] == (NodeQuality.NO_SOURCE, NodeQuality.NO_SOURCE)
    assert found.dispatched == (500_000, 500_000, 530_600, 530_600)
    assert found.origins[2:] == (Origin.OFFICIAL, Origin.OFFICIAL)
    without = results(flow, list("abcd"), [], 530_600).nodes
    assert without.dispatched[2:] == (None, None)


def test_other_qualities_stay_as_they_are() -> None:
    assert quality_of("dead", without_source=False) is NodeQuality.DEAD
    assert quality_of("dead", without_source=True) is NodeQuality.NO_SOURCE
    assert quality_of("bad_input", without_source=True) is NodeQuality.BAD_INPUT
