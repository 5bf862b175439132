"""A charger that counts a little whenever another one charges, where nothing is known of either."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from cloud_receiver.estimation import mirrors
from diantan_core import ErrorWindows

SLOT_MS = 900_000
COUNT = 400
LARGE = [float(place % 7) if place // 20 % 2 else 0.0 for place in range(COUNT)]
"""Of one that charges half of the time."""
OWN = [10.0 if place // 20 % 4 == 0 else 0.0 for place in range(COUNT)]
"""Of one that charges at other times."""


def mirrored(*columns: Sequence[float], error: float = -0.1) -> list[Any]:
    count = len(columns[0])
    times = [place * SLOT_MS for place in range(count + 1)] if count else []
    master = [sum(row) for row in zip(*columns, strict=True)]
    found: Any = SimpleNamespace(
        windows=ErrorWindows.from_energies(times, master, [list(column) for column in columns]),
        chargers=tuple(range(1, len(columns) + 1)),
    )
    made: Any = SimpleNamespace(chargers=found.chargers)
    one = SimpleNamespace(charger=0, decision="flag", error=error)
    estimation: Any = SimpleNamespace(chargers=[one])
    return [
        (item.meters, round(float(item.numbers["percent"]), 6)) for item in mirrors.mirrored(made, found, estimation)
    ]


def test_one_that_counts_with_it_is_named_with_it() -> None:
    both = [own + 0.1 * large for own, large in zip(OWN, LARGE, strict=True)]
    assert mirrored(LARGE, both, OWN) == [((1, 2), 10.0)]


@pytest.mark.parametrize("windows", [8, 12])
def test_a_few_windows_say_nothing(windows: int) -> None:
    # Of a charger that counts along in so many windows, none of which lies beside its own sessions.
    places = [place for place in range(COUNT) if place // 20 % 4 == 1 and LARGE[place] and 2 < place % 20 < 18][
        :windows
    ]
    few = [0.1 * LARGE[place] if place in places else own for place, own in enumerate(OWN)]
    rest = [large if place in places else 0.0 for place, large in enumerate(LARGE)]
    assert bool(mirrored(rest, few)) is (windows == 12)


def test_nothing_is_said_of_those_that_are_charging_or_silent_or_have_no_windows() -> None:
    assert mirrored(LARGE, OWN, [0.0] * COUNT) == []
    assert mirrored([], []) == []
