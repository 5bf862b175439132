"""Orders that count the other side of a charger's conversion than its meter does (`orders_at`)."""

from dataclasses import replace
from decimal import Decimal

import pytest
from day_support import CHARGE, Centre, intervals, told
from receiver_support import enrol, station_model
from sales_support import DAY_MS, HOUR_MS, KWH, order
from sqlalchemy import Engine
from window_support import CHARGERS, GRID, context, rows, window

from cloud_receiver import database, meters
from cloud_receiver.checks.model import STATION, Context, Kind
from cloud_receiver.registry import Meter, Registry, Role, Side
from cloud_receiver.sales import order_rules, sides, sums_rules, totals
from cloud_receiver.sales.curve import Bounds, Curve, Row
from cloud_receiver.sales.window import Window, power_mw

SLOTS = range(40, 80)
SOLD = {(Kind.SOLD_DAY, number) for number in (*CHARGERS, STATION)}
EACH = {(Kind.ORDER_ENERGY, number) for number in CHARGERS}


def station_of(**told: object) -> Context:
    station = context()
    chargers = {number: station.meters[number].model_copy(update=told) for number in CHARGERS}
    return replace(station, meters={**station.meters, **chargers})


def findings(at: Window) -> set[tuple[Kind, int]]:
    items = [item for rule in (*order_rules.RULES, sums_rules.unsold) for item in rule(at)]
    items += [*sums_rules.chargers(at, Kind.SOLD_DAY), *sums_rules.station(at, Kind.SOLD_DAY)]
    return {(item.kind, item.meter) for item in items if item.kind is not Kind.ORDER_DUPLICATE}


def found(
    sold: float,
    efficiency: float = 0.95,
    *,
    registers: tuple[float, float] | None = None,
    days: int = 1,
    **about: object,
) -> set[tuple[Kind, int]]:
    """Return what is found where each charger gave a vehicle 190 kWh a day and its orders tell `sold`, kWh."""
    slots = [day * 96 + slot for day in range(days) for slot in SLOTS]
    input_kwh = 190 / len(SLOTS) / efficiency
    metered = rows(dict.fromkeys(slots, 190 / len(SLOTS) if about.get("dc_output") else input_kwh), 96 * days)
    grid = rows(dict.fromkeys(slots, input_kwh * len(CHARGERS)), 96 * days)
    more = dict(zip(("start_total_mwh", "end_total_mwh"), (int(each * KWH) for each in registers or ()), strict=False))
    orders = {
        number: [
            replace(order(f"{day}", day * 24 + 10, 10, sold, connector=str(number)), **more) for day in range(days)
        ]
        for number in CHARGERS
    }
    records = {**dict.fromkeys(CHARGERS, metered), GRID: grid}
    return findings(window(orders, records, station_of(**about), days=days))


@pytest.mark.parametrize("efficiency", [0.92, 0.95, 0.98])
def test_orders_of_the_output_accuse_nobody(efficiency: float) -> None:
    assert found(190, efficiency, orders_at=Side.OUTPUT) == set()


@pytest.mark.parametrize("efficiency", [0.92, 0.95, 0.98])
def test_orders_of_the_input_of_a_charger_that_meters_its_output_accuse_nobody(efficiency: float) -> None:
    assert found(190 / efficiency, efficiency, dc_output=True, orders_at=Side.INPUT) == set()


def test_without_the_key_the_conversion_is_missing() -> None:
    assert found(190) == SOLD | EACH
    assert found(190 / 0.95, dc_output=True) == SOLD | EACH


def test_the_key_of_the_side_that_is_metered_changes_nothing() -> None:
    assert found(200, orders_at=Side.INPUT) == set()
    assert found(190, dc_output=True, orders_at=Side.OUTPUT) == set()


@pytest.mark.parametrize(("side", "output"), [(Side.OUTPUT, False), (Side.INPUT, True)])
def test_5_percent_too_much_is_found_by_the_month(side: Side, output: bool) -> None:
    honest = 190 if side is Side.OUTPUT else 200
    about = {"dc_output": output, "orders_at": side}
    assert found(honest, days=10, **about) == set()
    assert found(honest * 1.05, days=10, **about) == SOLD


@pytest.mark.parametrize("percent", [5, -5])
@pytest.mark.parametrize(("side", "output"), [(Side.OUTPUT, False), (Side.INPUT, True)])
def test_who_knows_the_efficiency_finds_5_percent_in_a_day(percent: float, side: Side, output: bool) -> None:
    honest = 190 if side is Side.OUTPUT else 200
    about = {"dc_output": output, "orders_at": side, "dc_efficiency_uncertainty_percent": Decimal(1)}
    assert found(honest, **about) == set()
    # Of too little in one order the clocks are to blame: what was metered in its first and last minutes may be no part.
    assert found(honest * (1 + percent / 100), **about) == SOLD | (EACH if percent > 0 else set())


