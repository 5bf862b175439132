"""What loads and storages take from the grid in a slot and give back, in integers."""

from dataclasses import dataclass

from cloud_receiver.grid.analysis.generation import LARGEST_FACTOR
from cloud_receiver.grid.analysis.quantities import MWH_PER_MW_H, UG_PER_T, carbon_ug, usable

_LEAST_SHARE = 0.01  # an efficiency below is none, as for the solver
_ROUNDING = 1e-9  # a tank that is asked for more than it holds by less than this was emptied, not overdrawn


@dataclass(frozen=True, slots=True)
class Taken:
    """Energy in mWh and carbon in µg, none negative."""

    taken: int = 0
    carbon: int = 0
    """Of what was taken, at the node's solved factor."""
    fallback: int = 0
    """Taken where another factor stood in."""
    fallback_carbon: int = 0
    bare: int = 0
    """Taken where there was no factor at all."""
    given: int = 0
    given_carbon: int = 0
    unknown: int = 0
    """Given without a known factor."""


def load(power: float, own: float, nodal: float, sent: int | None, hours: float) -> Taken | None:
    """Return a load's slot: power in MW, the factor with which it feeds in, its node's factor as solved and as sent.

    None for a power that is none.
    """
    if not usable(power):
        return None
    energy = round(power * hours * MWH_PER_MW_H)
    if power >= 0:
        return _drawn(energy, power, nodal, sent, hours)
    if not 0 <= own <= LARGEST_FACTOR:
        return Taken(given=-energy, unknown=-energy)
    return Taken(given=-energy, given_carbon=-round(own * power * hours * UG_PER_T))


def storage(values: tuple[float, ...], nodal: float, sent: int | None, hours: float) -> Taken | None:
    """Return a storage's slot, of values as the store keeps them; None where they are none.

    What leaves a tank takes energy and carbon from it in the same proportion (docs/carbon-flow.md).
    """
    charge, discharge, charge_share, discharge_share, stored, tonnes, stranger = values
    powers = usable(charge) and usable(discharge) and min(charge, discharge) >= 0
    shares = _LEAST_SHARE <= discharge_share <= 1 and _LEAST_SHARE <= charge_share <= 1
    if not (powers and shares and 0 <= stranger <= stored and tonnes >= 0):
        return None
    into = _drawn(round(charge * hours * MWH_PER_MW_H), charge, nodal, sent, hours)
    wanted = discharge * hours / discharge_share
    share = 0.0 if wanted <= 0 else min(wanted / stored, 1.0) if stored > 0 else 1.0
    covered = 1.0 if wanted <= stored * (1 + _ROUNDING) else stored / wanted
    unknown = discharge * (covered * (stranger / stored if stored > 0 else 0.0) + (1 - covered))
    return Taken(
        *(into.taken, into.carbon, into.fallback, into.fallback_carbon, into.bare),
        given=round(discharge * hours * MWH_PER_MW_H),
        given_carbon=round(share * tonnes * UG_PER_T),
        unknown=round(unknown * hours * MWH_PER_MW_H),
    )


def _drawn(energy: int, power: float, nodal: float, sent: int | None, hours: float) -> Taken:
    if energy == 0:
        return _NOTHING
    if nodal == nodal:  # noqa: PLR0124 - NaN isn't itself
        return Taken(energy, round(nodal * power * hours * UG_PER_T))
    if sent is None:
        return Taken(energy, bare=energy)
    return Taken(energy, fallback=energy, fallback_carbon=carbon_ug(energy, sent))


_NOTHING = Taken()
