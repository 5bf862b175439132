"""Estimates of a day as the report shows them: beside what is measured, never in its place."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.validation import estimates


@dataclass(frozen=True, slots=True)
class Estimated:
    """A meter's estimates in force of a day. Energy in mWh; `beside` is what the readings of the same slots counted."""

    forward_mwh: int
    reverse_mwh: int
    beside_forward_mwh: int
    beside_reverse_mwh: int
    slots: int
    methods: dict[str, int] = field(default_factory=dict)


def of_day(
    connection: Connection, station: int, first_ms: int, end_ms: int, rows: dict[int, list[IntervalRow]]
) -> dict[int, Estimated]:
    """Return by meter the estimates of the slots in [first_ms, end_ms); `rows`: the intervals that count."""
    found: dict[int, list[estimates.Estimate]] = {}
    for item in estimates.in_force(connection, station, first_ms, end_ms):
        found.setdefault(item.meter, []).append(item)
    return {meter: _of_meter(items, rows.get(meter, [])) for meter, items in found.items()}


def _of_meter(items: Sequence[estimates.Estimate], rows: Sequence[IntervalRow]) -> Estimated:
    spans = [(item.part.start_ms, item.part.start_ms + item.part.duration_ms) for item in items]
    beside = [row for row in rows if any(first < row.end_ms and row.start_ms < end for first, end in spans)]
    return Estimated(
        sum(item.part.forward_mwh for item in items),
        sum(item.part.reverse_mwh for item in items),
        sum(row.forward_mwh for row in beside),
        sum(row.reverse_mwh for row in beside),
        len({item.part.slot_ms for item in items}),
        dict(sorted(Counter(item.method for item in items).items())),
    )
