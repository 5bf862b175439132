"""The gateway's freezes (冻结) against the intervals that end then, and a month's against its first day's."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, select

from cloud_receiver.checks.model import Context, IntervalRow
from cloud_receiver.registry import Meter, Role
from cloud_receiver.schema import interval
from wire.records import FreezeKind, FreezeSource


class FreezeRow(NamedTuple):
    """A freeze of the store (units as in cloud_receiver.schema)."""

    time_ms: int
    meter: int
    journal: int
    sequence: int
    kind: int
    forward_total_mwh: int
    reverse_total_mwh: int
    source: int
    carbon_forward_total_ug: int = 0
    carbon_reverse_total_ug: int = 0

    @property
    def carbon(self) -> tuple[int, int]:
        """Return the carbon registers, forward and reverse."""
        return self.carbon_forward_total_ug, self.carbon_reverse_total_ug

    @property
    def own(self) -> bool:
        """Return whether it comes from the meter's own freeze object."""
        return self.source == FreezeSource.METER


_ENERGY = (("forward", "forward_total_mwh"), ("reverse", "reverse_total_mwh"))
_CARBON = (("carbon_forward", "carbon_forward_total_ug"), ("carbon_reverse", "carbon_reverse_total_ug"))


def at(connection: Connection, context: Context, time_ms: int) -> dict[int, dict[int, IntervalRow]]:
    """Return the intervals that end at an instant, by meter and journal; of several the last record."""
    found: dict[int, dict[int, IntervalRow]] = {}
    statement = (
        select(*(interval.c[name] for name in IntervalRow._fields))
        .where(
            interval.c.station == context.number,
            interval.c.start_ms >= time_ms - context.block_ms,
            interval.c.start_ms < time_ms,
            interval.c.start_ms + interval.c.duration_ms == time_ms,
        )
        .order_by(interval.c.sequence)
    )
    for row in connection.execute(statement):
        found.setdefault(row.meter, {})[row.journal] = IntervalRow._make(row)
    return found


def against_intervals(
    meter: Meter, rows: Iterable[FreezeRow], ends: Mapping[int, IntervalRow]
) -> Iterator[dict[str, object]]:
    """Find freezes of the gateway that are not the cumulative registers of its interval: both are one reckoning.

    A partial one lies where the registers were broken off. A generating unit's emission may come late to its intervals.
    """
    registers = _ENERGY if meter.role is Role.GENERATION else _ENERGY + _CARBON
    for row in rows:
        end = ends.get(row.journal)
        if row.own or row.source == FreezeSource.GATEWAY_PARTIAL or end is None:
            continue
        for direction, name in registers:
            unit = name.rpartition("_")[2]
            difference = getattr(row, name) - getattr(end, name)
            if difference:
                yield {
                    "start_ms": row.time_ms,
                    "between": "gateway and intervals",
                    "kind": FreezeKind(row.kind).name.lower(),
                    "direction": direction,
                    f"gateway_{unit}": getattr(row, name),
                    f"intervals_{unit}": getattr(end, name),
                    f"difference_{unit}": difference,
                }


def months_against_days(rows: Iterable[FreezeRow], own_mwh: int) -> Iterator[dict[str, object]]:
    """Find monthly freezes that are not the daily ones of the same midnight, by the same source and journal.

    The gateway's are one value; a meter's own may be `own_mwh` apart: the step, and the moment it takes.
    """
    daily: dict[tuple[int, bool], FreezeRow] = {}
    monthly: dict[tuple[int, bool], FreezeRow] = {}
    for row in sorted(rows, key=lambda row: row.sequence):
        (monthly if row.kind == FreezeKind.MONTHLY else daily)[row.journal, row.own] = row
    for key in sorted(monthly.keys() & daily.keys()):
        month, day = monthly[key], daily[key]
        for direction, name in _ENERGY:
            difference = getattr(month, name) - getattr(day, name)
            if abs(difference) > (own_mwh if month.own else 0):
                yield {
                    "start_ms": month.time_ms,
                    "between": "month and day",
                    "source": "meter" if month.own else "gateway",
                    "direction": direction,
                    "month_mwh": getattr(month, name),
                    "day_mwh": getattr(day, name),
                    "difference_mwh": difference,
                    "tolerance_mwh": own_mwh if month.own else 0,
                }
