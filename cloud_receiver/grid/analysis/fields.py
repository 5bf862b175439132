"""The columns of an analysis: name with unit as machines read it, heading as people do."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from cloud_receiver.grid.analysis.quantities import half_even

Value: TypeAlias = int | str | None
Row: TypeAlias = Mapping[str, Value]
"""Values as the store has them, by the name of their field: mWh, µg, mg/kWh."""


class Kind(Enum):
    """What a field holds."""

    TEXT = "text"
    COUNT = "count"
    ENERGY = "mWh"  # in kWh, for people MWh
    CARBON = "µg"  # in kg, for people t
    FACTOR = "mg/kWh"  # in kg/kWh


_DIGITS: Final = {Kind.ENERGY: (6, 9, 3), Kind.CARBON: (9, 12, 6), Kind.FACTOR: (6, 6, 6)}
"""Decimals of the exact value; of the unit that people are shown, and how many of them they are shown."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column. `name` has the unit in which `exact` writes it."""

    name: str
    heading: str
    kind: Kind = Kind.TEXT
    shown: bool = True
    """Also in the table for people, which has room for the most important."""

    def exact(self, value: Value) -> Value:
        """Return a value as machines get it: energy in kWh, carbon in kg, factors in kg/kWh, exact decimals as text."""
        if value is None or isinstance(value, str) or (digits := _DIGITS.get(self.kind)) is None:
            return value
        return decimal(value, digits[0])

    def readable(self, value: Value) -> str:
        """Return a value as people get it: energy in MWh, carbon in t, rounded half to even."""
        if value is None:
            return "-"
        if isinstance(value, str) or (digits := _DIGITS.get(self.kind)) is None:
            return str(value)
        _, whole, kept = digits
        return decimal(half_even(value, 10 ** (whole - kept)), kept)


def decimal(value: int, digits: int) -> str:
    """Return an integer with a decimal point before its last digits."""
    whole, part = divmod(abs(value), 10**digits)
    return f"{'-' * (value < 0)}{whole}.{part:0{digits}d}"


def text(name: str, heading: str, *, shown: bool = True) -> Field:
    """Return a field of text."""
    return Field(name, heading, Kind.TEXT, shown)


def count(name: str, heading: str, *, shown: bool = True) -> Field:
    """Return a field that counts."""
    return Field(name, heading, Kind.COUNT, shown)


def energy(name: str, heading: str, *, shown: bool = True) -> Field:
    """Return a field of energy."""
    return Field(f"{name}_kwh", f"{heading} MWh", Kind.ENERGY, shown)


def carbon(name: str, heading: str, *, shown: bool = True) -> Field:
    """Return a field of carbon."""
    return Field(f"{name}_kg", f"{heading} tCO2", Kind.CARBON, shown)


def factor(name: str, heading: str, *, shown: bool = True) -> Field:
    """Return a field of carbon factors."""
    return Field(f"{name}_kg_per_kwh", f"{heading} kgCO2/kWh", Kind.FACTOR, shown)
