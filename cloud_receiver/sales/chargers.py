"""Which charger of a station an order is of: by its id in the registry, or what orders call it and its connectors."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from cloud_receiver.checks.model import Context
from cloud_receiver.registry import Registry, Role
from cloud_receiver.schema import meter as meter_table
from cloud_receiver.schema import station as station_table

_SHOWN = 10


class Chargers:
    """Finds the chargers of a station by the names that orders have."""

    def __init__(self, context: Context) -> None:
        self._meters = context.meters
        self._named: dict[str, list[int]] = {}
        for number in context.numbers(Role.CHARGER):
            meter = context.meters[number]
            for name in dict.fromkeys((meter.id, *meter.connectors)):
                self._named.setdefault(name, []).append(number)
        self.only = next(iter(found)) if len(found := context.numbers(Role.CHARGER)) == 1 else None
        """The charger of a station that has one."""

    def find(self, names: Iterable[str], time_ms: int) -> int | None:
        """Return the charger that has one of the names; of two that followed each other, the one in service then."""
        for name in names:
            found = self._named.get(name, ())
            if found:
                return next((number for number in found if self._meters[number].in_service(time_ms)), found[-1])
        return None

    def known(self) -> str:
        """Return the first names that there are, for a message."""
        names = list(self._named)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return ", ".join(names[:_SHOWN]) + more if names else "none"


def context_of(connection: Connection, registry: Registry, name: str) -> Context | None:
    """Return one station with the numbers of its meters; None for one that isn't registered, or not entered yet."""
    station = registry.find(name)
    number = connection.execute(select(station_table.c.id).where(station_table.c.name == name)).scalar()
    if station is None or number is None:
        return None
    registered = {(meter.gateway, meter.id): meter for meter in station.meter}
    context = Context(number, station, {}, {})
    for row in connection.execute(
        select(meter_table).where(meter_table.c.station == number).order_by(meter_table.c.id)
    ):
        if (found := registered.get((row.gateway, row.name))) is not None:
            context.meters[row.id] = found
        else:
            context.unknown[row.id] = row.name
    return context
