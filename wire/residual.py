"""How far carbon in a record may be from energy × factor: the centre's checks and proofs judge by the same rule."""

from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

HONEST_RESIDUAL_NG: Final = 999
"""Carbon leaves a meter's exact register as floored µg: a difference of two such values is off by less than 1 µg."""

DIRECTIONS: Final = ("forward", "reverse")


class Amounts(Protocol):
    """Energy (mWh) and carbon (µg) of a record, both directions."""

    @property
    def forward_mwh(self) -> int: ...  # noqa: D102  # the class says it
    @property
    def reverse_mwh(self) -> int: ...  # noqa: D102
    @property
    def carbon_forward_ug(self) -> int: ...  # noqa: D102
    @property
    def carbon_reverse_ug(self) -> int: ...  # noqa: D102


class Residual(NamedTuple):
    """Carbon that is not energy × factor: mWh, µg, and the difference in ng."""

    direction: str
    energy_mwh: int
    carbon_ug: int
    difference_ng: int


def dishonest(amounts: Amounts, factor: int) -> Iterator[Residual]:
    """Yield the directions in which carbon is off by 1 µg or more; factor in mg/kWh, of an adjustment the change."""
    for direction, energy, carbon in (
        (DIRECTIONS[0], amounts.forward_mwh, amounts.carbon_forward_ug),
        (DIRECTIONS[1], amounts.reverse_mwh, amounts.carbon_reverse_ug),
    ):
        difference = carbon * 1000 - energy * factor
        if abs(difference) > HONEST_RESIDUAL_NG:
            yield Residual(direction, energy, carbon, difference)
