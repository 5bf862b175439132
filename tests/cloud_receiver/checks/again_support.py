"""A centre whose days are checked anew (重新核查), and a check that fails."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from checks_support import DAY_END_MS, GRACE_MS, SLOTS, Centre, day
from receiver_support import DAY_MS, FACTOR, FakeGateway, station_model
from sqlalchemy import Engine

from cloud_receiver import database, finding_history, findings
from cloud_receiver.checks import notes
from cloud_receiver.checks.judging import Judge
from cloud_receiver.config import Checks
from cloud_receiver.registry import Registry
from wire.records import IntervalRecord

WHOLE_MS = 86_400_000
BEIJING = timezone(timedelta(hours=8))


def instant(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, BEIJING)


def registered(inverted: str = "", **until: int) -> Registry:
    """Return the station with a meter that counts the other way round, and meters that were taken out of service."""
    station = station_model()
    meters = tuple(
        meter.model_copy(
            update={
                "inverted": meter.id == inverted,
                "until": instant(until[meter.id]) if meter.id in until else None,
            }
        )
        for meter in station.meter
    )
    return Registry(station=(station.model_copy(update={"meter": meters}),))


def turned(records: list[IntervalRecord], name: str) -> list[IntervalRecord]:
    return [
        replace(
            each,
            forward_mwh=0,
            reverse_mwh=each.forward_mwh,
            forward_total_mwh=0,
            reverse_total_mwh=each.forward_total_mwh,
            carbon_forward_ug=0,
            carbon_reverse_ug=each.carbon_forward_ug,
            carbon_forward_total_ug=0,
            carbon_reverse_total_ug=each.carbon_forward_total_ug,
        )
        if each.meter == name
        else each
        for each in records
    ]


def corrected(centre: Centre, registry: Registry, settings: Checks | None = None) -> None:
    """Start the receiver again, with another registry or other settings."""
    centre.registry, centre.settings = registry, settings or centre.settings
    centre.restart()


def anew(centre: Centre) -> list[int]:
    """Check what waits; return how many days each portion had."""

    async def portions() -> list[int]:
        counts = []
        while count := await centre.runner.again():
            counts.append(count)
        return counts

    return asyncio.run(portions())


def last_cause(centre: Centre, kind: str) -> dict[str, object]:
    with database.reading(centre.engine) as connection:
        item = next(item for item in findings.listed(connection, closed=True) if item.kind == kind)
        return dict(finding_history.of(connection, item.id)[-1].cause)


def ask(centre: Centre, *days: int, station: int = 1) -> int:
    with database.writing(centre.engine) as connection:
        return notes.ask(connection, station, days, "Li Na", centre.clock.now_ms())


def dispatched(engine: Engine, gateway: FakeGateway, registry: Registry) -> Centre:
    """Return a centre that has dispatched the factors of a day."""
    result = Centre(engine, gateway, registry)
    result.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    return result


def silenced(centre: Centre) -> Centre:
    """Return a centre whose charger C02 was taken out after its first day, and ten days of findings that it is gone."""
    centre.store(list(day()))
    for number in range(1, 11):
        centre.clock.wall_ms = DAY_END_MS + GRACE_MS + number * WHOLE_MS
        centre.check()
    return centre


def missing(items: list[findings.Finding]) -> list[int]:
    """Return the days on which C02 is said to be missing, from the first."""
    found = [item for item in items if item.kind == "missing_intervals" and item.meter == "C02"]
    return [(item.day_ms - DAY_MS) // WHOLE_MS for item in found]


class Fault:
    """Makes the check of a day fail, of all days or of some."""

    def __init__(self, patch: pytest.MonkeyPatch, *days: int) -> None:
        self.days = days
        self.tried: list[int] = []
        judge = Judge.day

        def day(own: Judge, connection: object, context: object, day_ms: int, *more: object, **named: object) -> object:
            if not self.days or day_ms in self.days:
                self.tried.append(day_ms)
                raise RuntimeError("of the test")
            return judge(own, connection, context, day_ms, *more, **named)  # type: ignore[arg-type]  # as it came

        patch.setattr(Judge, "day", day)
