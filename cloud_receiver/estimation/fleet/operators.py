"""One operator's (运营商) stations together: t = c + o of each of its makes, o being what is its own of them.

However many stations an operator has, what it says of a make is no surer than its own part lets it be.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cloud_receiver.estimation.fleet.dense import (
    Matrix,
    inverting,
    less,
    multiplying,
    part,
    product,
    times,
)
from cloud_receiver.estimation.fleet.levels import HUBER, Level
from cloud_receiver.estimation.fleet.steps import last

AT_ONCE: Final = 200
"""Stations between two turns of those that wait."""


@dataclass(slots=True)
class Operator:
    """An operator, its stations and its makes; `weights`: how far each station is believed."""

    name: str
    levels: list[Level]
    makes: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    stations: dict[int, int] = field(default_factory=dict)
    """By make: how many stations say something of it."""
    _places: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for level in self.levels:
            for one in level.makes:
                self.stations[one.make] = self.stations.get(one.make, 0) + bool(one.chargers)
        self.makes = sorted(self.stations)
        self._places = {make: place for place, make in enumerate(self.makes)}
        self.weights = [1.0] * len(self.levels)

    def places(self, level: Level) -> list[int]:
        """Return where a station's makes, and last the masters' mean error, are among this operator's."""
        return [*(self._places[one.make] for one in level.makes), len(self.makes)]

    def adding(self) -> Iterator[tuple[Matrix, list[float]] | None]:
        """Yield None between steps, and the normal equations of (its makes..., the masters' mean error) at the end."""
        size = len(self.makes) + 1
        matrix, side = [[0.0] * size for _ in range(size)], [0.0] * size
        for count, (level, weight) in enumerate(zip(self.levels, self.weights, strict=True)):
            if count % AT_ONCE == 0:
                yield None
            own, own_side = level.information(weight)
            places = self.places(level)
            for place, row, value in zip(places, own, own_side, strict=True):
                line = matrix[place]
                side[place] += value
                for other, cell in zip(places, row, strict=True):
                    line[other] += cell
        yield matrix, side

    def believing(self, errors: Sequence[float], bias: float) -> Iterator[None]:
        """Take stations for what they are where this operator's makes have these errors; yields between steps."""
        weights = []
        for count, level in enumerate(self.levels):
            weights.append(level.weight([errors[place] for place in self.places(level)[:-1]], bias))
            if count % AT_ONCE == 0:
                yield
        self.weights = weights


@dataclass(frozen=True, slots=True)
class Summed:
    """An operator's equations: of what is its own, and with that eliminated, of the makes."""

    operator: Operator
    columns: list[int]
    """Of its makes, and of the masters' mean error last, among all unknowns."""
    matrix: Matrix
    side: list[float]
    own: Matrix | None
    """Covariance of what is its own where makes are known; None: nothing is (one operator alone)."""
    slope: Matrix
    start: list[float]
    """What is its own is `start` less `slope` times (makes, masters' mean error)."""

    def of(self, values: Sequence[float]) -> list[float]:
        """Return what is the operator's own of each make."""
        if self.own is None:
            return [0.0] * len(self.operator.makes)
        known = [values[column] for column in self.columns]
        return [a - product(row, known) for a, row in zip(self.start, self.slope, strict=True)]

    def variances(self, covariance: Matrix) -> Iterator[list[float] | None]:
        """Yield None between steps, and the variance of each of these at the end."""
        if self.own is None:
            yield [0.0] * len(self.operator.makes)
            return
        inner = yield from last(multiplying(self.slope, part(covariance, self.columns)))
        yield [self.own[place][place] + product(row, self.slope[place]) for place, row in enumerate(inner)]

    def joint(self, values: Sequence[float], covariance: Matrix) -> Iterator[tuple[list[float], Matrix] | None]:
        """Yield None between steps, and at the end its makes' errors as they are with it, and their covariance.

        The masters' mean error is the last of them.
        """
        known = [values[column] for column in self.columns]
        inner = part(covariance, self.columns)
        if self.own is None:
            yield known, inner
            return
        size = len(self.operator.makes)
        turn = [[float(row == column) for column in range(size + 1)] for row in range(size + 1)]
        for line, slope in zip(turn, self.slope, strict=False):
            line[:] = [a - b for a, b in zip(line, slope, strict=True)]
        half = yield from last(multiplying(turn, inner))
        spread = yield from last(multiplying(half, [list(row) for row in zip(*turn, strict=True)]))
        for line, own in zip(spread, self.own, strict=False):
            line[:size] = [a + b for a, b in zip(line, own, strict=False)]
        mean = [a + b for a, b in zip(known, [*self.of(values), 0.0], strict=True)]
        yield mean, spread


def summing(operator: Operator, bias_column: int, own: Mapping[int, float] | None) -> Iterator[Summed | None]:
    """Yield None between steps, and an operator's equations at the end.

    `own`: by make the variance of what is its own, None: nothing is.
    """
    matrix, side = yield from last(operator.adding())
    columns = [*operator.makes, bias_column]
    if own is None:
        yield Summed(operator, columns, matrix, side, None, [], [])
        return
    size = len(operator.makes)
    with_own = [row[:size] for row in matrix[:size]]
    for place, make in enumerate(operator.makes):
        with_own[place][place] += 1 / own[make]
    covariance = yield from last(inverting(with_own))
    slope = yield from last(multiplying(covariance, matrix[:size]))
    start = times(covariance, side[:size])
    columns_of = [list(column) for column in zip(*matrix[:size], strict=True)]
    taken = yield from last(multiplying(columns_of, slope))
    yield Summed(
        operator,
        columns,
        less(matrix, taken),
        [a - product(column, start) for a, column in zip(side, columns_of, strict=True)],
        covariance,
        slope,
        start,
    )


def believed(own: float, variance: float) -> float:
    """Return the variance of an operator's own part of a make, larger where it is an outlier (Huber)."""
    off = abs(own) / variance**0.5
    return variance if off <= HUBER else variance * off / HUBER
