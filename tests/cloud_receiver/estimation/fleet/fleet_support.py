"""Several stations in one store, and what they show of their chargers."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from estimation_support import DAY, LENGTH, rows_of
from receiver_support import station_model
from sqlalchemy import Engine, insert

from cloud_receiver import database, meters
from cloud_receiver.checks import load as checks_load
from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.fleet import store
from cloud_receiver.estimation.fleet.view import Seen, View
from cloud_receiver.registry import Registry, Role, Station
from cloud_receiver.schema import interval

NIGHT_MS = DAY + 30 * LENGTH
MAKE = "华充 AC7"


def station_of(name: str, makes: Sequence[str | None], *, operator: str = "", dc: Sequence[int] = ()) -> Station:
    """Return a station whose chargers are of these makes; `dc`: places of those that meter their output."""
    plain = station_model(len(makes), id=name, operator=operator)
    chargers = [
        meter.model_copy(update={"make": make, "gateway": f"gw-{name}", "dc_output": place in dc})
        for place, (meter, make) in enumerate(zip(plain.meters(Role.CHARGER), makes, strict=True))
    ]
    master = plain.meters(Role.GRID)[0].model_copy(update={"gateway": f"gw-{name}", "rated_kw": Decimal(600)})
    return plain.model_copy(update={"meter": (*chargers, master)})


@dataclass
class Stations:
    """Stations in a store."""

    engine: Engine
    stations: list[Station]

    def __post_init__(self) -> None:
        with database.writing(self.engine) as connection:
            meters.enter_registry(connection, self.registry)

    @property
    def registry(self) -> Registry:
        return Registry(station=tuple(self.stations))

    def contexts(self) -> list[Context]:
        with database.reading(self.engine) as connection:
            return checks_load.contexts(connection, self.registry)

    def context(self, name: str) -> Context:
        return next(item for item in self.contexts() if item.station.id == name)

    def show(
        self,
        name: str,
        errors: Sequence[float],
        *,
        altered: Sequence[int] = (),
        verified: dict[int, tuple[float, float]] | None = None,
        end_ms: int = NIGHT_MS,
    ) -> None:
        """Let a station show its chargers' errors against its master, per cent."""
        context = self.context(name)
        chargers = tuple(
            Seen(number, error, 0.05, place not in altered, place in altered, (verified or {}).get(place))
            for place, (number, error) in enumerate(zip(context.numbers(Role.CHARGER), errors, strict=True))
        )
        view = View(end_ms, (0.0, 0.25), certified=False, u_common=0.01, chargers=chargers)
        with database.writing(self.engine) as connection:
            store.keep_view(connection, context.number, view)

    def read(self, name: str, errors: Sequence[float], days: int, seed: int) -> None:
        """Store a station's intervals: chargers with these relative errors against its master."""
        context = self.context(name)
        numbers = [*context.numbers(Role.CHARGER), *context.numbers(Role.GRID)]
        rows = rows_of(numbers, days, seed=seed, errors=errors)
        with database.writing(self.engine) as connection:
            for place in range(0, len(rows), 500):
                some = [row._asdict() | {"station": context.number} for row in rows[place : place + 500]]
                connection.execute(insert(interval), some)


def shown(dice: random.Random, count: int, error: float, gain_sd: float = 0.25) -> list[float]:
    """Draw what a station of sound chargers shows, of a make with this error; per cent."""
    gain = dice.gauss(0, gain_sd)
    return [error + dice.gauss(0, 0.3) - gain for _ in range(count)]
