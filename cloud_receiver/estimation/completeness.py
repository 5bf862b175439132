"""Which registers there are to estimate from (数据完整率)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import lcm
from zoneinfo import ZoneInfo

from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.estimation.registers import Registers
from cloud_receiver.estimation.windows import serves
from diantan_core import day_start_ms, next_day_start_ms


@dataclass(frozen=True, slots=True)
class Completeness:
    """Share of the registers that are known, by meter and local day."""

    meters: tuple[str, ...]
    days: tuple[str, ...]
    shares: tuple[tuple[float | None, ...], ...]


def completeness(context: Context, registers: Registers, first_ms: int, end_ms: int) -> Completeness:
    """Return which share of the instants of each local day each meter's register is known at.

    Of a meter with longer intervals, only their ends count; nobody expects registers of chargers known by orders.
    """
    zone = context.station.timezone
    times = range(first_ms + -first_ms % SLOT_MS, end_ms, SLOT_MS)
    days = list(_days(times, zone))
    shares = []
    meters = [
        number
        for number, meter in sorted(context.balanced().items())
        if serves(meter, first_ms, end_ms) and not meter.only_orders
    ]
    for number in meters:
        meter = context.meters[number]
        step_ms = lcm(SLOT_MS, meter.interval_s * 1000)
        known = registers.of(number).instants()
        row = []
        for day_ms, next_ms in days:
            begin_ms, day_end_ms = meter.service(max(day_ms, first_ms), min(next_ms, end_ms))
            asked = range(begin_ms + -begin_ms % step_ms, day_end_ms, step_ms)
            row.append(known.count(asked.start, asked.stop, step_ms) / len(asked) if asked else None)
        shares.append(tuple(row))
    return Completeness(
        tuple(context.name(number) for number in meters), tuple(_local(day, zone) for day, _ in days), tuple(shares)
    )


def _days(times: range, zone: str) -> Iterator[tuple[int, int]]:
    """Yield when each local day of some times begins and ends."""
    if not times:
        return
    day_ms = day_start_ms(times[0], zone)
    while day_ms <= times[-1]:
        next_ms = next_day_start_ms(day_ms, zone)
        yield day_ms, next_ms
        day_ms = next_ms


def _local(day_ms: int, zone: str) -> str:
    return local_date(day_ms, zone).isoformat()


def local_date(time_ms: int, zone: str) -> date:
    """Return the local date of an instant."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(ZoneInfo(zone)).date()
