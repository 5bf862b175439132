"""Chargers whose registers were swapped (充电桩互换): the orders of one are borne out by the registers of the other.

The balance doesn't depend on it: errors are those of the registers, whatever they are called. Who is sent to verify a
charger must know.
"""

from bisect import bisect_left, bisect_right

from cloud_receiver.estimation.noticed import Noticed
from cloud_receiver.estimation.orders import ChargerOrders
from cloud_receiver.estimation.registers import History, Registers
from cloud_receiver.estimation.windows import StationWindows

SWAPPED = "swapped"
NOT_BORNE_OUT = "orders_not_borne_out"
_STRANGE = 0.6
_FITS = 0.9
"""Share of the energy of a charger's orders that registers bear out: below the one they are another's, above it they
are its own."""
_FEW = 8
_HOUR_MS = 3_600_000


def swapped(found: StationWindows, registers: Registers) -> list[Noticed]:
    """Return pairs of chargers that were swapped, and chargers whose orders no register bears out."""
    beside = {number: orders for number, orders in found.orders.beside.items() if number in found.chargers}
    strange = {}
    for number, orders in beside.items():
        own = _share(orders, registers.of(number))
        if own is not None and own < _STRANGE:
            strange[number] = own
    result, named = [], set()
    for number in sorted(strange):
        if number in named:
            continue
        other = next(
            (
                other
                for other in sorted(strange)
                if other > number
                and (_share(beside[number], registers.of(other)) or 0) > _FITS
                and (_share(beside[other], registers.of(number)) or 0) > _FITS
            ),
            None,
        )
        if other is None:
            result.append(Noticed(NOT_BORNE_OUT, (number,), {"share": 1 - strange[number]}))
        else:
            named.add(other)
            result.append(Noticed(SWAPPED, (number, other)))
    return result


def _share(orders: ChargerOrders, history: History) -> float | None:
    """Return the share of the energy of orders that a register counted while they were open; None of too few."""
    times = [item.time_ms for item in history.known]
    sold = counted = number = before = 0
    for (first_ms, last_ms), total in zip(orders.open, orders.totals_mwh, strict=True):
        energy, before = total - before, total
        begin, end = bisect_right(times, first_ms) - 1, bisect_left(times, last_ms)
        if begin < 0 or end >= len(times) or times[end] - times[begin] > last_ms - first_ms + _HOUR_MS:
            continue
        opening, closing = history.known[begin], history.known[end]
        if opening.segment != closing.segment:
            continue
        number += 1
        sold += energy
        counted += min(energy, max(closing.net_mwh - opening.net_mwh, 0))
    return counted / sold if number >= _FEW and sold else None
