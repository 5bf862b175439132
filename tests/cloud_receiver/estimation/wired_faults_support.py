"""Stations on three phases, with a charger that is truly altered and something else wrong with them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from drops_support import DESIGN, TRUNK, Wired, blocks_of, sent, wired
from estimation_support import DAY, LENGTH, Site, replace_row
from faults_support import Rows, Station, at_midnight, sun, without
from plant_support import DAY_MINUTES

from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.estimation.run import estimate
from wire.records import Quality

DAYS = 10
HALF = DAYS // 2
END = DAY + DAYS * LENGTH
SPLIT = DAY + HALF * LENGTH
ODD = (1.0, 1.4, 0.7, 1.3, 0.8)
"""What branches lose, in designs."""
ERRORS = (0.001, 0.04, -0.002, 0.002, 0.0)
COUNT = len(ERRORS)
HOUR = 60


@dataclass
class Faulty:
    """What is wrong: in the plant, in what its meters' records say, and with the orders that are told."""

    plant: Callable[[Wired], None] = lambda _plant: None
    rows: Callable[[Rows, list[int]], Rows] = lambda rows, _numbers: rows
    """By the meters' numbers, the master's last."""
    told: Sequence[int] = ()
    """Under which charger's name the orders of each are; none are told where it is empty."""
    blocks_of: Sequence[int] = field(default=range(COUNT + 1))
    """Whose voltages each meter sends."""


def filled(site: Site, fault: Faulty, *, voltages: bool) -> None:
    """Store the records of a station with this fault."""
    site.enter(wired(COUNT))
    plant = Wired([DESIGN * times for times in ODD], days=DAYS)
    fault.plant(plant)
    numbers = site.numbers()
    if voltages:
        for place, whose in enumerate(fault.blocks_of):
            sent(site, numbers[place], blocks_of(plant.means(whose)), first=1_000_000 * (place + 1))
    for charger, name in enumerate(fault.told):
        orders = [(one.start_ms, one.end_ms, one.energy_mwh) for one in plant.orders(charger, ERRORS[charger])]
        Station(site, numbers).tell(name, orders)
    site.store(sorted(fault.rows(plant.rows(numbers, ERRORS), numbers)))


def estimated(site: Site) -> StationResult:
    return estimate(site.engine, site.context(), Estimation(days=DAYS), DAY, END).result


def renewed(plant: Wired, *, without: Sequence[int] = (), load: Callable[[int], float] = lambda _minute: 0.0) -> None:
    """Let the master count what flows now, but for some chargers, and an unmetered load in kW by minute."""
    for minute in range(plant.days * DAY_MINUTES):
        power = [0.0 if charger in without else own[minute] for charger, own in enumerate(plant.power)]
        through = sum(power) + sum(plant.loss(charger, minute) * kw**2 for charger, kw in enumerate(power))
        through += load(minute)
        plant.master_kw[minute] = through + TRUNK * through**2 + 0.3


def never(plant: Wired) -> None:
    plant.power[2] = [0.0] * len(plant.power[2])
    renewed(plant)


def twins(plant: Wired) -> None:
    plant.power[3] = plant.power[2]
    renewed(plant)


def together(plant: Wired) -> None:
    plant.power[2:] = [plant.power[2]] * (COUNT - 2)
    renewed(plant)


def unmetered(load: Callable[[int], float]) -> Callable[[Wired], None]:
    return lambda plant: renewed(plant, load=load)


def missed(plant: Wired) -> None:
    renewed(plant, without=[2])


def pump(minute: int) -> float:
    return 6.0 if minute // 97 % 11 == 3 else 0.0


def storage(minute: int) -> float:
    return 8.0 if minute % DAY_MINUTES < 5 * HOUR else -6.0 if 17 * HOUR < minute % DAY_MINUTES < 22 * HOUR else 0.0


def panels(kw: float) -> Callable[[int], float]:
    return lambda minute: sun(minute, kw)


def late(hours: int, *which: int) -> Callable[[Rows, list[int]], Rows]:
    """Return records of which some come so many hours late, by their clocks."""

    def made(rows: Rows, numbers: list[int]) -> Rows:
        about = {numbers[place] for place in which}
        shift = hours * 3_600_000
        moved = [row._replace(start_ms=row.start_ms + shift) if row.meter in about else row for row in rows]
        return [row for row in moved if row.start_ms < END]

    return made


def scaled(place: int, factor: float, from_ms: int = DAY) -> Callable[[Rows, list[int]], Rows]:
    """Return records in which a meter counts so many times what flows, the wrong way round where that is negative."""

    def made(rows: Rows, numbers: list[int]) -> Rows:
        meter = numbers[place]
        own = [row for row in rows if row.meter == meter]
        counted = [int(row.forward_mwh * (factor if row.start_ms >= from_ms else 1)) for row in own]
        forward = list(accumulate(max(value, 0) for value in counted))
        reverse = list(accumulate(max(-value, 0) for value in counted))
        return without(rows, meter) + [
            row._replace(
                forward_mwh=max(value, 0),
                reverse_mwh=max(-value, 0),
                forward_total_mwh=ahead,
                reverse_total_mwh=back,
            )
            for row, value, ahead, back in zip(own, counted, forward, reverse, strict=True)
        ]

    return made


def relabelled(from_ms: int) -> Callable[[Rows, list[int]], Rows]:
    """Return records of C02 and C03 that go under each other's names from a time on."""

    def made(rows: Rows, numbers: list[int]) -> Rows:
        names = {numbers[1]: numbers[2], numbers[2]: numbers[1]}
        return [row._replace(meter=names.get(row.meter, row.meter)) if row.start_ms >= from_ms else row for row in rows]

    return made


def first_hours(hours: int) -> Callable[[Rows, list[int]], Rows]:
    return lambda rows, _numbers: [row for row in rows if row.end_ms <= DAY + hours * 3_600_000]


def daily(*which: int) -> Callable[[Rows, list[int]], Rows]:
    """Return records of which some are known at midnight only."""

    def made(rows: Rows, numbers: list[int]) -> Rows:
        about = {numbers[place] for place in which}
        return [
            row if row.meter not in about or at_midnight(row) else replace_row(row, quality=int(Quality.ESTIMATED))
            for row in rows
        ]

    return made
