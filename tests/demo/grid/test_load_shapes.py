"""The made-up shapes of a day: of a plausible size, of their class, and the same again for the same seed."""

from itertools import pairwise

import pytest

from demo.grid.load_shapes import SLOTS, LoadClass, load_shape, sun_shape, wind_shape


def peak_hour(shape: list[float]) -> float:
    """Return the hour of the largest value."""
    return shape.index(max(shape)) / 4


@pytest.mark.parametrize("kind", list(LoadClass))
def test_a_load_has_its_own_plausible_day(kind: LoadClass) -> None:
    """A seed makes one day, another one another; no load exceeds what the network is made for by much."""
    shape = load_shape(kind, "1 7")
    assert shape == load_shape(kind, "1 7") != load_shape(kind, "1 8")
    assert len(shape) == SLOTS
    assert 0.1 < min(shape) < max(shape) < 1.15
    # A quarter of an hour is like the one before it.
    assert max(abs(later - earlier) for earlier, later in pairwise(shape)) < 0.12


def test_classes_peak_when_they_should() -> None:
    """Homes in the evening, offices by day, chargers about midnight, works while people are at work."""
    homes, offices, works, chargers = (
        [sum(column) for column in zip(*(load_shape(kind, f"1 {number}") for number in range(30)), strict=True)]
        for kind in LoadClass
    )
    assert 18.5 < peak_hour(homes) < 21.5
    assert 9 < peak_hour(offices) < 21
    assert 8 < peak_hour(works) < 18
    assert peak_hour(chargers) > 22 or peak_hour(chargers) < 2
    assert sum(works[32:68]) > 1.2 * sum(works[:36])


def test_sun_and_wind() -> None:
    """No sun by night, most at noon; some wind always, never more than there are turbines."""
    sun = sun_shape()
    assert len(sun) == SLOTS
    assert not any(sun[:22] + sun[78:])
    assert 12 <= peak_hour(sun) <= 13
    assert 0.98 < max(sun) <= 1
    wind = wind_shape("1 49")
    assert wind == wind_shape("1 49") != wind_shape("1 61")
    assert len(wind) == SLOTS
    assert 0.05 <= min(wind) < max(wind) <= 1
