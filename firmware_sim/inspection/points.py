"""Ratings and load points (负载点): what a meter is made for, and what the source gives it."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

PPM: Final = 10**6


class Character(StrEnum):
    """Whether the current lags or leads the voltage (感性 L, 容性 C)."""

    UNITY = "1"
    INDUCTIVE = "L"
    CAPACITIVE = "C"


class Balance(StrEnum):
    """Balanced load (平衡负载), or load on one phase alone (不平衡负载)."""

    BALANCED = "balanced"
    A = "a"
    B = "b"
    C = "c"


@dataclass(frozen=True, slots=True)
class Rating:
    """What stands on the name plate (铭牌); mV, mA, mHz, imp/kWh, imp/kgCO2.

    `carbon_constant` None: the meter gives no carbon pulses. `accuracy_class`: A to E (GB/T 17215.321), or 1 and 2.
    """

    accuracy_class: str
    voltage_mv: int  # between phase and neutral
    imin_ma: int
    itr_ma: int
    imax_ma: int
    starting_ma: int  # 起动电流 Ist
    frequency_mhz: int = 50_000
    phases: int = 3
    constant: int | None = None  # 电能表常数
    carbon_constant: int | None = None


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """One state of the source: current of each loaded phase, and how it lies to the voltage."""

    voltage_mv: int
    current_ma: int
    power_factor_ppm: int = PPM  # absolute value, 10^-6
    character: Character = Character.UNITY
    balance: Balance = Balance.BALANCED
    phases: int = 3
    frequency_mhz: int = 50_000
    reverse: bool = False  # 反向: the power flows out

    @property
    def loaded_phases(self) -> tuple[bool, ...]:
        """Return which of the phases carry current."""
        if self.balance is Balance.BALANCED or self.phases == 1:
            return (True,) * self.phases
        return tuple(self.balance.value == phase for phase in "abc"[: self.phases])

    @property
    def power_mw(self) -> Fraction:
        """Return the active power of all phases in mW, exactly; negative in reverse."""
        power = Fraction(self.voltage_mv * self.current_ma * self.power_factor_ppm * sum(self.loaded_phases), 10**9)
        return -power if self.reverse else power
