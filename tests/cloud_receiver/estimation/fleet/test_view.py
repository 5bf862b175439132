"""What a station shows: errors less its master's by data alone, whatever is believed before."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from estimation_support import DAY, LENGTH
from fleet_support import MAKE, Stations, station_of
from sqlalchemy import Engine

from cloud_receiver import database
from cloud_receiver.estimation import run
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.fleet import store
from cloud_receiver.estimation.fleet.view import View, decoded
from cloud_receiver.estimation.result import StationResult, result
from cloud_receiver.estimation.run import estimate

ERRORS = (0.004, -0.002, 0.045, 0.006, 0.001)
DAYS = 8


def view_of(site: Stations, **changes: object) -> View | None:
    settings = Estimation.model_validate(changes)
    return estimate(site.engine, site.context("S1"), settings, DAY, DAY + DAYS * LENGTH).view


def test_data_alone_say_the_same_whatever_is_believed(engine: Engine) -> None:
    site = Stations(engine, [station_of("S1", [MAKE] * 5)])
    site.read("S1", ERRORS, DAYS, 3)
    view = view_of(site)
    assert view is not None
    for item, error in zip(view.chargers, ERRORS, strict=True):
        assert abs(item.error - 100 * error) < 4 * (item.u + view.u_common)
        assert item.u < 0.3
    assert [item.sound for item in view.chargers] == [True, True, False, True, True]
    assert [item.flagged for item in view.chargers] == [False, False, True, False, False]
    assert view.gain == pytest.approx((0, 0.25))
    other = view_of(site, master_gain_percent="0.02", cohort_percent="1", sound_percent="0.1")
    assert other is not None
    assert [item.error for item in other.chargers] == pytest.approx([item.error for item in view.chargers], abs=0.02)
    assert other.gain == pytest.approx((0, 0.02))
    assert decoded(view.encoded()) == view


def test_what_is_certified_or_verified_is_told(engine: Engine) -> None:
    verified = {"at": datetime.fromtimestamp(DAY / 1000, UTC), "error_percent": "0.4", "u_percent": "0.05"}
    station = station_of("S1", [MAKE] * 5)
    first, *others, master = station.meter
    parts = [type(first).model_validate(item.model_dump() | {"verified": [verified]}) for item in (first, master)]
    site = Stations(engine, [station.model_copy(update={"meter": (parts[0], *others, parts[1])})])
    site.read("S1", ERRORS, DAYS, 3)
    view = view_of(site)
    assert view is not None
    assert view.certified
    assert view.gain == pytest.approx((0.4, 0.0559), abs=0.01)
    assert [item.verified is not None for item in view.chargers] == [True, False, False, False, False]
    # Its verification is no part of what the data say of it.
    assert view.chargers[0].error == pytest.approx(0.4, abs=0.3)
    assert view.chargers[1].error == pytest.approx(-0.2, abs=0.3)


@pytest.mark.parametrize("reason", ["mirrored", "beyond_power", "charge_together", "changed"])
def test_of_a_verified_charger_that_is_misread_nothing_is_told(
    engine: Engine, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = {"at": datetime.fromtimestamp(DAY / 1000, UTC), "error_percent": "0.4", "u_percent": "0.05"}
    station = station_of("S1", [MAKE] * 5)
    first, *others = station.meter
    one = type(first).model_validate(first.model_dump() | {"verified": [verified]})
    site = Stations(engine, [station.model_copy(update={"meter": (one, *others)})])
    site.read("S1", ERRORS, DAYS, 3)
    shown = view_of(site)
    assert shown is not None
    assert shown.chargers[0].verified == pytest.approx((0.4, 0.05), abs=0.01)

    def misread(number: int, *about: Any, **more: Any) -> StationResult:
        said = result(number, *about, **more)
        return replace(said, chargers=(replace(said.chargers[0], reason=reason), *said.chargers[1:]))

    monkeypatch.setattr(run, "result", misread)
    shown = view_of(site)
    assert shown is not None
    assert (shown.chargers[0].sound, shown.chargers[0].verified) == (False, None)


def test_of_chargers_that_meter_their_output_nothing_is_shown(engine: Engine) -> None:
    site = Stations(engine, [station_of("S1", [MAKE] * 5, dc=(0,))])
    site.read("S1", ERRORS, DAYS, 3)
    view = view_of(site)
    assert view is None or not view.chargers[0].sound


def test_a_station_that_can_not_be_judged_shows_nothing(engine: Engine) -> None:
    site = Stations(engine, [station_of("S1", [MAKE] * 5)])
    assert view_of(site) is None
    site.read("S1", [error + 0.2 for error in ERRORS], DAYS, 3)  # a wrong transformer ratio
    assert view_of(site) is None


def test_a_make_that_is_far_off_everywhere_is_shown(engine: Engine) -> None:
    site = Stations(engine, [station_of("S1", [MAKE] * 5)])
    site.read("S1", [0.013, 0.0125, 0.012, 0.0115, 0.014], DAYS, 3)
    found = estimate(engine, site.context("S1"), Estimation(), DAY, DAY + DAYS * LENGTH)
    assert "level" in {item.name for item in found.result.findings}
    assert found.view is not None
    assert all(1 < item.error < 1.5 for item in found.view.chargers if item.sound)
    # Told so by others, nobody wonders at it any more.
    with database.writing(engine) as connection:
        store.keep_told(connection, {site.context("S1").number: (1.25, 0.1)}, 0)
    told = estimate(engine, site.context("S1"), Estimation(), DAY, DAY + DAYS * LENGTH)
    assert "level" not in {item.name for item in told.result.findings}
    assert told.result.expected == pytest.approx((1.25, 0.1))
    assert sum(item.error for item in told.result.chargers) > sum(item.error for item in found.result.chargers) + 2


def test_without_a_fleet_nothing_is_shown(engine: Engine) -> None:
    site = Stations(engine, [station_of("S1", [MAKE] * 5)])
    site.read("S1", ERRORS, DAYS, 3)
    assert view_of(site, fleet={"enabled": False}) is None
    assert Estimation().fleet.master_bias_percent == Decimal("0.05")


@pytest.mark.parametrize("text", ["", "{}", "[]", "{", '{"chargers": [{}]}', '{"chargers": 5}', "null"])
def test_a_view_of_another_version_is_none(text: str) -> None:
    assert decoded(text) is None
