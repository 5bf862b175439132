"""Energy that vehicles give back (V2G), and meters that count the other way round."""

from collections.abc import Mapping

import pytest
from day_support import Centre, told
from receiver_support import enrol, station_model
from sales_support import DAY_MS, KWH, SLOT_MS, order
from sqlalchemy import Engine

from cloud_receiver import database, meters
from cloud_receiver.registry import Registry
from wire.records import FactorQuality, IntervalRecord, Quality, Record

TAKEN = {40: 10.0, 41: 10.0}
GIVEN = {42: 5.0, 43: 3.0}


def centre_of(engine: Engine, *, inverted: str = "") -> Centre:
    station = station_model(1)
    found = [meter.model_copy(update={"inverted": meter.id == inverted}) for meter in station.meter]
    registry = Registry(station=(station.model_copy(update={"meter": tuple(found)}),))
    with database.writing(engine) as connection:
        meters.enter_registry(connection, registry)
    return Centre(engine, enrol(engine, "gw1"), registry)


def day(name: str, taken: Mapping[int, float], given: Mapping[int, float]) -> list[Record]:
    found: list[Record] = []
    totals = [0, 0]
    for slot in range(96):
        energies = [round(each.get(slot, 0) * KWH) for each in (taken, given)]
        totals = [total + energy for total, energy in zip(totals, energies, strict=True)]
        start = DAY_MS + slot * SLOT_MS
        rest = FactorQuality.UNDEFINED, 0, 0, 0, 0, 15, Quality.MEASURED
        found.append(IntervalRecord(name, start, SLOT_MS, *energies, *totals, None, *rest))
    return found


@pytest.mark.parametrize("inverted", ["", "C01", "G"])
@pytest.mark.parametrize(("kwh", "kinds"), [(20, set()), (12, set()), (23, {"order_energy", "sold_day"})])
def test_an_order_may_tell_what_was_taken_or_what_was_kept(
    engine: Engine, kwh: float, kinds: set[str], inverted: str
) -> None:
    centre = centre_of(engine, inverted=inverted)
    for name in ("C01", "G"):
        centre.take(*day(name, *((GIVEN, TAKEN) if name == inverted else (TAKEN, GIVEN))))
    centre.take(told(order("z", -3, 1, 0)), told(order("a", 10, 1, kwh)))
    assert {kind for kind, _ in centre.check()} == kinds


def test_a_station_that_gives_back_and_tells_no_order_of_what_it_sold(engine: Engine) -> None:
    centre = centre_of(engine)
    centre.take(*day("C01", TAKEN, GIVEN), *day("G", TAKEN, GIVEN), told(order("z", -3, 1, 0)))
    assert {kind for kind, _ in centre.check()} == {"unsold_energy", "sold_day"}
