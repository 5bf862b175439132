"""Generating units and the grid's flows at the centre: no false alarm, no place in a balance, and no blind eye."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pytest
from receiver_support import DAY_MS, FACTOR, SLOT_MS, interval, station_model

from cloud_receiver.checks.day import energies, findings
from cloud_receiver.checks.evaluate import SlotResult, evaluate
from cloud_receiver.checks.model import AdjustmentRow, Context, IntervalRow, Kind, Slot, Violation
from cloud_receiver.config import Checks
from cloud_receiver.registry import Meter, Role
from wire.domain import EMISSION_END_UG
from wire.records import FactorQuality, IntervalRecord, Quality

CHARGER, GRID, UNIT, FLOW = 1, 2, 3, 4
KG = 10**9  # µg


def context() -> Context:
    station = station_model(1)
    more = [
        Meter(id=name, role=role, gateway="gw1", rated_kw=Decimal(600_000))
        for name, role in (("U", Role.GENERATION), ("F", Role.FLOW))
    ]
    station = station.model_copy(update={"meter": (*station.meter, *more)})
    return Context(1, station, dict(enumerate(station.meter, 1)), {})


def row(meter: int, record: IntervalRecord, sequence: int = 1, **changes: Any) -> IntervalRow:
    fields = {
        name: int(value) if value is not None else None for name, value in asdict(record).items() if name != "meter"
    }
    return IntervalRow(**{**fields, "meter": meter, "journal": 1, "sequence": sequence, **changes})


def emitted(number: int, emission_ug: int = 123_000 * KG, total_ug: int = 5 * 10**17, **changes: Any) -> IntervalRow:
    """Return a unit's interval: what it emitted was measured, no factor applied."""
    record = interval(number, factor=None, energy=150 * 10**9)
    amounts = {"carbon_forward_ug": emission_ug, "carbon_forward_total_ug": total_ug, **changes}
    return row(UNIT, record, **amounts)


def slot(*rows: IntervalRow, number: int = 0, **more: Any) -> Slot:
    return Slot(
        DAY_MS + number * SLOT_MS,
        list(rows),
        dispatched={DAY_MS + number * SLOT_MS: FACTOR},
        past_deadline=True,
        **more,
    )


def station_rows(number: int = 0) -> list[IntervalRow]:
    return [row(CHARGER, interval(number)), row(GRID, interval(number))]


def kinds(found: list[Violation]) -> list[tuple[str, int]]:
    return [(item["kind"], item["meter"]) for item in found]


def check(*rows: IntervalRow, **more: Any) -> SlotResult:
    return evaluate(slot(*rows, **more), context(), Checks())


def test_a_unit_and_a_flow_among_a_station_s_meters_are_no_finding() -> None:
    """Hundreds of megawatts beside a charger: neither balance nor arithmetic nor factors complain."""
    result = check(*station_rows(), emitted(0), row(FLOW, interval(0, energy=90 * 10**9)))
    assert kinds(result["violations"]) == []
    assert result["energy"] == {str(CHARGER): (10**6, 0), str(GRID): (10**6, 0)}
    assert result["balanced"]


def test_a_unit_whose_records_lack_takes_no_part_of_the_balance_away() -> None:
    """It is missing, and the station is balanced all the same."""
    result = check(*station_rows())
    assert kinds(result["violations"]) == [(Kind.MISSING, UNIT), (Kind.MISSING, FLOW)]
    assert result["balanced"]
    (balanced,) = energies({DAY_MS: result}, context())
    assert balanced.energy == {CHARGER: (10**6, 0), GRID: (10**6, 0)}
    assert [draft.kind for draft in findings({DAY_MS: result}, context(), Checks(), over=True)] == [Kind.MISSING] * 2


def test_a_unit_s_own_factor_is_not_the_node_s_and_has_to_be_right() -> None:
    """Default quality with a factor that nobody dispatched; its arithmetic is checked as any meter's."""
    record = row(UNIT, interval(0, factor=820_000), factor_quality=FactorQuality.DEFAULT)
    rest = [*station_rows(), row(FLOW, interval(0))]
    assert kinds(check(*rest, record)["violations"]) == []
    false = record._replace(carbon_forward_ug=record.carbon_forward_ug + 2)
    assert kinds(check(*rest, false)["violations"]) == [(Kind.CARBON, UNIT)]


@pytest.mark.parametrize("meter", [CHARGER, GRID, FLOW, 99])
def test_carbon_without_a_factor_is_a_unit_s_alone(meter: int) -> None:
    """Of any other meter, and of one nobody registered, it is false."""
    found = check(emitted(0)._replace(meter=meter))["violations"]
    assert (Kind.CARBON, meter) in kinds(found)


def late(meter: int, **changes: Any) -> AdjustmentRow:
    fields = {"factor_used": None, "factor_now": None, "carbon_forward_ug": 123 * KG, "carbon_reverse_ug": 0, **changes}
    return AdjustmentRow(DAY_MS, meter, 1, 9, SLOT_MS, 150 * 10**9, 0, **fields)


def test_an_emission_that_came_late_is_an_adjustment_without_factors() -> None:
    """Of a unit; of a charger, or with factors, it has to be energy x factor."""
    rows = [*station_rows(), emitted(0, 0, quality=int(Quality.PARTIAL)), row(FLOW, interval(0))]
    assert kinds(check(*rows, adjustments=[late(UNIT)])["violations"]) == []
    assert (Kind.CARBON, CHARGER) in kinds(check(*rows, adjustments=[late(CHARGER)])["violations"])
    false = late(UNIT, factor_used=1, factor_now=2)
    assert kinds(check(*rows, adjustments=[false])["violations"]) == [(Kind.CARBON, UNIT)]


@pytest.mark.parametrize(("beyond", "found"), [(0, []), (1, [(Kind.CONTINUITY, UNIT)])])
def test_the_total_of_an_emission_starts_again_at_its_end(beyond: int, found: list[tuple[str, int]]) -> None:
    """At 2 Mt; a total that goes on otherwise is not continuous."""
    before = emitted(0, 100 * KG, EMISSION_END_UG - 23 * KG, forward_total_mwh=0)
    after = emitted(1, 123 * KG, 100 * KG + beyond, forward_total_mwh=150 * 10**9)
    rest = [*station_rows(1), row(FLOW, interval(1))]
    assert kinds(check(*rest, after, previous=[before], number=1)["violations"]) == found
