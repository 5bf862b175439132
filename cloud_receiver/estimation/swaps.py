"""Chargers whose registers were swapped (充电桩互换): the orders of one are borne out by the registers of the other.

The balance doesn't depend on it: errors are those of the registers, whatever they are called. Who is sent to verify a
charger must know.
"""

from datetime import datetime
from itertools import combinations
from zoneinfo import ZoneInfo

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.noticed import Noticed
from cloud_receiver.estimation.orders import ChargerOrders
from cloud_receiver.estimation.registers import RegisterHistory, Registers
from cloud_receiver.estimation.windows import MWH_PER_KWH, StationWindows
from diantan_core import RegisterJump

SWAPPED = "swapped"
NOT_BORNE_OUT = "orders_not_borne_out"
REGISTERS_EXCHANGED = "registers_exchanged"
_STRANGE = 0.6
_FITS = 0.9
"""Share of the energy of a charger's orders that registers bear out: below the one they are another's, above it they
are its own."""
_FEW = 8
_HOUR_MS = 3_600_000
_LONGEST_MS = 24 * _HOUR_MS
"""Between the last reading of the one and the first of the other."""
_POWER = 1.5
"""Of the rated power, as much as may flow in between."""
_MOST = 32
"""Beginnings anew of a register that are compared with others'; one with more is named for them (`began_anew`)."""
_APART_MWH = 10 * MWH_PER_KWH
"""Registers that are nearer to each other tell nothing."""


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


def exchanged(context: Context, found: StationWindows, registers: Registers) -> list[Noticed]:
    """Return pairs of which, from some time on, each one's register goes on where the other's had been.

    Their labels or addresses were exchanged, or their meters: what is said of one is of the other since.
    """
    result = []
    zone = ZoneInfo(context.station.timezone)
    jumps = {number: _not_counted(registers.of(number), _most_kw(context, number)) for number in found.chargers}
    for first, second in combinations(found.chargers, 2):
        kw = max(_most_kw(context, number) for number in (first, second))
        for one in jumps[first]:
            if any(_crossed(one, other, kw) for other in jumps[second]):
                since = datetime.fromtimestamp(one.time_ms / 1000, zone).isoformat(timespec="minutes")
                result.append(Noticed(REGISTERS_EXCHANGED, (first, second), {"since": since}))
                break
    return result


def _most_kw(context: Context, number: int) -> float:
    return _POWER * float(context.meters[number].rated_kw)


def _not_counted(history: RegisterHistory, kw: float) -> list[RegisterJump]:
    """Return where a register was another than it had been and than its power explains; none where that is usual."""
    found = [one for one in history.jumps if not 0 <= one.after_mwh - one.before_mwh <= _most_mwh(one, kw)]
    return found if len(found) <= _MOST else []


def _most_mwh(one: RegisterJump, kw: float) -> int:
    return int(kw * (one.time_ms - one.before_ms) / _HOUR_MS * MWH_PER_KWH)


def _crossed(one: RegisterJump, other: RegisterJump, kw: float) -> bool:
    """Return whether each goes on where the other stood, but for what either may have counted in between."""
    begin, end = min(one.before_ms, other.before_ms), max(one.time_ms, other.time_ms)
    if end - begin > _LONGEST_MS:
        return False
    most = int(kw * (end - begin) / _HOUR_MS * MWH_PER_KWH)
    apart = abs(one.before_mwh - other.before_mwh)
    between = one.after_mwh - other.before_mwh, other.after_mwh - one.before_mwh
    return apart > 2 * most + _APART_MWH and all(0 <= value <= most for value in between)


def _share(orders: ChargerOrders, history: RegisterHistory) -> float | None:
    """Return the share of the energy of orders that a register counted while they were open; None of too few."""
    sold = counted = number = before = 0
    found = history.over(orders.open)
    for (first_ms, last_ms), total, over in zip(orders.open, orders.totals_mwh, found, strict=True):
        energy, before = total - before, total
        if over is None or over[0] > last_ms - first_ms + _HOUR_MS:
            continue
        number += 1
        sold += energy
        counted += min(energy, max(over[1], 0))
    return counted / sold if number >= _FEW and sold else None
