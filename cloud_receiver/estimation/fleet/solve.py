"""The mixed model of all stations: y = c − G + noise, c of each make, G of each station, o of each operator and make.

c ~ N(μ, τ²), μ what all makes have in common; G ~ N(the masters' mean error, what is known of the station's master);
o ~ N(0, σ²). Stations are eliminated one by one, then operators; makes are solved for at once. τ and σ are learnt by
expectation and maximisation of the restricted likelihood (REML), with what was believed of them before counting as two
makes. The masters' mean error is no number that data tell, since all makes may be off alike: it has its prior, and
every make's u has it.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from math import log

from cloud_receiver.estimation.fleet.dense import PRODUCTS, Matrix, inverting, times
from cloud_receiver.estimation.fleet.levels import Level
from cloud_receiver.estimation.fleet.operators import Operator, Summed, believed, summing
from cloud_receiver.estimation.fleet.steps import last

MAX_MAKES = 1000
_PRIOR_COUNT = 2.0
_ROUNDS, _ROUNDS_OF_MANY = 30, 10
_MANY = 300
"""Makes of which a round takes seconds."""
_CELLS = 250_000
"""Of operators' equations that a step adds, some 20 ms; of one operator all."""
_SETTLED = 0.01
_LEAST_ROUNDS = 3
_SMALLEST = 1e-3


@dataclass(frozen=True, slots=True)
class Known:
    """What is believed before: standard deviations in per cent."""

    cohort: float
    """Of what chargers of a make have in common, and likewise of all makes' mean."""
    operator: float
    bias: float
    """Of the mean error of masters without a certificate."""


@dataclass(frozen=True, slots=True)
class Solution:
    """What stations say together; `errors` and `covariance`: of each make, the masters' mean, and that of all makes."""

    errors: list[float]
    covariance: Matrix
    cohort: float
    operator: float
    """What was learnt of these standard deviations."""
    summed: list[Summed]
    rounds: int

    @property
    def several(self) -> bool:
        """Return whether there are several operators."""
        return len(self.summed) > 1

    def make(self, number: int) -> tuple[float, float]:
        """Return what a make's chargers have in common, and its u; per cent."""
        return self.errors[number], self.covariance[number][number] ** 0.5


def solving(levels: Sequence[Level], makes: int, known: Known) -> Iterator[Solution | None]:
    """Yield None between steps, and the solution at the end."""
    grouped: dict[str, list[Level]] = {}
    for level in levels:
        grouped.setdefault(level.operator, []).append(level)
    operators = [Operator(name, grouped[name]) for name in sorted(grouped)]
    learning = _Learning(known, known.cohort**2, known.operator**2, several=len(operators) > 1)
    rounds = _ROUNDS if makes <= _MANY else _ROUNDS_OF_MANY
    for turn in range(1, rounds + 1):
        parts: list[Summed] = []
        for item in operators:
            one = yield from last(summing(item, makes, learning.own(item)))
            parts.append(one)
        matrix, side = yield from last(_together(parts, makes, learning.cohort, known))
        covariance = yield from last(inverting(matrix))
        errors = times(covariance, side)
        now = Solution(errors, covariance, learning.cohort**0.5, learning.operator**0.5, parts, turn)
        moved = yield from learning.learn(now)
        if (moved < _SETTLED and turn >= _LEAST_ROUNDS) or turn == rounds:
            yield now
            return
        for part in parts:
            together = [errors[make] + own for make, own in zip(part.operator.makes, part.of(errors), strict=True)]
            yield from part.operator.believing(together, errors[makes])


@dataclass(slots=True)
class _Learning:
    """Variances of makes and of operators' own parts, as far as they are learnt."""

    known: Known
    cohort: float
    operator: float
    several: bool
    outliers: dict[tuple[str, int], float] = field(default_factory=dict)
    """By operator and make: how many times the variance it is given."""

    def own(self, item: Operator) -> dict[int, float] | None:
        """Return the variance of what is an operator's own of each make; None: it is the only one."""
        if not self.several:
            return None
        return {make: self.operator * self.outliers.get((item.name, make), 1.0) for make in item.makes}

    def learn(self, now: Solution) -> Generator[None, None, float]:
        """Maximise by what is expected now, in steps; return by how much the logarithms of the variances moved."""
        *errors, _, mean = now.errors
        makes = len(errors)
        last_row = now.covariance[-1]
        squares = sum((error - mean) ** 2 for error in errors) + makes * last_row[-1]
        squares += sum(now.covariance[make][make] - 2 * last_row[make] for make in range(makes))
        cohort = (_PRIOR_COUNT * self.known.cohort**2 + squares) / (_PRIOR_COUNT + makes)
        operator = (yield from self._learn_operator(now)) if self.several else self.operator
        moved = max(abs(log(cohort / self.cohort)), abs(log(operator / self.operator)))
        self.cohort, self.operator = cohort, operator
        return moved

    def _learn_operator(self, now: Solution) -> Generator[None, None, float]:
        squares, count, products = 0.0, 0, 0
        for one in now.summed:
            name = one.operator.name
            products += len(one.operator.makes) ** 3
            if products > PRODUCTS:
                products = 0
                yield
            variances = yield from last(one.variances(now.covariance))
            for make, own, variance in zip(one.operator.makes, one.of(now.errors), variances, strict=True):
                squares += own**2 / self.outliers.get((name, make), 1.0) + variance
                count += 1
                self.outliers[name, make] = believed(own, self.operator) / self.operator
        return (_PRIOR_COUNT * self.known.operator**2 + squares) / (_PRIOR_COUNT + count)


def _together(
    parts: Sequence[Summed], makes: int, cohort: float, known: Known
) -> Iterator[tuple[Matrix, list[float]] | None]:
    """Yield None between steps, and the equations of all operators together at the end."""
    bias, mean = makes, makes + 1
    matrix, side = [[0.0] * (makes + 2) for _ in range(makes + 2)], [0.0] * (makes + 2)
    for make in range(makes):
        matrix[make][make] = 1 / cohort
        matrix[make][mean] = matrix[mean][make] = -1 / cohort
    matrix[bias][bias] = max(known.bias, _SMALLEST) ** -2
    matrix[mean][mean] = makes / cohort + known.cohort**-2
    cells = 0
    for one in parts:
        cells += len(one.columns) ** 2
        if cells > _CELLS:
            cells = 0
            yield None
        for place, row, value in zip(one.columns, one.matrix, one.side, strict=True):
            line = matrix[place]
            side[place] += value
            for column, cell in zip(one.columns, row, strict=True):
                line[column] += cell
    yield matrix, side
