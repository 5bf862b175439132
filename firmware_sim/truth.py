"""What really flowed at a station, beside what its meters registered: the answer key for every check made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any

from firmware_sim.charger import Charger
from firmware_sim.curves import UJ_PER_MWH, Curve
from firmware_sim.orders import Sold
from firmware_sim.station import Station

Flow = tuple[int, int]  # forward, reverse


@dataclass(frozen=True, slots=True)
class MeterTruth:
    """One meter over a period: true energy in µJ, registered energy in mWh and carbon in ng at full precision."""

    id: str
    role: str
    true_uj: Flow
    registered_mwh: Flow
    carbon_ng: Flow


@dataclass(frozen=True, slots=True)
class BranchTruth:
    """The cable of a charger over a period: what it lost in µJ, and the time integral of the squared power, mW²·ms.

    The one by the other is the loss per power squared, at unity power factor the relative voltage drop (电压降) per
    power.
    """

    charger: str
    loss_uj: int
    squares: int

    @property
    def per_kw(self) -> float | None:
        """The loss per power squared in 1/kW; None of a charger that did not charge."""
        return self.loss_uj * 10**6 / self.squares if self.squares else None


@dataclass(frozen=True, slots=True)
class OrderTruth:
    """A charge order (充电订单) as its charger settled it, no fault in the way, and when that truly was."""

    charger: str
    settled_ms: int
    sold: Sold


@dataclass(frozen=True, slots=True)
class Truth:
    """A station over a period; `orders` are those settled after its start and up to its end.

    `losses_uj` are those of all cables and of the trunk (干线).
    """

    from_ms: int
    until_ms: int
    meters: tuple[MeterTruth, ...]
    chargers_uj: Flow
    losses_uj: int
    auxiliary_uj: int
    grid_uj: Flow
    orders: tuple[OrderTruth, ...] = ()
    trunk_loss_uj: int = 0
    branches: tuple[BranchTruth, ...] = ()

    @property
    def imbalance_uj(self) -> int:
        """Return the net energy at the grid side minus chargers, losses and auxiliary: 0, or the model is broken."""
        grid = self.grid_uj[0] - self.grid_uj[1]
        return grid - (self.chargers_uj[0] - self.chargers_uj[1]) - self.losses_uj - self.auxiliary_uj


def truth(station: Station, from_ms: int, until_ms: int) -> Truth:
    """Return the exact energies of a period. The meters are asked in order of time, so call it once per station."""
    orders: list[OrderTruth] = []
    for item in station.meters:
        if isinstance(item.meter, Charger):
            item.meter.settled = partial(_settled, orders, item.section.id)
    before = [(item.meter.energy(from_ms), item.meter.carbon(from_ms)) for item in station.meters]
    meters = []
    for item, (energy, carbon) in zip(station.meters, before, strict=True):
        meters.append(
            MeterTruth(
                id=item.section.id,
                role=item.role,
                true_uj=_flow(item.load, from_ms, until_ms),
                registered_mwh=_minus(item.meter.energy(until_ms), energy),
                carbon_ng=_minus(item.meter.carbon(until_ms), carbon),
            )
        )
    chargers = [_flow(load, from_ms, until_ms) for load in station.charger_loads]
    branches = [
        BranchTruth(section.id, _flow(loss, from_ms, until_ms)[0], _squares(load, from_ms, until_ms))
        for section, load, loss in zip(station.config.charger, station.charger_loads, station.losses, strict=True)
    ]
    trunk_uj = _flow(station.trunk_loss, from_ms, until_ms)[0]
    return Truth(
        from_ms=from_ms,
        until_ms=until_ms,
        meters=tuple(meters),
        chargers_uj=(sum(flow[0] for flow in chargers), sum(flow[1] for flow in chargers)),
        losses_uj=sum(branch.loss_uj for branch in branches) + trunk_uj,
        auxiliary_uj=_flow(station.auxiliary, from_ms, until_ms)[0],
        grid_uj=_flow(station.grid, from_ms, until_ms),
        orders=tuple(sorted((order for order in orders if order.settled_ms > from_ms), key=_by_time)),
        trunk_loss_uj=trunk_uj,
        branches=tuple(branches),
    )


def _settled(found: list[OrderTruth], charger: str, sold: Sold, time_ms: int) -> Sequence[Sold]:
    found.append(OrderTruth(charger, time_ms, sold))
    return (sold,)


def _by_time(order: OrderTruth) -> tuple[int, str]:
    return order.settled_ms, order.charger


def _flow(curve: Curve, from_ms: int, until_ms: int) -> Flow:
    return _minus(curve.energy_at(until_ms), curve.energy_at(from_ms))


def _squares(curve: Curve, from_ms: int, until_ms: int) -> int:
    steps = [*curve.steps(from_ms, until_ms), (until_ms, 0)]
    return sum(power * power * (end - start) for (start, power), (end, _) in pairwise(steps))


def _minus(later: Flow, earlier: Flow) -> Flow:
    return later[0] - earlier[0], later[1] - earlier[1]


def kwh(energy_uj: int) -> Decimal:
    """Return µJ in kWh, to 1 mWh."""
    return Decimal(energy_uj // UJ_PER_MWH).scaleb(-6)


def as_json(result: Truth) -> dict[str, Any]:
    """Return the truth as plain JSON values; energies as exact integers in the unit their names state."""
    return {
        "from_ms": result.from_ms,
        "until_ms": result.until_ms,
        "meters": [
            {
                "id": meter.id,
                "role": meter.role,
                "true_forward_uj": meter.true_uj[0],
                "true_reverse_uj": meter.true_uj[1],
                "registered_forward_mwh": meter.registered_mwh[0],
                "registered_reverse_mwh": meter.registered_mwh[1],
                "carbon_forward_ng": meter.carbon_ng[0],
                "carbon_reverse_ng": meter.carbon_ng[1],
            }
            for meter in result.meters
        ],
        "chargers_forward_uj": result.chargers_uj[0],
        "chargers_reverse_uj": result.chargers_uj[1],
        "losses_uj": result.losses_uj,
        "trunk_loss_uj": result.trunk_loss_uj,
        "branches": [
            {"charger": branch.charger, "loss_uj": branch.loss_uj, "squares_mw2_ms": branch.squares}
            for branch in result.branches
        ],
        "auxiliary_uj": result.auxiliary_uj,
        "grid_forward_uj": result.grid_uj[0],
        "grid_reverse_uj": result.grid_uj[1],
        "imbalance_uj": result.imbalance_uj,
        "orders": [_order_as_json(order) for order in result.orders],
    }


def _order_as_json(order: OrderTruth) -> dict[str, Any]:
    """Return an order; energies in mWh, amounts in 10^-4 of the currency's unit, times in ms by the charger's clock."""
    sold = order.sold
    return {
        "meter": order.charger,
        "settled_ms": order.settled_ms,
        "number": sold.number,
        "start_ms": sold.start_ms,
        "end_ms": sold.end_ms,
        "energy_mwh": sold.energy_mwh,
        "start_total_mwh": sold.start_total_mwh,
        "end_total_mwh": sold.end_total_mwh,
        "amount": sold.amount,
        "electricity_amount": sold.electricity_amount,
        "service_amount": sold.service_amount,
        "stop_reason": sold.stop_reason,
        "periods": [
            {
                "start_ms": period.start_ms,
                "end_ms": period.end_ms,
                "energy_mwh": period.energy_mwh,
                "price": period.price,
                "service_price": period.service_price,
                "amount": period.amount,
                "service_amount": period.service_amount,
            }
            for period in sold.periods
        ],
    }


def as_table(result: Truth) -> str:
    """Return the truth as a table for people, in kWh."""
    head = f"{'meter':<24} {'role':<10} {'true fwd':>14} {'true rev':>14} {'registered fwd':>14} {'registered rev':>14}"
    lines = [head]
    for meter in result.meters:
        true = " ".join(f"{kwh(value):>14}" for value in meter.true_uj)
        registered = " ".join(f"{Decimal(value).scaleb(-6):>14}" for value in meter.registered_mwh)
        lines.append(f"{meter.id:<24} {meter.role:<10} {true} {registered}")
    lines += [
        f"chargers  {kwh(result.chargers_uj[0])} kWh forward, {kwh(result.chargers_uj[1])} kWh reverse",
        f"losses    {kwh(result.losses_uj)} kWh",
        f"auxiliary {kwh(result.auxiliary_uj)} kWh",
        f"grid side {kwh(result.grid_uj[0])} kWh forward, {kwh(result.grid_uj[1])} kWh reverse",
    ]
    if result.trunk_loss_uj:
        lines.append(f"trunk     {kwh(result.trunk_loss_uj)} kWh of the losses")
    if result.orders:
        sold = Decimal(sum(order.sold.energy_mwh for order in result.orders)).scaleb(-6)
        amount = Decimal(sum(order.sold.amount for order in result.orders)).scaleb(-4)
        lines.append(f"orders    {len(result.orders)}: {sold} kWh sold for {amount}")
    return "\n".join(lines)
