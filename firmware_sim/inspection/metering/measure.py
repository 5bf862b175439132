"""One reading at a load point: the device's registers and its pulses beside the standard meter.

Registers: what they gained between two readings, against what the standard measured between the middles of the two
requests. Pulses: the first and the last of a number of pulses gate the standard. Both last until what counting can be
wrong by is at most a tenth of the limit, and at least the plan's dwell.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final

from firmware_sim.inspection.bench import Ability, Bench, BenchError, DutError
from firmware_sim.inspection.points import LoadPoint

UJ_PER_MWH: Final = 3_600_000
_TENTH: Final = 10
_PULSE_PERIODS: Final = 3  # how many periods of the expected pulse are waited for before the output counts as dead
_MOST_ROUNDS: Final = 6


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
    """What standard and device measured of one quantity, in its unit; `count` is what counting may add, likewise."""

    by: str
    standard: Fraction
    device: Fraction
    count: Fraction
    duration_ms: Fraction
    pulses: int | None = None

    @property
    def count_percent(self) -> Fraction:
        """Return what counting may add to the error, %."""
        return 100 * self.count / abs(self.standard)


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


def register_ms(bench: Bench, quantity: Quantity, point: LoadPoint, limit: Fraction) -> int:
    """Return how long registers are compared at a load point: the dwell, or what their resolution asks for."""
    step = bench.dut.resolution(quantity.register(point))
    return max(bench.selection.dwell_ms, ceil(_TENTH * 100 * step / (limit * flow(quantity, point))))


async def by_registers(
    bench: Bench,
    quantity: Quantity,
    point: LoadPoint,
    limit: Fraction,
    wait_until: Callable[[Fraction], Awaitable[None]],
) -> Compared:
    """Compare registers for as long as their resolution asks; the load point is set already."""
    name = quantity.register(point)
    wanted: Fraction | int = register_ms(bench, quantity, point, limit)
    first = await look(bench, [name])
    for _ in range(_MOST_ROUNDS):
        await wait_until(first.middle + wanted)
        last = await look(bench, [name])
        compared = await _registers(bench, quantity, point, first, last)
        # The time that a request takes counts as well, and is not known before.
        short = compared.count_percent * _TENTH / limit
        if short <= 1:
            break
        wanted = ceil((last.middle - first.middle) * min(short, Fraction(4)))
    return compared


async def _registers(bench: Bench, quantity: Quantity, point: LoadPoint, first: Look, last: Look) -> Compared:
    name = quantity.register(point)
    truth = await bench.standard.between(first.middle, last.middle)
    energy = truth.reverse_mwh if point.reverse else truth.forward_mwh
    if energy <= 0:
        raise BenchError(f"the standard meter measured {energy} mWh at a load of {point.power_mw} mW")
    gained = last.values[name] - first.values[name]
    taking = (first.after - first.before + last.after - last.before) / 2
    count = bench.dut.resolution(name) + flow(quantity, point) * taking + quantity.of(truth.uncertainty_mwh)
    return Compared("register", quantity.of(energy), Fraction(gained), count, last.middle - first.middle)


def pulse_count(bench: Bench, quantity: Quantity, point: LoadPoint, limit: Fraction, jitter_ms: Fraction) -> int:
    """Return how many pulses are counted: those of the dwell, more where the jitter of an edge asks for it."""
    period = quantity.per_pulse / flow(quantity, point)
    wanted = max(Fraction(bench.selection.dwell_ms), _TENTH * 100 * jitter_ms / limit)
    return max(1, ceil(wanted / period))


async def by_pulses(
    bench: Bench, quantity: Quantity, point: LoadPoint, limit: Fraction, jitter_ms: Fraction = Fraction(1)
) -> Compared:
    """Let the device's pulses gate the standard; DutError when they don't come."""
    assert bench.pulses is not None
    number = pulse_count(bench, quantity, point, limit, jitter_ms)
    period = quantity.per_pulse / flow(quantity, point)
    first = last = await _pulse(bench, quantity, point, period)
    for _ in range(number):
        last = await _pulse(bench, quantity, point, period)
    truth = await bench.standard.between(first, last)
    energy = truth.reverse_mwh if point.reverse else truth.forward_mwh
    if energy <= 0:
        raise BenchError(f"the standard meter measured {energy} mWh between pulses")
    count = flow(quantity, point) * jitter_ms + quantity.of(truth.uncertainty_mwh)
    return Compared("pulse", quantity.of(energy), number * quantity.per_pulse, count, last - first, number)


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
