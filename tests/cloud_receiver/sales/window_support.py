"""Windows of a station with orders and records, without a store."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from sales_support import DAY_MS, HOUR_MS, KWH, SLOT_MS

from cloud_receiver.checks.model import Context
from cloud_receiver.registry import Auxiliary, Loss, Meter, Role, Station, Tariff
from cloud_receiver.sales.config import Sales
from cloud_receiver.sales.curve import Curve, Row
from cloud_receiver.sales.order import Order
from cloud_receiver.sales.window import Window, power_mw
from wire.records import Quality

GRID = 3
CHARGERS = (1, 2)
MEASURED = int(Quality.MEASURED)


def context(*, tariff: Sequence[Tariff] = (), only_orders: bool = False, load_w: int = 0) -> Context:
    """Return a station with two chargers of 60 kW and a grid-side meter."""
    meters = {
        number: Meter(
            id=f"C{number:02}", role=Role.CHARGER, gateway="gw1", rated_kw=Decimal(60), only_orders=only_orders
        )
        for number in CHARGERS
    }
    interval_s = 3600 if only_orders else 900
    meters[GRID] = Meter(
        id="G",
        role=Role.GRID,
        gateway="gw1",
        rated_kw=Decimal(400),
        accuracy_class=Decimal("0.5"),
        interval_s=interval_s,
    )
    station = Station(
        id="S1",
        node="node1",
        meter=tuple(meters.values()),
        loss=Loss(),
        auxiliary=Auxiliary(load_w=Decimal(load_w)),
        tariff=tuple(tariff),
    )
    return Context(1, station, meters, {})


def rows(energies: Mapping[int, float], slots: int = 96, *, slot_ms: int = SLOT_MS, first: int = 0) -> list[Row]:
    """Return records with these kWh in these slots, and none in the others."""
    total, found = 0, []
    for slot in range(first, first + slots):
        energy = round(energies.get(slot, 0) * KWH)
        total += energy
        start = DAY_MS + slot * slot_ms
        found.append(Row(start, start + slot_ms, energy, total, 1, MEASURED))
    return found


def window(
    orders: Mapping[int, Sequence[Order]],
    records: Mapping[int, Sequence[Row]] | None = None,
    station: Context | None = None,
    *,
    days: int = 1,
    settings: Sales | None = None,
) -> Window:
    """Return the window of a day, or of some."""
    station = station or context()
    settings = settings or Sales()
    found = Window(station, DAY_MS, DAY_MS + days * 24 * HOUR_MS, settings, DAY_MS + 9 * 24 * HOUR_MS, 2.0)
    found.orders = {number: sorted(each, key=lambda item: item.first_ms) for number, each in orders.items()}
    found.curves = {
        number: Curve(each, power_mw(station.meters[number], settings)) for number, each in (records or {}).items()
    }
    return found
