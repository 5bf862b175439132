"""Stations with what only a whole span tells: a ratio, labels, patterns, clocks, or what changed half-way."""

from collections.abc import Callable
from itertools import pairwise

from estimation_support import DAY, LENGTH
from faults_support import ALTERED, DAYS, Rows, without
from plant_support import Plant

from cloud_receiver.checks.model import IntervalRow

MINUTES = 1440
"""The plant's day before its first reading."""
HALF = DAYS // 2
Make = Callable[[Plant, list[int]], Rows]


def scaled(energies: list[float], factor: float, from_day: int = 0) -> list[float]:
    """Return what a meter shows that counts so many times what flows, from a day on."""
    begin = MINUTES * (1 + from_day)
    shown = [0.0]
    for minute, (before, after) in enumerate(pairwise(energies)):
        shown.append(shown[-1] + (after - before) * (factor if minute >= begin else 1))
    return shown


def master(factor: float, from_day: int = 0) -> Make:
    def made(plant: Plant, numbers: list[int]) -> Rows:
        rows = without(plant.station(numbers, ALTERED), numbers[-1])
        return rows + plant.rows(numbers[-1], scaled(plant.master(), factor, from_day))

    return made


def charger(factor: float, *which: int, from_day: int = 0) -> Make:
    def made(plant: Plant, numbers: list[int]) -> Rows:
        rows = plant.station(numbers, ALTERED)
        for place in which:
            rows = without(rows, numbers[place])
            rows += plant.rows(numbers[place], scaled(plant.energies(place), factor, from_day))
        return rows

    return made


def exchanged(plant: Plant, numbers: list[int]) -> Rows:
    """Return a station in which C02, which is altered, and C03 go under each other's names from half-way on."""
    names = {numbers[1]: numbers[2], numbers[2]: numbers[1]}

    def renamed(row: IntervalRow) -> IntervalRow:
        late = row.start_ms >= DAY + HALF * LENGTH
        return row._replace(meter=names.get(row.meter, row.meter)) if late else row

    return [renamed(row) for row in plant.station(numbers, ALTERED)]


def together(plant: Plant, numbers: list[int]) -> Rows:
    plant.sessions[1:] = [plant.sessions[0]] * (len(plant.sessions) - 1)
    return plant.station(numbers, ALTERED)


def drifting(seconds_a_day: float, *which: int) -> Make:
    """Return a station in which clocks run away, steadily: between whole minutes energy is a straight line."""

    def made(plant: Plant, numbers: list[int]) -> Rows:
        rows = plant.station(numbers, ALTERED)
        for place in which:
            energies = plant.energies(place)
            own = []
            for minute in range(len(energies)):
                off = minute - max(minute - MINUTES, 0) / MINUTES * seconds_a_day / 60
                whole = int(off)
                last = energies[min(whole + 1, len(energies) - 1)]
                own.append(energies[whole] + (off - whole) * (last - energies[whole]))
            rows = without(rows, numbers[place]) + plant.rows(numbers[place], own, error=ALTERED[place])
        return rows

    return made
