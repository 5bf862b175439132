"""One reading at a load point: the device beside the standard meter. Pulses; for registers see `registers`.

The first and the last of a number of pulses gate the standard. A reading lasts until what counting can be wrong by is
at most a tenth of the limit, and at least the plan's dwell. The standard meter may be as uncertain as a third of the
limit (k = 2; recalled from the practice of calibration): waiting longer does not make it better.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final

from firmware_sim.inspection.bench import Ability, Bench, BenchError, DutError
from firmware_sim.inspection.points import LoadPoint

UJ_PER_MWH: Final = 3_600_000
THOUSAND: Final = 1000  # 100 % over a tenth of the limit
_TENTH: Final = 10
_THIRD: Final = 3
_COVERAGE: Final = 2
_PULSE_PERIODS: Final = 3  # how many periods of the expected pulse are waited for before the output counts as dead


class UncertainError(BenchError):
    """The bench can't tell the error well enough to judge it, however often it measures."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is compared: forward and reverse register, the pulse output, pulses per kWh or kg, and the factor.

    `factor` is in mg/kWh for carbon, so that mWh times it are ng; None for energy.
    """

    name: str
    factor: int | None
    constant: int | None

    def register(self, point: LoadPoint) -> str:
        """Return the standard name of the register that counts at a load point."""
        return f"{self.name}_{'reverse' if point.reverse else 'forward'}"

    def of(self, energy_mwh: Fraction) -> Fraction:
        """Return an energy in the quantity's unit: mWh, or ng."""
        return energy_mwh if self.factor is None else energy_mwh * self.factor

    @property
    def per_pulse(self) -> Fraction:
        """Return what one pulse stands for in the quantity's unit: 1 kWh are 10⁶ mWh, 1 kg are 10¹² ng."""
        if not self.constant:
            raise ValueError(f"no pulse constant for {self.name}")
        return Fraction(10**6 if self.factor is None else 10**12, self.constant)


@dataclass(frozen=True, slots=True)
class Compared:
    """What standard and device measured of one quantity, in its unit.

    `count` is what counting may add, `uncertainty` how uncertain the standard is (k = 1), both in the quantity's unit.
    """

    by: str
    standard: Fraction
    device: Fraction
    count: Fraction
    duration_ms: Fraction
    pulses: int | None = None
    uncertainty: Fraction = Fraction(0)

    @property
    def count_percent(self) -> Fraction:
        """Return what counting may add to the error, %."""
        return 100 * self.count / abs(self.standard)

    @property
    def uncertain_percent(self) -> Fraction:
        """Return how uncertain the standard is (k = 1), %."""
        return 100 * self.uncertainty / abs(self.standard)

    def short(self, limit: Fraction) -> Fraction:
        """Return how many times too large counting or uncertainty is; at most 1 is good enough."""
        return max(_TENTH * self.count_percent, _THIRD * _COVERAGE * self.uncertain_percent) / limit


@dataclass(frozen=True, slots=True)
class Look:
    """The registers, between two instants around the request."""

    values: Mapping[str, int]
    before: Fraction
    after: Fraction

    @property
    def middle(self) -> Fraction:
        """Return the instant that counts as that of the reading."""
        return (self.before + self.after) / 2


def flow(quantity: Quantity, point: LoadPoint) -> Fraction:
    """Return how much of a quantity flows in a ms at a load point, in its unit."""
    return abs(quantity.of(point.power_mw / UJ_PER_MWH))


async def look(bench: Bench, names: list[str]) -> Look:
    """Read registers; DutError when one of them does not come."""
    before = bench.time.now()
    values = await bench.dut.read(*names)
    after = bench.time.now()
    missing = [name for name in names if name not in values]
    if missing:
        raise DutError(f"expected values of {', '.join(names)}, got none of {', '.join(missing)}")
    return Look(values, before, after)


async def energy_between(bench: Bench, point: LoadPoint, first: Fraction, last: Fraction) -> tuple[Fraction, Fraction]:
    """Return the energy in the load point's direction by the standard meter, and how uncertain it is (k = 1), mWh.

    BenchError when the standard measured nothing there: the source did not give what it was told to.
    """
    truth = await bench.standard.between(first, last)
    energy = truth.reverse_mwh if point.reverse else truth.forward_mwh
    if energy <= 0:
        raise BenchError(f"the standard meter measured {float(energy)} mWh at a load of {float(point.power_mw)} mW")
    return energy, truth.uncertainty_mwh


def told_apart(compared: Compared, limit: Fraction) -> Compared:
    """Return what was compared; UncertainError when the standard meter is not good enough to judge by it."""
    known = _COVERAGE * compared.uncertain_percent
    if known * _THIRD > limit:
        raise UncertainError(
            f"the standard meter tells the error to {float(known):.3f} % only (k = {_COVERAGE}); expected a third of "
            f"the limit of {float(limit):g} % at most"
        )
    return compared


def pulse_count(bench: Bench, quantity: Quantity, point: LoadPoint, limit: Fraction, jitter_ms: Fraction) -> int:
    """Return how many pulses are counted: those of the dwell, more where the jitter of an edge asks for it."""
    period = quantity.per_pulse / flow(quantity, point)
    wanted = max(Fraction(bench.selection.dwell_ms), _TENTH * 100 * jitter_ms / limit)
    return max(1, ceil(wanted / period))


async def by_pulses(
    bench: Bench,
    quantity: Quantity,
    point: LoadPoint,
    limit: Fraction,
    jitter_ms: Fraction = Fraction(1),
    *,
    counted_for: Fraction | None = None,
) -> Compared:
    """Let the device's pulses gate the standard; DutError when they don't come.

    `counted_for`: the limit of which counting may be a tenth, where it is another than the error's.
    """
    assert bench.pulses is not None
    number = pulse_count(bench, quantity, point, counted_for or limit, jitter_ms)
    period = quantity.per_pulse / flow(quantity, point)
    first = last = await _pulse(bench, quantity, point, period)
    for _ in range(number):
        last = await _pulse(bench, quantity, point, period)
    energy, uncertainty = await energy_between(bench, point, first, last)
    compared = Compared(
        "pulse",
        quantity.of(energy),
        number * quantity.per_pulse,
        flow(quantity, point) * jitter_ms,
        last - first,
        number,
        quantity.of(uncertainty),
    )
    return told_apart(compared, limit)


async def _pulse(bench: Bench, quantity: Quantity, point: LoadPoint, period: Fraction) -> Fraction:
    assert bench.pulses is not None
    longest = _PULSE_PERIODS * period
    instant = await bench.pulses.next(quantity.name, longest)
    if instant is None:
        raise DutError(
            f"expected a pulse of {quantity.name} every {float(period):.0f} ms at {point.current_ma} mA, "
            f"got none in {float(longest):.0f} ms"
        )
    return instant


def quantities(bench: Bench, factor: int | None) -> tuple[Quantity, bool]:
    """Return the quantity that a factor (None: energy) stands for, and whether its pulses can be counted."""
    rating = bench.rating
    if factor is None:
        return Quantity("energy", None, rating.constant), _gives(bench, Ability.PULSES, rating.constant)
    constant = rating.carbon_constant
    return Quantity("carbon", factor, constant), _gives(bench, Ability.CARBON_PULSES, constant)


def _gives(bench: Bench, ability: Ability, constant: int | None) -> bool:
    return bench.pulses is not None and constant is not None and ability in bench.dut.abilities
