"""Meter numbers by gateway and name; a meter the registry doesn't know gets one too, so that its records are kept."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, update

from cloud_receiver.enrolment import EnrolmentError, GatewayRow, station_number
from cloud_receiver.registry import Registry
from cloud_receiver.schema import gateway, meter
from cloud_receiver.schema import station as station_table

UNKNOWN_ROLE = "unknown"


def enter_registry(connection: Connection, registry: Registry) -> None:
    """Write stations and meters of the registry into the store; a meter no longer registered becomes unknown.

    EnrolmentError for a gateway that is enrolled for another station.
    """
    stored = {(row.gateway, row.name): row for row in connection.execute(select(meter))}
    enrolled = {row.name: row.station for row in connection.execute(select(gateway))}
    for station in registry.station:
        number = station_number(connection, station.id)
        for name in dict.fromkeys(item.gateway for item in station.meter):
            # Its records would go to one station and be waited for at the other.
            if enrolled.get(name, number) != number:
                raise EnrolmentError(
                    f"gateway {name} is enrolled for another station than {station.id}, to which the registry gives "
                    "it: enrol it there under a new name"
                )
        for item in station.meter:
            row = stored.pop((item.gateway, item.id), None)
            values = {"station": number, "role": item.role.value}
            if row is None:
                connection.execute(insert(meter).values(gateway=item.gateway, name=item.id, **values))
            elif (row.station, row.role) != (number, item.role.value):
                connection.execute(update(meter).where(meter.c.id == row.id).values(**values))
    for row in stored.values():
        if row.role != UNKNOWN_ROLE:
            connection.execute(update(meter).where(meter.c.id == row.id).values(role=UNKNOWN_ROLE))


def is_entered(connection: Connection, registry: Registry) -> bool:
    """Return whether the store has the registry as it is, so that a command that only reads need not wait to write."""
    stations = {row.name: row.id for row in connection.execute(select(station_table))}
    wanted = {
        (item.gateway, item.id): (stations.get(station.id), item.role.value)
        for station in registry.station
        for item in station.meter
    }
    stored = {(row.gateway, row.name): (row.station, row.role) for row in connection.execute(select(meter))}
    homes = {row.name: row.station for row in connection.execute(select(gateway))}
    return (
        all(station.id in stations for station in registry.station)
        and all(stored.get(key) == value and homes.get(key[0], value[0]) == value[0] for key, value in wanted.items())
        and all(role == UNKNOWN_ROLE for key, (_, role) in stored.items() if key not in wanted)
    )


class MeterNumbers:
    """Resolves names inside transactions; what a rolled-back transaction entered is forgotten."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], int] = {}
        self._fresh: dict[tuple[str, str], int] = {}

    def resolve(self, connection: Connection, gateway: GatewayRow, names: Sequence[str]) -> list[int]:
        """Return the numbers of a gateway's meters, entering those that have none."""
        known, owner = self._known, gateway.name
        try:
            return [known[owner, name] for name in names]
        except KeyError:
            return [self._one(connection, gateway, name) for name in names]

    def _one(self, connection: Connection, gateway: GatewayRow, name: str) -> int:
        key = (gateway.name, name)
        number = self._known.get(key) or self._fresh.get(key)
        if number is None:
            number = connection.execute(
                select(meter.c.id).where(meter.c.gateway == gateway.name, meter.c.name == name)
            ).scalar()
        if number is None:
            number = connection.execute(
                insert(meter)
                .values(gateway=gateway.name, name=name, station=gateway.station, role=UNKNOWN_ROLE)
                .returning(meter.c.id)
            ).scalar_one()
        self._fresh[key] = number
        return int(number)

    def committed(self) -> None:
        """Keep what the transaction found or entered."""
        self._known |= self._fresh
        self._fresh.clear()

    def rolled_back(self) -> None:
        """Forget it."""
        self._fresh.clear()
