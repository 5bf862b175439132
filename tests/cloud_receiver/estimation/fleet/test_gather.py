"""Whose chargers are of which make, and what they say of it."""

import pytest
from fleet_support import MAKE, Stations, station_of
from sqlalchemy import Engine

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.fleet import gather
from cloud_receiver.estimation.fleet.gather import Fleet, Member, Spread, alike, counts_of, gathering, level, member
from cloud_receiver.estimation.fleet.steps import at_once
from cloud_receiver.estimation.fleet.view import Seen, View
from cloud_receiver.registry import Role

SPREAD = Spread(0.35, 0.07)


def view(*chargers: Seen, certified: bool = False, gain: float = 0.0) -> View:
    return View(0, (gain, 0.25), certified, 0.02, chargers)


def gathered(*members: Member) -> Fleet:
    return at_once(gathering(members, SPREAD))


def seen(number: int, error: float, *, sound: bool = True, verified: tuple[float, float] | None = None) -> Seen:
    return Seen(number, error, 0.05, sound, not sound, verified)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Acme X1", "ACME  x1 ", True),
        ("华充 ＡＣ７", "华充 AC7", True),
        ("Acme X1", "Acme X2", False),
        ("Acme X1", "AcmeX1", False),
    ],
)
def test_how_a_make_is_written_makes_no_other_of_it(one: str, other: str, *, same: bool) -> None:
    assert (alike(one) == alike(other)) is same


def test_a_level_is_the_mean_of_the_sound_chargers_of_each_make() -> None:
    one = Member(
        7,
        "A",
        {1: "X", 2: "x", 3: "Y", 4: "X"},
        5,
        view(seen(1, 0.2), seen(2, 0.4), seen(3, -1), seen(4, 9, sound=False)),
    )
    fleet = gathered(one)
    assert fleet.makes == ("x", "y")
    assert fleet.names == {"x": "X", "y": "Y"}
    (found,) = fleet.levels
    assert [(item.make, item.mean, item.chargers) for item in found.makes] == [
        (0, pytest.approx(0.3), 2),
        (1, pytest.approx(-1), 1),
    ]
    assert found.makes[0].precision == pytest.approx(1 / ((0.35**2 + 0.05**2) / 2 + 0.07**2))
    assert found.gain == pytest.approx((0, 0.2508), abs=1e-4)
    assert counts_of(one, {"x": 0, "y": 1}) == ({0: 3, 1: 1}, 1)


def test_a_verified_charger_tells_the_level_and_nothing_of_its_make() -> None:
    found = level(
        Member(7, "A", {1: "X", 2: "X"}, 2, view(seen(1, 0.2), seen(2, 0.1, verified=(0.5, 0.12)))), {"x": 0}, SPREAD
    )
    assert found is not None
    assert (found.makes[0].mean, found.makes[0].chargers) == (pytest.approx(0.2), 1)
    assert found.verified == pytest.approx((0.4, 1 / (0.12**2 + 0.05**2)))


def test_a_verified_charger_tells_the_level_be_it_altered() -> None:
    one = seen(2, 2.9, sound=False, verified=(3.0, 0.05))
    found = level(Member(7, "A", {1: "X", 2: "X"}, 2, view(seen(1, 0.2), one)), {"x": 0}, SPREAD)
    assert found is not None
    assert found.verified == pytest.approx((0.1, 1 / (0.05**2 + 0.05**2)))


def test_a_station_that_shows_nothing_may_be_told() -> None:
    silent = Member(8, "A", {1: "X", 2: "Z"}, 2, None)
    fleet = gathered(Member(7, "A", {1: "X"}, 1, view(seen(1, 0.2))), silent, Member(9, "A", {}, 3, view(seen(1, 0.2))))
    assert [(item.station, item.speaks) for item in fleet.levels] == [(7, True), (8, False)]


def test_makes_of_the_fewest_chargers_are_left_out_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "MAX_MAKES", 2)
    fleet = gathered(
        Member(
            7, "A", {1: "X", 2: "X", 3: "Y", 4: "Z", 5: "Z"}, 5, view(*(seen(number, 0.1) for number in range(1, 6)))
        )
    )
    assert (fleet.makes, fleet.left_out) == (("x", "z"), ("y",))


def test_a_member_is_what_serves_now_and_meters_what_it_takes(engine: Engine) -> None:
    site = Stations(engine, [station_of("S1", [MAKE, MAKE, None, "Y"], operator=" A ", dc=(1,))])
    context: Context = site.context("S1")
    found = member(context, None, 1000)
    numbers = context.numbers(Role.CHARGER)
    assert found.makes == {numbers[0]: MAKE, numbers[3]: "Y"}
    assert (found.operator, found.chargers) == ("a", 4)


def test_an_operator_that_is_written_in_two_ways_is_one(engine: Engine) -> None:
    # As two it would be told by others what are its own stations, and count twice.
    site = Stations(
        engine, [station_of("S1", [MAKE], operator="North Grid"), station_of("S2", [MAKE], operator="ＮORTH  grid")]
    )
    one, other = (member(site.context(name), None, 1000) for name in ("S1", "S2"))
    assert one.operator == other.operator
