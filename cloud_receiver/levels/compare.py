"""Whether two centres agree about the boundary between them: energy, factor, carbon, and each one's own books.

Two meters within their classes may differ by the sum of their limits of error, by the steps of their registers, and by
what flows in the time by which their slots are apart. More is a difference; nothing here is a statistical judgement.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cloud_receiver.levels.book import Said
from wire.levels import Totals

PPM: Final = 1_000_000
DEFAULT_ERROR_PPM: Final = 10_000
"""1 %: of a meter whose class nobody has told. A default of this program."""
BOUNDARY_MS: Final = 5_000
"""By how much the same slot may begin at another time at the other side. A default of this program."""
BALANCE_PPM: Final = 10_000
"""Of what came in: imbalance of a centre's own books that is no finding. A default of this program."""

ENERGY: Final = "level_energy"
FACTOR: Final = "level_factor"
CARBON: Final = "level_carbon"
ARITHMETIC: Final = "level_arithmetic"
MISSING: Final = "level_missing"
BOOKS: Final = "level_books"
KINDS: Final = (ENERGY, FACTOR, CARBON, ARITHMETIC, MISSING, BOOKS)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the meters of both sides are good for."""

    ours_ppm: int | None = None
    theirs_ppm: int | None = None
    ours_step_mwh: int | None = None
    theirs_step_mwh: int | None = None

    def energy_mwh(self, energy_mwh: int, slots: int, span_ms: int) -> int:
        """Return by how much two readings of an energy in a span of `slots` slots may differ.

        Steps and clocks count at the two ends of the span, however many slots it has.
        """
        ppm = sum(DEFAULT_ERROR_PPM if value is None else value for value in (self.ours_ppm, self.theirs_ppm))
        steps = 2 * ((self.ours_step_mwh or 0) + (self.theirs_step_mwh or 0))
        clocks = 2 * energy_mwh * BOUNDARY_MS // span_ms
        return -(-energy_mwh * ppm // PPM) + steps + clocks + min(slots, 1)


@dataclass(slots=True)
class Difference:
    """Slots in which something doesn't agree, with what both sides say."""

    kind: str
    starts: list[int] = field(default_factory=list)
    details: list[dict[str, object]] = field(default_factory=list)

    def add(self, start_ms: int, **detail: object) -> None:
        """Note a slot."""
        self.starts.append(start_ms)
        self.details.append({"start_ms": start_ms, **detail})


def carbon_ug(energy_mwh: int, factor: int) -> int:
    """Return the carbon of an energy in mWh at a factor in mg/kWh, in µg, floored as registers are."""
    return energy_mwh * factor // 1000


def differences(ours: Mapping[int, Said], theirs: Mapping[int, Said], limits: Limits, slot_ms: int) -> list[Difference]:
    """Compare both sides slot by slot; slots of which only one side speaks are missing ones."""
    found = {kind: Difference(kind) for kind in KINDS}
    for start in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(start), theirs.get(start)
        if other is not None:
            _arithmetic(found[ARITHMETIC], start, other)
            _books(found[BOOKS], start, other.totals)
        if mine is None or other is None or other.forward_mwh is None or mine.forward_mwh is None:
            if (mine is None or mine.forward_mwh is None) != (other is None or other.forward_mwh is None):
                silent = "ours" if mine is None or mine.forward_mwh is None else "theirs"
                found[MISSING].add(start, side=silent)
            continue
        _slot(found, start, mine, other, lambda energy_mwh: limits.energy_mwh(energy_mwh, 1, slot_ms))
    return [item for item in found.values() if item.starts]


def _slot(
    found: Mapping[str, Difference], start_ms: int, ours: Said, theirs: Said, limit_of: Callable[[int], int]
) -> None:
    for way, factor in (("forward", "factor"), ("reverse", "reverse_factor")):
        mine, other = getattr(ours, f"{way}_mwh") or 0, getattr(theirs, f"{way}_mwh") or 0
        limit = limit_of(max(mine, other))
        if abs(mine - other) > limit:
            found[ENERGY].add(start_ms, way=way, ours_mwh=mine, theirs_mwh=other, limit_mwh=limit)
        my_factor, other_factor = getattr(ours, factor), getattr(theirs, factor)
        if my_factor != other_factor and max(mine, other):
            found[FACTOR].add(start_ms, way=way, ours=my_factor, theirs=other_factor)
            continue
        my_carbon, other_carbon = getattr(ours, f"carbon_{way}_ug"), getattr(theirs, f"carbon_{way}_ug")
        if my_factor is None or my_carbon is None or other_carbon is None:
            continue
        allowed = carbon_ug(limit, my_factor) + 2
        if abs(my_carbon - other_carbon) > allowed:
            found[CARBON].add(start_ms, way=way, ours_ug=my_carbon, theirs_ug=other_carbon, limit_ug=allowed)


def _arithmetic(found: Difference, start_ms: int, said: Said) -> None:
    for way, factor in (("forward", said.factor), ("reverse", said.reverse_factor)):
        energy, carbon = getattr(said, f"{way}_mwh"), getattr(said, f"carbon_{way}_ug")
        if energy is None or carbon is None or factor is None:
            continue
        # The register is floored, so that a slot's share may be one more.
        if abs(carbon - carbon_ug(energy, factor)) > 1:
            found.add(start_ms, way=way, energy_mwh=energy, factor=factor, carbon_ug=carbon)


def _books(found: Difference, start_ms: int, totals: Totals | None) -> None:
    if totals is None:
        return
    for unit in ("mwh", "ug"):
        came, used, lost, kept, rest = (
            getattr(totals, f"{name}_{unit}") for name in ("sources", "loads", "losses", "storages", "imbalance")
        )
        if came - used - lost - kept != rest:
            found.add(start_ms, unit=unit, sources=came, loads=used, losses=lost, storages=kept, imbalance=rest)
        elif abs(rest) > abs(came) * BALANCE_PPM // PPM:
            found.add(start_ms, unit=unit, sources=came, imbalance=rest)


def sums(rows: Iterable[tuple[Said, Said]]) -> tuple[dict[str, int], dict[str, int]]:
    """Return each side's sums over slots of which both speak."""
    names = ("forward_mwh", "reverse_mwh", "carbon_forward_ug", "carbon_reverse_ug")
    ours, theirs = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for mine, other in rows:
        for name in names:
            ours[name] += getattr(mine, name) or 0
            theirs[name] += getattr(other, name) or 0
    return ours, theirs
