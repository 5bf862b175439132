"""The load points (负载点) of an inspection: what a selection asks of a meter with a given rating, in its order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from firmware_sim.inspection.bench import Selection
from firmware_sim.inspection.points import PPM, Balance, Character, LoadPoint, Rating

_CURRENT: Final = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)?(Imax|Itr|Imin)")
_POWER_FACTOR: Final = re.compile(r"(0\.\d{1,6}|1(?:\.0)?)([LC])?")


class GridError(ValueError):
    """A current or power factor that can't be read, or that the meter can't have."""


@dataclass(frozen=True, slots=True)
class Place:
    """A load point with the names that a report gives it."""

    point: LoadPoint
    power_factor: str
    current: str

    @property
    def key(self) -> str:
        """Return what tells the place from the others of the same balance, voltage and factor."""
        way = "/reverse" if self.point.reverse else ""
        return f"{self.point.voltage_mv}/{self.point.balance}/{self.power_factor}/{self.current}{way}"


def current_ma(name: str, rating: Rating) -> int:
    """Return a current such as "0.5Imax" in mA, rounded down to a whole one; GridError."""
    match = _CURRENT.fullmatch(name)
    if match is None:
        raise GridError(f'current {name!r}: expected a multiple of Imax, Itr or Imin, such as "0.5Imax"')
    of = {"Imax": rating.imax_ma, "Itr": rating.itr_ma, "Imin": rating.imin_ma}[match[2]]
    found = int(Fraction(match[1] or 1) * of)
    if not 0 < found <= rating.imax_ma:
        raise GridError(f"current {name!r} is {found} mA; the meter takes up to Imax, {rating.imax_ma} mA")
    return found


def power_factor(name: str) -> tuple[int, Character]:
    """Return a power factor such as "0.5L" as (10⁻⁶, character); GridError."""
    match = _POWER_FACTOR.fullmatch(name)
    unity = match is not None and Decimal(match[1]) == 1
    if match is None or unity == bool(match[2]):
        raise GridError(f'power factor {name!r}: expected "1.0", or one such as "0.5L" or "0.8C"')
    ppm = int(Decimal(match[1]) * PPM)
    if not ppm:
        raise GridError(f"power factor {name!r}: expected more than 0")
    return ppm, Character(match[2]) if match[2] else Character.UNITY


def place_of(
    rating: Rating,
    factor: str,
    current: str,
    *,
    balance: str = "balanced",
    voltage_mv: int | None = None,
    is_reverse: bool = False,
) -> Place:
    """Return the place of a power factor and a current, at the rated voltage where none is given; GridError."""
    ppm, character = power_factor(factor)
    return Place(
        LoadPoint(
            voltage_mv or rating.voltage_mv,
            current_ma(current, rating),
            ppm,
            character,
            Balance(balance),
            rating.phases,
            rating.frequency_mhz,
            is_reverse,
        ),
        factor,
        current,
    )


def places(rating: Rating, selection: Selection, *, balance: str, voltage_mv: int) -> Iterator[Place]:
    """Yield the places of one load condition: power factors, and within each the currents in falling order."""
    in_order = sorted(selection.currents, key=lambda name: -current_ma(name, rating))
    for factor in selection.power_factors:
        for name in in_order:
            yield place_of(rating, factor, name, balance=balance, voltage_mv=voltage_mv)


def conditions(rating: Rating, selection: Selection) -> Iterator[tuple[int, str]]:
    """Yield (voltage in mV, balance) of each load condition; a single-phase meter has no unbalanced load."""
    for voltage in selection.voltages_mv or (rating.voltage_mv,):
        for balance in selection.balances if rating.phases > 1 else ("balanced",):
            yield voltage, balance
