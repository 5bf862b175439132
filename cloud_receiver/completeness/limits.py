"""Findings of days and months whose completeness or timeliness is below what the configuration asks for."""

from collections.abc import Mapping

from sqlalchemy import Connection, select

from cloud_receiver.checks.day import Draft
from cloud_receiver.checks.model import SLOT_MS, STATION, Kind, Severity
from cloud_receiver.completeness.figures import Figures, slots
from cloud_receiver.config import Checks
from cloud_receiver.schema import completeness_day


def findings(kind: Kind, span: tuple[int, int], found: Mapping[str, Figures], settings: Checks) -> list[Draft]:
    """Return the finding about the gateways of a station that are below a limit, if there is one."""
    details: list[dict[str, object]] = []
    for gateway, item in sorted(found.items()):
        complete, timely = item.percent(item.present_ms), item.percent(item.in_60_min_ms)
        below = [
            name
            for name, share, limit in (
                ("complete_percent", complete, settings.complete_percent),
                ("timely_percent", timely, settings.timely_percent),
            )
            if share is not None and limit is not None and share < limit
        ]
        if below:
            details.append(
                {
                    "gateway": gateway,
                    "below": below,
                    "complete_percent": str(complete),
                    "timely_percent": str(timely),
                    "expected_slots": slots(item.expected_ms),
                    "present_slots": slots(item.present_ms),
                    "in_60_min_slots": slots(item.in_60_min_ms),
                }
            )
    starts = [span[0], span[1] - SLOT_MS]
    return [Draft(kind.value, STATION, Severity.WARNING.value, starts, details, {"slots": []})] if details else []


def of_month(connection: Connection, station: int, first_ms: int, end_ms: int) -> dict[str, Figures]:
    """Return the figures of the days [first, end) that are over, by gateway."""
    result: dict[str, Figures] = {}
    names = Figures.__dataclass_fields__
    statement = select(completeness_day.c.gateway, *(completeness_day.c[name] for name in names)).where(
        completeness_day.c.station == station,
        completeness_day.c.day_ms >= first_ms,
        completeness_day.c.day_ms < end_ms,
    )
    for gateway, *amounts in connection.execute(statement):
        result.setdefault(gateway, Figures()).add(Figures(*amounts))
    return result
