"""A simulated station whose intervals go straight into the store: chargers with errors, a master, a fixed load."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from receiver_support import DAY_MS, SLOT_MS, station_model
from sqlalchemy import Engine, insert, select

from cloud_receiver import database, meters, row_counts
from cloud_receiver.checks import load as checks_load
from cloud_receiver.checks.model import Context, IntervalRow
from cloud_receiver.registry import Registry, Station
from cloud_receiver.schema import event, interval, meter
from wire.records import EventCode, FactorQuality, Quality

LENGTH = 86_400_000
DAY = DAY_MS
ERRORS = (0.002, 0.04, -0.001)


def rows_of(
    numbers: Sequence[int],
    days: int,
    *,
    seed: int = 1,
    errors: Sequence[float] = ERRORS,
    change: tuple[int, int, float] | None = None,
    changes: Sequence[tuple[int, int, float]] = (),
    begin_ms: int = DAY,
    share: float = 0.08,
) -> list[IntervalRow]:
    """Return intervals of chargers, and last of the master.

    `change`, `changes`: (charger, slot, its error from then on).
    """
    dice = random.Random(seed)
    now = list(errors)
    left, kw = [0] * len(errors), [0.0] * len(errors)
    totals = [0.0] * (len(errors) + 1)
    stood = [0] * (len(errors) + 1)
    rows: list[IntervalRow] = []
    for slot in range(days * 96):
        for charger, from_slot, error in (*changes, *([] if change is None else [change])):
            if slot == from_slot:
                now[charger] = error
        totals[-1] += 0.125
        for place, error in enumerate(now):
            if not left[place] and dice.random() < share:
                left[place], kw[place] = dice.randint(2, 4), dice.uniform(25, 58)
            if left[place]:
                left[place] -= 1
                totals[place] += kw[place] / 4 * (1 + error)
                totals[-1] += kw[place] / 4 * (1 + 1e-4 * kw[place])
        for place, number in enumerate(numbers):
            total = int(totals[place] * 100) * 10_000
            rows.append(
                IntervalRow(
                    begin_ms + slot * SLOT_MS,
                    *(number, 1, len(rows) + 1, SLOT_MS, total - stood[place], 0, total, 0),
                    *(None, int(FactorQuality.UNDEFINED), 0, 0, 0, 0, 15, int(Quality.MEASURED)),
                )
            )
            stood[place] = total
    return rows


@dataclass
class Site:
    """Station S1 in a store."""

    engine: Engine
    station: Station = field(default_factory=station_model)

    @property
    def registry(self) -> Registry:
        return Registry(station=(self.station,))

    def enter(self, station: Station) -> None:
        """Make the registry another one."""
        self.station = station
        with database.writing(self.engine) as connection:
            meters.enter_registry(connection, self.registry)

    def numbers(self) -> list[int]:
        with database.reading(self.engine) as connection:
            found = {row.name: row.id for row in connection.execute(select(meter))}
        return [found[item.id] for item in self.station.meter]

    def context(self) -> Context:
        with database.reading(self.engine) as connection:
            return checks_load.contexts(connection, self.registry)[0]

    def store(self, rows: Sequence[IntervalRow]) -> None:
        number = self.context().number
        with database.writing(self.engine) as connection:
            for place in range(0, len(rows), 500):
                connection.execute(
                    insert(interval), [row._asdict() | {"station": number} for row in rows[place : place + 500]]
                )
            row_counts.add(connection, records={number: len(rows)})

    def exchanged(self, meter_number: int, time_ms: int) -> None:
        number = self.context().number
        with database.writing(self.engine) as connection:
            row_counts.add(connection, records={number: 1})
            connection.execute(
                insert(event).values(
                    station=number,
                    time_ms=time_ms,
                    meter=meter_number,
                    journal=1,
                    sequence=900_000_000 + time_ms % 1_000_000,
                    code=int(EventCode.EXCHANGE),
                    details="{}",
                )
            )


def restarted(rows: Sequence[IntervalRow], meter_number: int, from_ms: int) -> list[IntervalRow]:
    """Return rows in which a meter's register begins again from 0."""
    base = max(row.forward_total_mwh for row in rows if row.meter == meter_number and row.start_ms < from_ms)
    return [
        replace_row(row, forward_total_mwh=row.forward_total_mwh - base)
        if row.meter == meter_number and row.start_ms >= from_ms
        else row
        for row in rows
    ]


def replace_row(row: IntervalRow, **values: int) -> IntervalRow:
    return row._replace(**values)
