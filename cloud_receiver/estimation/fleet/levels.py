"""What one station says of its makes: y = c − G + noise, of each make with the level G of its master eliminated.

c is what a make has in common, G the error of the station's master and whatever else shifts all its chargers alike.
Per cent throughout.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud_receiver.estimation.fleet.dense import Matrix

HUBER = 2.5
"""Standard deviations beyond which a level, or what an operator has of its own, counts less."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The sound chargers of one make at one station: mean of their errors less the master's, and its precision."""

    make: int
    mean: float
    precision: float
    chargers: int


@dataclass(frozen=True, slots=True)
class Level:
    """A station. `gain`: the master's error and its u before its chargers are looked at."""

    station: int
    operator: str
    makes: tuple[Heard, ...]
    gain: tuple[float, float]
    certified: bool = False
    """The master has a certificate: it is none of those whose mean error nobody knows."""
    verified: tuple[float, float] | None = None
    """The level as verified chargers show it, and the precision of that."""

    @property
    def speaks(self) -> bool:
        """Return whether it says anything."""
        return any(one.chargers for one in self.makes)

    def information(self, weight: float = 1.0) -> tuple[Matrix, list[float]]:
        """Return the normal equations of (its makes..., the masters' mean error), without its own level."""
        shared, (gain, gain_precision), told, whole = self._about(weight)
        coupling = [one.precision for one in self.makes] + [gain_precision * shared]
        rest = gain_precision * gain + told
        rest -= sum(one.precision * one.mean for one in self.makes)
        matrix = [[-a * b / whole for b in coupling] for a in coupling]
        for place, value in enumerate(coupling):
            matrix[place][place] += value
        side = [one.precision * one.mean for one in self.makes] + [-gain_precision * shared * gain]
        return matrix, [value + a * rest / whole for value, a in zip(side, coupling, strict=True)]

    def weight(self, makes: Sequence[float], bias: float) -> float:
        """Return how far the station is believed, where its makes' errors and the masters' mean are these."""
        shared, (gain, precision), told, whole = self._about(1.0)
        rest = precision * (gain + shared * bias) + told
        rest -= sum(one.precision * (one.mean - error) for one, error in zip(self.makes, makes, strict=True))
        off = abs(rest / whole - gain - shared * bias) * precision**0.5
        return 1.0 if off <= HUBER else HUBER / off

    def _about(self, weight: float) -> tuple[float, tuple[float, float], float, float]:
        gain, u = self.gain
        precision = weight / (u * u)
        told = (0.0, 0.0) if self.verified is None else self.verified
        whole = precision + told[1] + sum(one.precision for one in self.makes)
        return (0.0 if self.certified else 1.0), (gain, precision), told[0] * told[1], whole