def test_the_registers_of_an_order_may_be_of_either_side() -> None:
    assert found(190, registers=(1000, 1190), orders_at=Side.OUTPUT) == set()
    assert found(190, registers=(1000, 1200), orders_at=Side.OUTPUT) == set()
    assert found(190, registers=(1000, 1170), orders_at=Side.OUTPUT) == EACH
    assert found(190, registers=(1000, 1210), orders_at=Side.OUTPUT) == EACH


@pytest.mark.parametrize("midnight", [20, 40])
def test_of_an_order_over_midnight_the_share_is_that_of_its_side(midnight: int) -> None:
    # All of it before midnight, as its input says: 38 kWh came out of 40.
    at = window(
        {1: [order("a", -1, 3, 38)]},
        {
            1: rows(
                dict.fromkeys(range(-4, 0), 10) if midnight == 40 else {-4: 10, -3: 10, 0: 10, 1: 10},
                192,
                first=-96,
            )
        },
        station_of(orders_at=Side.OUTPUT),
    )
    total = totals.charger(at, 1, at.first_ms, at.end_ms)
    assert total is not None
    assert total.off() == 0
    part = totals.share(at, 1, at.orders[1][0], at.first_ms, at.end_ms)
    assert part.low <= (38 - midnight * 0.95) * KWH <= part.high


def test_input_orders_over_midnight_may_be_more_than_the_meter_says() -> None:
    # 40 kWh went in, 38 came out, all of it after midnight.
    at = window(
        {1: [order("a", -1, 3, 40)]},
        {1: rows(dict.fromkeys(range(4), 9.5), 192, first=-96)},
        station_of(dc_output=True, orders_at=Side.INPUT),
    )
    part = totals.share(at, 1, at.orders[1][0], at.first_ms, at.end_ms)
    assert part.high == 40 * KWH
    total = totals.charger(at, 1, at.first_ms, at.end_ms)
    assert total is not None
    assert total.off() == 0


def both_ways(side: Side, *, output: bool, kept: bool) -> Window:
    """Return a day on which a vehicle took 100 kWh at its socket and gave 60 back; an order may have it taken off."""
    station = station_of(dc_output=output, orders_at=side)
    at_meter = (100.0, 60.0) if output else (100 / 0.95, 60 * 0.95)
    at_order = (100.0, 60.0) if side is Side.OUTPUT else (100 / 0.95, 60 * 0.95)
    energy = at_order[0] - (at_order[1] if kept else 0)
    taken = rows(dict.fromkeys(range(40, 60), at_meter[0] / 20), 96)
    back = rows(dict.fromkeys(range(60, 80), at_meter[1] / 20), 96)
    grid = rows(dict.fromkeys(range(40, 60), 100 / 0.95 / 20) | dict.fromkeys(range(60, 80), -60 * 0.95 / 20), 96)
    at = window({1: [order("a", 10, 10, energy)]}, {1: taken, 2: rows({}, 96), GRID: grid}, station)
    settings = at.settings
    at.given = {1: Curve((Row(*row) for row in back), power_mw(station.meters[1], settings))}
    return at


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(("side", "output"), [(Side.OUTPUT, False), (Side.INPUT, True), (Side.OUTPUT, True)])
def test_what_is_given_back_accuses_nobody(side: Side, output: bool, kept: bool) -> None:
    at = both_ways(side, output=output, kept=kept)
    assert findings(at) == set()


def meter_of(side: Side | None, *, output: bool = False, off: str = "3.5") -> Meter:
    return Meter(
        id="C01",
        role=Role.CHARGER,
        gateway="gw1",
        rated_kw=Decimal(60),
        dc_output=output,
        orders_at=side,
        dc_efficiency_uncertainty_percent=Decimal(off),
    )


def test_bounds_are_turned_outward() -> None:
    assert sides.as_orders(meter_of(Side.OUTPUT), Bounds(1001, 1001)) == Bounds(915, 986)
    assert sides.as_orders(meter_of(Side.INPUT, output=True), Bounds(1001, 1001)) == Bounds(1016, 1094)
    # Nobody gains energy by converting it.
    assert sides.as_orders(meter_of(Side.OUTPUT, off="20"), Bounds(1000, 1000)).high == 1000
    assert sides.as_orders(meter_of(None), Bounds(1001, 1002, 7)) == Bounds(1001, 1002, 7)


def test_a_corrected_registry_closes_what_conversion_had_opened(engine: Engine) -> None:
    def registered(side: Side | None) -> Registry:
        station = station_model()
        first = station.meter[0].model_copy(update={"orders_at": side})
        return Registry(station=(station.model_copy(update={"meter": (first, *station.meter[1:])}),))

    with database.writing(engine) as connection:
        meters.enter_registry(connection, registered(None))
    gateway = enrol(engine, "gw1")
    centre = Centre(engine, gateway, registered(None))
    centre.take(*intervals(CHARGE), told(order("z", -3, 1, 0)), told(order("a", 10, 1, 19)))
    assert {kind for kind, _ in centre.check()} == {"sold_day"}
    corrected = Centre(engine, gateway, registered(Side.OUTPUT), now_ms=DAY_MS + 49 * HOUR_MS)
    corrected.check()
    corrected.again()
    assert corrected.check() == {}
