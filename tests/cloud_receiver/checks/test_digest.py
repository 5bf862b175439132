"""By what a day was judged: digests of a station's entry and of the settings."""

from decimal import Decimal

import pytest
from again_support import instant
from receiver_support import DAY_MS, station_model

from cloud_receiver.checks import causes
from cloud_receiver.config import Checks
from cloud_receiver.registry import Meter, Role, Side, Station
from cloud_receiver.sales.config import Sales
from cloud_receiver.validation.config import Validation

CHANGES: dict[str, object] = {
    "timezone": "Asia/Tokyo",
    "node": "node2",
    "since": instant(DAY_MS),
    "time_uncertainty_s": Decimal(3),
}
OF_METERS: dict[str, object] = {
    "role": Role.AUXILIARY,
    "accuracy_class": Decimal(2),
    "resolution_kwh": Decimal(1),
    "carbon_resolution_kg": Decimal(1),
    "rated_kw": Decimal(7),
    "interval_s": 60,
    "only_orders": True,
    "connectors": ("c",),
    "inverted": True,
    "order_class_percent": Decimal(1),
    "dc_output": True,
    "orders_at": Side.OUTPUT,
    "dc_efficiency_percent": Decimal(90),
    "dc_efficiency_uncertainty_percent": Decimal(1),
    "since": instant(DAY_MS),
    "until": instant(DAY_MS),
}


def with_meter(**changes: object) -> Station:
    station = station_model()
    first = station.meter[0].model_copy(update=changes)
    return station.model_copy(update={"meter": (first, *station.meter[1:])})


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_what_the_checks_read_of_a_station_is_in_its_digest(name: str) -> None:
    before = station_model()
    assert causes.digest(before.model_copy(update={name: CHANGES[name]})) != causes.digest(before)


@pytest.mark.parametrize("name", sorted(OF_METERS))
def test_what_the_checks_read_of_a_meter_is_in_the_digest(name: str) -> None:
    assert causes.digest(with_meter(**{name: OF_METERS[name]})) != causes.digest(station_model())


def test_every_key_of_a_meter_is_in_the_digest_or_left_out_on_purpose() -> None:
    left_out = {"id", "gateway", "measures"} | causes._UNREAD_OF_METERS
    assert set(Meter.model_fields) == set(OF_METERS) | left_out


def test_what_no_check_reads_is_not_in_the_digest() -> None:
    before = causes.digest(station_model())
    assert causes.digest(station_model(name="West", operator="North")) == before
    assert (
        causes.digest(
            with_meter(make="Acme 60", voltage_drop=False, single_phase_vehicles=True, class_limit_percent=Decimal(2))
        )
        == before
    )
    assert causes.digest(with_meter(inverted=False)) == before


def test_the_digest_of_the_settings_has_what_may_change_a_finding() -> None:
    before = causes.digest_of_settings(Checks(), Validation(), Sales())
    same = causes.digest_of_settings(Checks(pause_ms=1, recheck_days=3, enabled=False), Validation(), Sales())
    assert same == before
    assert causes.digest_of_settings(Checks(minimum_slots=6), Validation(), Sales()) != before
    assert causes.digest_of_settings(Checks(), Validation(enabled=False), Sales()) != before
    assert causes.digest_of_settings(Checks(), Validation(), Sales(clock_s=Decimal(5))) != before
