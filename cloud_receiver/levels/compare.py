"""Whether two centres agree about the boundary between them: energy, factor, carbon, and each one's own books.

Two meters within their classes may differ by the sum of their limits of error, by the steps of their registers, and by
what flows in the time by which their slots are apart. More is a difference; nothing here is a statistical judgement.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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

    def energy_mwh(self, energy_mwh: int, edges: Sequence[int], slot_ms: int) -> int:
        """Return by how much two readings of an energy may differ.

        `edges`: of each instant at which the registers are read, the energy of a slot (mWh) there. Steps and clocks
        count at each, however many slots lie between them.
        """
        ppm = sum(DEFAULT_ERROR_PPM if value is None else value for value in (self.ours_ppm, self.theirs_ppm))
        steps = len(edges) * ((self.ours_step_mwh or 0) + (self.theirs_step_mwh or 0))
        clocks = sum(edges) * BOUNDARY_MS // slot_ms
        return -(-energy_mwh * ppm // PPM) + steps + clocks + 1


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


def comparable(ours: Said, theirs: Said) -> tuple[Said, Said]:
    """Return what can be compared of a slot: where only one side knows both ways, what remains of them (净值).

    Telemetry is a net value; a meter with two registers beside it may have counted both ways in the slot.
    """
    both = [bool(item.forward_mwh and item.reverse_mwh) for item in (ours, theirs)]
    return (_net(ours), _net(theirs)) if both[0] != both[1] else (ours, theirs)


def _net(said: Said) -> Said:
    net = (said.forward_mwh or 0) - (said.reverse_mwh or 0)
    # The carbon of what went both ways is no share of what remains.
    bare = replace(said, carbon_forward_ug=None, carbon_reverse_ug=None)
    return replace(bare, forward_mwh=max(net, 0), reverse_mwh=max(-net, 0))


def pairs_of(ours: Mapping[int, Said], theirs: Mapping[int, Said]) -> dict[int, tuple[Said, Said]]:
    """Return the slots, in order, of which both sides know an energy, and what can be compared of them."""
    return {
        start: comparable(ours[start], theirs[start])
        for start in sorted(ours.keys() & theirs.keys())
        if ours[start].forward_mwh is not None and theirs[start].forward_mwh is not None
    }


def edges(pairs: Mapping[int, tuple[Said, Said]], way: str, first_ms: int, last_ms: int, slot_ms: int) -> list[int]:
    """Return the energies at the ends of consecutive slots: there it may flow as in the slot beyond."""
    found = []
    for inner, outer in ((first_ms, first_ms - slot_ms), (last_ms, last_ms + slot_ms)):
        sides = [*pairs[inner], *pairs.get(outer, ())]
        found.append(max(getattr(side, f"{way}_mwh") or 0 for side in sides))
    return found


def differences(
    ours: Mapping[int, Said], theirs: Mapping[int, Said], limits: Limits, slot_ms: int, *, missing_from_ms: int = 0
) -> list[Difference]:
    """Compare both sides slot by slot; slots of which only one side speaks are missing ones, from a time on."""
    found = {kind: Difference(kind) for kind in KINDS}
    pairs = pairs_of(ours, theirs)
    for start in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(start), theirs.get(start)
        if other is not None:
            _arithmetic(found[ARITHMETIC], start, other)
            _books(found[BOOKS], start, other.totals)
        if start in pairs:
            _slot(found, pairs, start, limits, slot_ms)
            continue
        silent = [item is None or item.forward_mwh is None for item in (mine, other)]
        if silent[0] != silent[1] and start >= missing_from_ms:
            found[MISSING].add(start, side="ours" if silent[0] else "theirs")
    return [item for item in found.values() if item.starts]


def _slot(
    found: Mapping[str, Difference],
    pairs: Mapping[int, tuple[Said, Said]],
    start_ms: int,
    limits: Limits,
    slot_ms: int,
) -> None:
    ours, theirs = pairs[start_ms]
    for way, factor in (("forward", "factor"), ("reverse", "reverse_factor")):
        mine, other = getattr(ours, f"{way}_mwh") or 0, getattr(theirs, f"{way}_mwh") or 0
        limit = limits.energy_mwh(max(mine, other), edges(pairs, way, start_ms, start_ms, slot_ms), slot_ms)
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
