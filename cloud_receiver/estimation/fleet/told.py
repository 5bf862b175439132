"""What a station is told of its makes by others: it must not hear its own data twice.

Where other operators have a make, nothing of its own operator's is in it; else nothing of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import hypot

from cloud_receiver.estimation.fleet.dense import Matrix, inverting, less, part, times
from cloud_receiver.estimation.fleet.levels import Level
from cloud_receiver.estimation.fleet.operators import Summed
from cloud_receiver.estimation.fleet.solve import Solution
from cloud_receiver.estimation.fleet.steps import last

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Told:
    """What one station is told: by make its expected error and the u of that, per cent."""

    station: int
    makes: Mapping[int, Pair]


def told(solution: Solution, least: int, station: float) -> Iterator[Told | None]:
    """Yield what each station is told, None between; of makes known of `least` other stations at least.

    `station`: standard deviation of what chargers have in common at one station beyond make and operator, per cent.
    """
    everywhere: dict[int, int] = {}
    for one in solution.summed:
        for make, count in one.operator.stations.items():
            everywhere[make] = everywhere.get(make, 0) + count
    for one in solution.summed:
        own = one.operator.stations
        by_others = [make for make in one.operator.makes if everywhere[make] - own[make] >= least]
        elsewhere = (yield from last(_without_operator(solution, one, by_others))) if by_others else {}
        yield None
        mean, covariance = yield from last(one.joint(solution.errors, solution.covariance))
        yield None
        for level, weight in zip(one.operator.levels, one.operator.weights, strict=True):
            makes = {item.make: elsewhere[item.make] for item in level.makes if item.make in elsewhere}
            alone = [
                item.make
                for item in level.makes
                if item.make not in elsewhere and own[item.make] - bool(item.chargers) >= least
            ]
            if alone:
                places = one.operator.places(level)
                known = [mean[place] for place in places], part(covariance, places)
                without = yield from last(_without_station(level, weight, *known))
                makes |= {make: pair for make, pair in without.items() if make in alone}
            yield Told(level.station, {make: (error, hypot(u, station)) for make, (error, u) in makes.items()})


def expected(found: Told, counts: Mapping[int, int], unheard: int, cohort: float) -> Pair | None:
    """Return the mean expected of all chargers of a station, and its u; per cent. None where nothing is told.

    `counts`: chargers by make; `unheard`: those without any, or that never are in it; makes of which nothing is told
    are as these: 0 ± `cohort`. What is unsure of one make is taken as being so of all.
    """
    if not found.makes:
        return None
    total = unheard + sum(counts.values())
    parts = [(count, *found.makes.get(make, (0.0, cohort))) for make, count in counts.items()]
    parts.append((unheard, 0.0, cohort))
    return sum(count * mean for count, mean, _ in parts) / total, sum(count * u for count, _, u in parts) / total


def _without_operator(solution: Solution, one: Summed, makes: Sequence[int]) -> Iterator[dict[int, Pair] | None]:
    """Yield None between steps, and what others say of an operator's makes, with what may be its own of them in u."""
    before = [solution.errors[column] for column in one.columns]
    information = yield from last(inverting(part(solution.covariance, one.columns)))
    covariance = yield from last(inverting(less(information, one.matrix)))
    change = [a - b for a, b in zip(times(one.matrix, before), one.side, strict=True)]
    after = [a + b for a, b in zip(before, times(covariance, change), strict=True)]
    wanted, own = set(makes), solution.operator**2
    yield {
        make: (after[place], (covariance[place][place] + own) ** 0.5)
        for place, make in enumerate(one.operator.makes)
        if make in wanted
    }


def _without_station(
    level: Level, weight: float, mean: list[float], covariance: Matrix
) -> Iterator[dict[int, Pair] | None]:
    matrix, side = level.information(weight)
    information = yield from last(inverting(covariance))
    rest = yield from last(inverting(less(information, matrix)))
    change = [a - b for a, b in zip(times(matrix, mean), side, strict=True)]
    after = [a + b for a, b in zip(mean, times(rest, change), strict=True)]
    yield {item.make: (after[place], rest[place][place] ** 0.5) for place, item in enumerate(level.makes)}
