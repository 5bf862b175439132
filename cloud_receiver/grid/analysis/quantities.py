"""Where floats end: a slot's powers and carbon rates become integers here, once, half to even, before any sum.

Energy in mWh (10⁻⁶ kWh), carbon in µg (10⁻⁹ kg), factors in mg/kWh (10⁻⁶ kg/kWh). All sums are of these integers, so a
day is the sum of its slots and a month that of its days, to the last digit. A factor of more than a slot is carbon by
energy, never a mean of factors.
"""

from typing import Final

MWH_PER_MW_H: Final = 1e9
"""mWh of a MW·h."""
UG_PER_T: Final = 1e12
"""µg of a tonne."""
LARGEST_MEGAWATTS: Final = 1e9
"""A power beyond it is none, as for the solver; NaN isn't within it either."""
_NG_PER_UG: Final = 1000


def half_even(amount: int, by: int) -> int:
    """Return a quotient of integers rounded half to even; `by` is positive."""
    quotient, rest = divmod(amount, by)
    return quotient + (rest * 2 > by or (rest * 2 == by and quotient % 2 == 1))


def carbon_ug(energy_mwh: int, factor: int) -> int:
    """Return the carbon of an energy at a factor in mg/kWh: exact in ng, rounded once."""
    return half_even(energy_mwh * factor, _NG_PER_UG)


def factor_mg_per_kwh(carbon: int, energy_mwh: int) -> int | None:
    """Return the factor of an energy and its carbon in µg; None without energy."""
    return half_even(carbon * _NG_PER_UG, energy_mwh) if energy_mwh > 0 else None


def usable(power: float) -> bool:
    """Return whether a power is one: not NaN, not infinite, not beyond all grids of the world."""
    return -LARGEST_MEGAWATTS <= power <= LARGEST_MEGAWATTS
