"""The energy balance and its uncertainty budget."""

from decimal import Decimal
from math import sqrt

import pytest
from receiver_support import DAY_MS, SLOT_MS, station_model

from cloud_receiver.checks.model import Context
from cloud_receiver.checks.tolerance import SlotEnergy, balance
from cloud_receiver.registry import Auxiliary, Loss, Role, Station

KWH = 1_000_000


def context(station: Station) -> Context:
    return Context(1, station, dict(enumerate(station.meter, 1)), {})


def slot(number: int, *energies: int) -> SlotEnergy:
    return SlotEnergy(DAY_MS + number * SLOT_MS, {place: (energy, 0) for place, energy in enumerate(energies, 1)})


def test_each_term_of_one_slot() -> None:
    station = station_model(1, time_uncertainty_s=Decimal(2))
    result = balance(context(station), [slot(0, 10 * KWH, 10 * KWH)], 2.0)
    assert result is not None
    # Class 1 charger and class 0.5 grid at 10 kWh; two registers of 0.01 kWh; 60 kW for 2 s at two boundaries.
    assert result.terms_mwh == {
        "accuracy_class": round(10 * KWH * sqrt(0.01**2 + 0.005**2) / sqrt(3)),
        "register_step": round(0.01 * KWH * sqrt(2) / sqrt(3)),
        "time": round(60 * KWH * 2 / 3600 * sqrt(2) / sqrt(3)),
        "loss": 0,
        "auxiliary": 0,
        "conversion": 0,
    }
    combined = sqrt(sum(value**2 for value in result.terms_mwh.values()))
    assert result.tolerance_mwh == pytest.approx(2 * combined, abs=2)
    assert result.imbalance_mwh == 0
    assert result.within


def test_register_steps_and_clocks_do_not_accumulate_over_a_day() -> None:
    station = station_model(1)
    one = balance(context(station), [slot(0, 10 * KWH, 10 * KWH)], 2.0)
    day = balance(context(station), [slot(number, 10 * KWH, 10 * KWH) for number in range(96)], 2.0)
    assert one is not None
    assert day is not None
    assert day.terms_mwh["register_step"] == one.terms_mwh["register_step"]
    assert day.terms_mwh["time"] == one.terms_mwh["time"]
    # The relative error of a meter is the same all day.
    assert day.terms_mwh["accuracy_class"] == pytest.approx(96 * one.terms_mwh["accuracy_class"], abs=50)
    assert day.tolerance_mwh / day.grid_mwh < one.tolerance_mwh / one.grid_mwh


def test_a_hole_in_the_day_adds_two_boundaries() -> None:
    station = station_model(1)
    whole = balance(context(station), [slot(number, KWH, KWH) for number in (0, 1, 2, 3)], 2.0)
    holed = balance(context(station), [slot(number, KWH, KWH) for number in (0, 1, 5, 6)], 2.0)
    assert whole is not None
    assert holed is not None
    assert holed.terms_mwh["register_step"] == pytest.approx(sqrt(2) * whole.terms_mwh["register_step"], abs=1)


def test_loss_and_auxiliary_are_modelled_with_their_uncertainty() -> None:
    station = station_model(
        1,
        loss=Loss(trunk_ohm=Decimal("0.02"), branch_ohm=Decimal("0.05"), fixed_w=Decimal(10)),
        auxiliary=Auxiliary(load_w=Decimal(400)),
    )
    result = balance(context(station), [slot(0, 10 * KWH, 10 * KWH)], 2.0)
    assert result is not None
    # 40 kW: P²·R/U² = 1.6e9/1.6e5 · (0.02·1.02 + 0.05·1.10) W = 754 W, for a quarter of an hour.
    assert result.loss_mwh == round((10_000 * (0.02 * 1.02 + 0.05 * 1.10) + 10) * 0.25 * 1000)
    assert result.auxiliary_mwh == 100_000
    assert result.terms_mwh["loss"] == round(result.loss_mwh * 0.30 / sqrt(3))
    assert result.terms_mwh["auxiliary"] == round(100_000 * 0.20 / sqrt(3))


def test_a_metered_auxiliary_replaces_the_model() -> None:
    station = station_model(1, auxiliary=Auxiliary(load_w=Decimal(400)))
    metered = station.meter[0].model_copy(update={"id": "A", "role": Role.AUXILIARY})
    station = station.model_copy(update={"meter": (*station.meter, metered)})
    result = balance(context(station), [slot(0, 10 * KWH, 11 * KWH, KWH)], 2.0)
    assert result is not None
    assert (result.auxiliary_mwh, result.imbalance_mwh) == (KWH, 0)
    assert result.terms_mwh["auxiliary"] == 0


def test_reverse_energy_flows_back() -> None:
    station = station_model(1)
    energies = SlotEnergy(DAY_MS, {1: (0, 10 * KWH), 2: (0, 10 * KWH)})
    result = balance(context(station), [energies], 2.0)
    assert result is not None
    assert (result.chargers_mwh, result.grid_mwh, result.within) == (-10 * KWH, -10 * KWH, True)


@pytest.mark.parametrize("role", [Role.GRID, Role.CHARGER])
def test_a_station_without_one_side_has_no_balance(role: Role) -> None:
    station = station_model(1)
    station = station.model_copy(update={"meter": tuple(meter for meter in station.meter if meter.role is not role)})
    assert balance(context(station), [slot(0, KWH)], 2.0) is None


