"""Which registers there are to estimate from (数据完整率)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import lcm
from zoneinfo import ZoneInfo

from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.estimation.registers import Registers
from cloud_receiver.estimation.windows import serves
from diantan_core import day_start_ms


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
    day_of = {time_ms: day_start_ms(time_ms, zone) for time_ms in times}
    days = sorted(set(day_of.values()))
    shares = []
    meters = [
        number
        for number, meter in sorted(context.balanced().items())
        if serves(meter, first_ms, end_ms) and not meter.only_orders
    ]
    for number in meters:
        meter = context.meters[number]
        step_ms = lcm(SLOT_MS, meter.interval_s * 1000)
        known = {item.time_ms for item in registers.of(number).known}
        counts = {day: [0, 0] for day in days}
        for time_ms, day in day_of.items():
            if meter.in_service(time_ms) and not time_ms % step_ms:
                counts[day][0] += time_ms in known
                counts[day][1] += 1
        shares.append(tuple(found / expected if expected else None for found, expected in counts.values()))
    return Completeness(
        tuple(context.name(number) for number in meters), tuple(_local(day, zone) for day in days), tuple(shares)
    )


def _local(day_ms: int, zone: str) -> str:
    return local_date(day_ms, zone).isoformat()


def local_date(time_ms: int, zone: str) -> date:
    """Return the local date of an instant."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(ZoneInfo(zone)).date()
