"""What the device's registers must have gained: from the standard meter and the factors given, exactly.

The tolerance has no part that is chosen: it is the step of the registers, what is not known of instants (how long a
request takes, how well the device's clock is known) times the load, and the uncertainty of the standard. A device with
a metering error is measured by its own energy registers: their error belongs to clause 5.6, and what is judged here is
that its carbon is its energy times the factors.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

from firmware_sim.inspection.bench import Standard
from firmware_sim.inspection.functions.given import Given, UnknownFactorError
from firmware_sim.inspection.functions.stretches import Stretches

WAYS: Final = ("forward", "reverse")


@dataclass(frozen=True, slots=True)
class Seen:
    """Registers, between two instants around the request; those that the device has."""

    values: Mapping[str, int]
    before: Fraction
    after: Fraction

    @property
    def middle(self) -> Fraction:
        """Return the instant that counts as that of the reading."""
        return (self.before + self.after) / 2

    @property
    def vague_ms(self) -> Fraction:
        """Return how far off that instant may be."""
        return (self.after - self.before) / 2


@dataclass(frozen=True, slots=True)
class Flowed:
    """What flowed between two instants, by way: mWh, and ng where all factors are known.

    `swing` is by how much the factor changed in all (mg/kWh), `largest` the largest that counted; `pieces` are the
    energies of each way between two changes of the factor.
    """

    energy: Mapping[str, Fraction]
    carbon: Mapping[str, Fraction]
    pieces: Mapping[str, tuple[Fraction, ...]]
    swing: int
    largest: int
    uncertainty_mwh: Fraction

    def aligned(self, way: str, step: int) -> bool:
        """Return whether each piece is a whole number of the energy register's steps.

        If not, a device that forms carbon from whole steps of energy leaves part of one to the next factor.
        """
        return all(piece % step == 0 for piece in self.pieces[way])


@dataclass(frozen=True, slots=True)
class Scale:
    """How the device's energy register of one way compares with the standard over the whole item.

    `exact`: it shows what the standard measured, to its last digit, and the standard is known exactly. Otherwise it is
    known but for `vague_mwh` of what flowed.
    """

    factor: Fraction
    exact: bool
    vague_mwh: Fraction
    error_percent: Fraction | None  # None: nothing flowed
    found: int
    expected: Fraction


async def flowed(
    standard: Standard, stretches: Stretches, given: Given, first: Fraction, last: Fraction, *, carbon_counts: bool
) -> Flowed:
    """Return what flowed between two instants of the bench; UnknownFactorError, BenchError.

    With `carbon_counts` false no factors are known, and all carbon is 0.
    """
    energy = dict.fromkeys(WAYS, Fraction(0))
    carbon = dict.fromkeys(WAYS, Fraction(0))
    pieces: dict[str, list[Fraction]] = {way: [] for way in WAYS}
    swing = largest = 0
    uncertainty = Fraction(0)
    before: int | None = None
    for begin, end, factor in _pieces(stretches, given if carbon_counts else None, first, last):
        truth = await standard.between(begin, end)
        parts = {"forward": truth.forward_mwh, "reverse": truth.reverse_mwh}
        uncertainty += truth.uncertainty_mwh
        if not any(parts.values()):
            continue
        if factor is None:
            raise UnknownFactorError(f"no factor was given for {begin} to {end} ms of the bench's time")
        for way, part in parts.items():
            energy[way] += part
            carbon[way] += part * factor
            if factor == before and pieces[way]:
                pieces[way][-1] += part
            else:
                pieces[way].append(part)
        swing += 0 if before is None else abs(factor - before)
        largest = max(largest, factor)
        before = factor
    return Flowed(energy, carbon, {way: tuple(found) for way, found in pieces.items()}, swing, largest, uncertainty)


def _pieces(
    stretches: Stretches, given: Given | None, first: Fraction, last: Fraction
) -> list[tuple[Fraction, Fraction, int | None]]:
    """Return (begin, end, factor; None: not known) of the pieces in which one factor holds, 0 where there is none."""
    found: list[tuple[Fraction, Fraction, int | None]] = []
    for stretch in stretches.between(first, last):
        if given is None:
            found.append((stretch.begin, stretch.end, 0))
            continue
        cuts = {stretch.begin, stretch.end}
        cuts.update(stretch.instant_of(time) for time in given.changes(stretch.device_begin, stretch.device_end))
        cuts.update(given.arrivals(stretch.begin, stretch.end))
        for begin, end in pairwise(sorted(cuts)):
            try:
                factor = given.at(stretch.device_at(begin), begin) or 0
            except UnknownFactorError:
                factor = None
            if found and found[-1][1:] == (begin, factor):
                found[-1] = (found[-1][0], end, factor)
            else:
                found.append((begin, end, factor))
    return found
