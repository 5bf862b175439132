"""Stations of ten days and five chargers with something wrong, to be put into a store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import pi, sin
from typing import Any

from estimation_support import DAY, LENGTH, Site, replace_row
from plant_support import Plant
from receiver_support import SLOT_MS
from sqlalchemy import insert

from cloud_receiver import database
from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.estimation import verification
from cloud_receiver.schema import charge_order
from wire.records import Quality

DAYS = 10
END = DAY + DAYS * LENGTH
SOUND = (0.001, 0.003, -0.002, 0.002, 0.0)
ALTERED = (0.001, 0.04, -0.002, 0.002, 0.0)
Rows = list[IntervalRow]
Make = Callable[["Station"], Rows]


@dataclass
class Station:
    """A site whose meters are numbered, to be filled."""

    site: Site
    numbers: list[int]

    def tell(self, charger: int, orders: Sequence[tuple[int, int, int]]) -> None:
        """Enter orders of a charger."""
        with database.writing(self.site.engine) as connection:
            for place, (start_ms, end_ms, energy) in enumerate(orders):
                values = {"start_ms": start_ms, "end_ms": end_ms, "energy_mwh": energy, "version": 1}
                about = {"station": self.site.context().number, "meter": self.numbers[charger]}
                source = {"number": f"{charger}-{place}", "source": "csv", "made_by": "test", "received_ms": end_ms}
                connection.execute(insert(charge_order).values(**values, **about, **source))

    def verified(self, meter: int, error: str, days_ago: int = 10) -> None:
        """Enter a verification of a charger, or of the master (-1)."""
        with database.writing(self.site.engine) as connection:
            verification.enter(
                connection,
                self.site.context().number,
                self.numbers[meter],
                at_ms=DAY - days_ago * LENGTH,
                error_percent=Decimal(error),
                u_percent=Decimal("0.05"),
                left_percent=None,
                made_by="",
                document="",
                now_ms=END,
            )


def of_plant(errors: Sequence[float] = ALTERED, late: Sequence[int] = (), **changes: Any) -> Make:
    return lambda station: Plant(DAYS, **changes).station(station.numbers, errors, late)


def without(rows: Rows, meter: int, keep: Callable[[IntervalRow], bool] = lambda _row: False) -> Rows:
    return [row for row in rows if row.meter != meter or keep(row)]


def master_of(error: float = 0.0, *, errors: Sequence[float] = ALTERED, missing: Sequence[int] = ()) -> Make:
    def made(station: Station) -> Rows:
        plant, own = Plant(DAYS), station.numbers[-1]
        rows = without(plant.station(station.numbers, errors), own)
        return rows + plant.rows(own, plant.master(missing), error=error)

    return made


def reversed_master(station: Station) -> Rows:
    plant, own = Plant(DAYS), station.numbers[-1]
    rows = without(plant.station(station.numbers, SOUND), own)
    return rows + plant.rows(own, [-energy for energy in plant.master()])


def reversed_charger(station: Station) -> Rows:
    plant, own = Plant(DAYS), station.numbers[2]
    rows = without(plant.station(station.numbers, SOUND), own)
    return rows + plant.rows(own, [-energy for energy in plant.energies(2)])


def twins(first: float, second: float) -> Make:
    def made(station: Station) -> Rows:
        plant = Plant(DAYS)
        plant.sessions[1] = plant.sessions[0]
        return plant.station(station.numbers, (first, second, 0, 0, 0))

    return made


def never(station: Station) -> Rows:
    plant = Plant(DAYS)
    plant.sessions[1] = []
    return plant.station(station.numbers, SOUND)


def marked(keep: Callable[[IntervalRow], bool], quality: Quality, meters: Sequence[int] = range(6)) -> Make:
    """Return a station of which some meters' intervals, but those to keep, have another quality."""

    def made(station: Station) -> Rows:
        about = {station.numbers[meter] for meter in meters}
        return [
            row if row.meter not in about or keep(row) else replace_row(row, quality=int(quality))
            for row in Plant(DAYS).station(station.numbers, ALTERED)
        ]

    return made