def with_output(station: Station, **changes: object) -> Station:
    """Return the station with its first charger metered at its output."""
    first, *others = station.meter
    meter = type(first).model_validate(first.model_dump(exclude_unset=True) | {"dc_output": True} | changes)
    return station.model_copy(update={"meter": (meter, *others)})


def test_what_a_charger_loses_before_its_meter_is_in_the_balance() -> None:
    station = with_output(station_model(1), dc_efficiency_percent="96", dc_efficiency_uncertainty_percent="1")
    result = balance(context(station), [slot(0, 9_600_000, 10 * KWH)], 2.0)
    assert result is not None
    assert (result.conversion_mwh, result.loss_mwh, result.imbalance_mwh) == (400_000, 400_000, 0)
    # 9.6 kWh at the output are 10 of the input, which is off by 1/96 of it where the efficiency is by 1 %.
    assert result.terms_mwh["conversion"] == round(10 * KWH / 96 / sqrt(3))
    assert result.evidence()["conversion_mwh"] == 400_000


def test_an_efficiency_nobody_told_has_the_limits_of_its_default() -> None:
    station = with_output(station_model(1))
    result = balance(context(station), [slot(0, 9_500_000, 10 * KWH)], 2.0)
    assert result is not None
    assert result.imbalance_mwh == 0
    assert result.terms_mwh["conversion"] == round(10 * KWH * 3.5 / 95 / sqrt(3))


def test_a_vehicle_that_feeds_back_loses_the_other_way() -> None:
    station = with_output(station_model(1), dc_efficiency_percent="96", dc_efficiency_uncertainty_percent="1")
    energies = SlotEnergy(DAY_MS, {1: (0, 10 * KWH), 2: (0, 9_600_000)})
    result = balance(context(station), [energies], 2.0)
    assert result is not None
    assert (result.conversion_mwh, result.imbalance_mwh) == (400_000, 0)
    assert result.terms_mwh["conversion"] == round(100_000 / sqrt(3))


def test_the_efficiencies_of_chargers_are_off_alike() -> None:
    one = with_output(station_model(1), dc_efficiency_uncertainty_percent="1")
    chargers = [one.meter[0].model_copy(update={"id": f"C{number}"}) for number in range(4)]
    four = one.model_copy(update={"meter": (*chargers, one.meter[1])})
    single = balance(context(one), [slot(0, KWH, KWH)], 2.0)
    several = balance(context(four), [slot(0, KWH, KWH, KWH, KWH, 4 * KWH)], 2.0)
    assert single is not None
    assert several is not None
    assert several.terms_mwh["conversion"] == pytest.approx(4 * single.terms_mwh["conversion"], abs=4)


def test_the_cable_carries_what_went_into_the_charger() -> None:
    loss = Loss(branch_ohm=Decimal("0.05"))
    into = balance(context(station_model(1, loss=loss)), [slot(0, 10 * KWH, 10 * KWH)], 2.0)
    station = with_output(station_model(1, loss=loss), dc_efficiency_percent="95")
    out = balance(context(station), [slot(0, 9_500_000, 10 * KWH)], 2.0)
    assert into is not None
    assert out is not None
    assert out.loss_mwh - out.conversion_mwh == into.loss_mwh > 0


@pytest.mark.parametrize(
    ("limit_s", "of_slot", "of_day"),
    [(60, (0.69, 0.02, 11.55, 0.52, 23.2), 72.9), (2, (0.69, 0.02, 0.38, 0.52, 1.9), 69.1)],
)
def test_the_example_of_the_document(limit_s: int, of_slot: tuple[float, ...], of_day: float) -> None:
    """Ten chargers of 120 kW beside a grid side of class 0.5, a trunk that loses 1.5 % (docs/checks.md)."""
    ohm = Decimal(12_000) * 400**2 / (Decimal(800_000) ** 2 * Decimal("1.02"))
    one = station_model(1).meter[0].model_copy(update={"rated_kw": Decimal(120)})
    chargers = tuple(one.model_copy(update={"id": f"C{number:02}"}) for number in range(10))
    grid = station_model(1).meter[1]
    station = station_model(1, meter=(*chargers, grid), loss=Loss(trunk_ohm=ohm), time_uncertainty_s=limit_s)
    busy = [slot(number, *[20 * KWH] * 10, 203 * KWH) for number in range(30, 70)]
    idle = [slot(number, *[0] * 11) for number in (*range(30), *range(70, 96))]
    result = balance(context(station), busy[:1], 2.0)
    assert result is not None
    assert result.imbalance_mwh == 0
    terms = (
        *(result.terms_mwh[name] for name in ("accuracy_class", "register_step", "time", "loss")),
        result.tolerance_mwh,
    )
    assert [value / KWH for value in terms[:4]] == pytest.approx(of_slot[:4], abs=0.005)
    assert terms[4] / KWH == pytest.approx(of_slot[4], abs=0.05)
    day = balance(context(station), sorted([*busy, *idle], key=lambda item: item.start_ms), 2.0)
    assert day is not None
    assert day.tolerance_mwh / KWH == pytest.approx(of_day, abs=0.05)
