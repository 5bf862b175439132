"""Several stations in one store, whose nights processes and receivers share."""

from collections import Counter
from pathlib import Path

from estimation_support import DAY, LENGTH, rows_of
from receiver_support import station_model
from sqlalchemy import Engine, func, insert, select

from clock import Clock
from cloud_receiver import database, meters
from cloud_receiver.checks.model import STATION
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.night import Nights
from cloud_receiver.registry import Registry, Role
from cloud_receiver.schema import error_estimate, fleet_night, interval, meter, station

DAYS = 2
NIGHT_MS = DAY + DAYS * LENGTH + 150 * 60_000
_METER = """
[[station.meter]]
id = "{id}"
role = "{role}"
gateway = "{gateway}"
rated_kw = {kw}
accuracy_class = {accuracy}
{make}
"""


class Hands:
    """A clock that stands until it is set."""

    def __init__(self, now_ms: int = NIGHT_MS) -> None:
        self.time_ms = now_ms

    def now_ms(self) -> int:
        return self.time_ms

    def monotonic_ms(self) -> int:
        return self.time_ms


class Sharing:
    """Stations with readings of some days, and what their nights leave."""

    def __init__(self, engine: Engine, count: int) -> None:
        self.engine = engine
        self.hands = Hands()
        stations = []
        for number in range(count):
            plain = station_model(3, id=f"S{number:02}")
            own = [
                one.model_copy(
                    update={"gateway": f"gw{number:02}", "make": "华充 AC7" if one.role is Role.CHARGER else None}
                )
                for one in plain.meter
            ]
            stations.append(plain.model_copy(update={"meter": tuple(own)}))
        self.registry = Registry(station=tuple(stations))
        with database.writing(engine) as connection:
            meters.enter_registry(connection, self.registry)
            numbers = {(row.gateway, row.name): row for row in connection.execute(select(meter))}
            for place, one in enumerate(stations):
                rows = [numbers[item.gateway, item.id] for item in one.meter]
                readings = rows_of([row.id for row in rows], DAYS, seed=place)
                values = [reading._asdict() | {"station": rows[0].station} for reading in readings]
                for first in range(0, len(values), 500):
                    connection.execute(insert(interval), values[first : first + 500])

    @property
    def names(self) -> list[str]:
        return [one.id for one in self.registry.station]

    def nights(self, *, anew: bool = False) -> Nights:
        clock: Clock = self.hands  # type: ignore[assignment]  # it does not sleep
        settings = Estimation(share_percent=100, split_halves=False, voltage_drop=False)
        return Nights(self.engine, self.registry, clock, settings, anew=anew)

    def estimated(self) -> Counter[str]:
        """Return how often each station was estimated."""
        counted = select(station.c.name, func.count()).join(error_estimate, error_estimate.c.station == station.c.id)
        asked = counted.where(error_estimate.c.meter == STATION).group_by(station.c.name)
        with database.reading(self.engine) as connection:
            return Counter({row[0]: row[1] for row in connection.execute(asked)})

    def fleets(self) -> int:
        """Return how often it was said what stations say together."""
        with database.reading(self.engine) as connection:
            return connection.execute(select(func.count()).select_from(fleet_night)).scalar_one()

    def configured(self, directory: Path, store: str, *, estimation: str = "") -> Path:
        """Write the files of a receiver of these stations; return the first of them."""
        lines = []
        for one in self.registry.station:
            lines.append(f'[[station]]\nid = "{one.id}"\nnode = "n"')
            lines += [
                _METER.format(
                    id=item.id,
                    role=item.role.value,
                    gateway=item.gateway,
                    kw=item.rated_kw,
                    accuracy=item.accuracy_class,
                    make=f'make = "{item.make}"' if item.make else "",
                )
                for item in one.meter
            ]
        (directory / "registry.toml").write_text("\n".join(lines))
        path = directory / "receiver.toml"
        path.write_text(
            f'registry = "registry.toml"\n[centre]\nkey_file = "centre.key"\ndatabase = "{store}"\n'
            "[broker]\nport = 1\n[checks]\nenabled = false\n"
            f"[estimation]\nsplit_halves = false\nvoltage_drop = false\n{estimation}\n"
        )
        return path