def at_midnight(row: IntervalRow) -> bool:
    return (row.end_ms - DAY) % LENGTH == 0


def told(*order_of: int, shift_h: int = 0) -> Make:
    """Return a station whose orders are told; charger i's are under `order_of[i]`, those of C02 so many hours off."""

    def made(station: Station) -> Rows:
        plant = Plant(DAYS)
        for charger, name in enumerate(order_of):
            shift = 3_600_000 * shift_h if charger == 1 else 0
            orders = plant.orders(charger, ALTERED[charger])
            station.tell(name, [(start + shift, end + shift, energy) for start, end, energy in orders])
        return plant.station(station.numbers, ALTERED)

    return made


def verified(meter: int, error: str, rows: Make) -> Make:
    def made(station: Station) -> Rows:
        station.verified(meter, error)
        return rows(station)

    return made


def hours(first: float, last: float) -> Make:
    def made(station: Station) -> Rows:
        plant = Plant(DAYS)
        span = DAY + int(first * 3_600_000), DAY + int(last * 3_600_000)
        return [row for row in plant.station(station.numbers, ALTERED) if span[0] <= row.start_ms < span[1]]

    return made


def silent(meter: int, from_day: int = 0) -> Make:
    def made(station: Station) -> Rows:
        rows = Plant(DAYS).station(station.numbers, ALTERED)
        return without(rows, station.numbers[meter], lambda row: row.start_ms < DAY + from_day * LENGTH)

    return made


def joining(station: Station) -> Rows:
    rows = Plant(DAYS).station(station.numbers, ALTERED)
    return without(rows, station.numbers[2], lambda row: row.start_ms >= DAY + 5 * LENGTH)


def restarting(every: int) -> Make:
    """Return a station in which the register of C02 begins again from 0 all the time."""

    def made(station: Station) -> Rows:
        result, base, last = [], 0, 0
        for row in sorted(Plant(DAYS).station(station.numbers, ALTERED)):
            if row.meter == station.numbers[1]:
                if (row.start_ms - DAY) // SLOT_MS % every == 0:
                    base = last
                last = row.forward_total_mwh
                result.append(replace_row(row, forward_total_mwh=row.forward_total_mwh - base))
            else:
                result.append(row)
        return result

    return made


def inventing(station: Station) -> Rows:
    """Return a sound station in which C01 counts besides 4 % of what C02 does."""
    plant, own = Plant(DAYS), station.numbers[0]
    others = plant.energies(1)
    invented = [energy + 0.04 * other for energy, other in zip(plant.energies(0), others, strict=True)]
    return without(plant.station(station.numbers, (0.0,) * 5), own) + plant.rows(own, invented)


def discharging(station: Station) -> Rows:
    """Return a station whose vehicles give energy back in every third session (V2G)."""
    plant = Plant(DAYS)
    plant.sessions = [
        [one._replace(kw=-one.kw) if place % 3 == 0 else one for place, one in enumerate(sessions)]
        for sessions in plant.sessions
    ]
    return plant.station(station.numbers, ALTERED)


def exchanges(meter: int, *times: float) -> Make:
    """Return a station whose gateway says that a meter was exchanged, so many days from the beginning."""

    def made(station: Station) -> Rows:
        for day in times:
            station.site.exchanged(station.numbers[meter], DAY + int(day * LENGTH))
        return of_plant()(station)

    return made


def sun(minute: int, kw: float) -> float:
    return -kw * max(0.0, sin(pi * (minute % 1440 - 360) / 720))


def storage(minute: int) -> float:
    return 30.0 if minute % 1440 < 300 else -25.0 if 1020 < minute % 1440 < 1320 else 0.0


def pump(minute: int) -> float:
    return 40.0 if minute // 97 % 11 == 3 else 0.0
