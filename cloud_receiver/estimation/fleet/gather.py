"""From what is stored of all stations to what can be solved: whose chargers are of which make."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import hypot

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.fleet.levels import Heard, Level
from cloud_receiver.estimation.fleet.operators import AT_ONCE
from cloud_receiver.estimation.fleet.solve import MAX_MAKES
from cloud_receiver.estimation.fleet.view import Seen, View
from cloud_receiver.registry import Role

_LEAST_U = 1e-3
_NOTHING = (0.0, 1e-9, 0)
"""Mean, precision and number of chargers of a make of which a station says nothing: it may be told of it."""


def alike(make: str) -> str:
    """Return how a make, or an operator, is compared: width, case and spaces of its letters make no other of it."""
    return " ".join(unicodedata.normalize("NFKC", make).split()).casefold()


@dataclass(frozen=True, slots=True)
class Member:
    """A station: `makes` of its chargers by number (without those that meter their output), and what it shows."""

    station: int
    operator: str
    makes: Mapping[int, str]
    chargers: int
    """In service, of whatever make."""
    view: View | None


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is solved: makes by place, and stations of which something is known."""

    makes: tuple[str, ...]
    levels: tuple[Level, ...]
    left_out: tuple[str, ...] = ()
    """Makes beyond what is solved: those of the fewest chargers."""
    names: Mapping[str, str] = field(default_factory=dict)
    """How each make is written, as the registry has it first."""


def member(context: Context, view: View | None, now_ms: int) -> Member:
    """Return a station by its registry and what was seen of it."""
    meters = [(number, context.meters[number]) for number in context.numbers(Role.CHARGER)]
    serving = [(number, meter) for number, meter in meters if meter.in_service(now_ms)]
    makes = {number: meter.make for number, meter in serving if meter.make is not None and not meter.dc_output}
    return Member(context.number, alike(context.station.operator), makes, len(serving), view)


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviations, per cent: of sound chargers' errors, and of what those of a make share at one station."""

    sound: float
    station: float


def gathering(members: Sequence[Member], spread: Spread) -> Iterator[Fleet | None]:
    """Yield None between steps, and what is to be solved at the end."""
    names: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for turn, one in enumerate(members):
        if turn % AT_ONCE == 0:
            yield None
        for make in one.makes.values():
            names.setdefault(alike(make), make)
        if one.view is not None:
            counts.update(alike(one.makes[item.number]) for item in _usable(one))
    known = sorted(counts, key=lambda make: (-counts[make], make))
    makes = tuple(sorted(known[:MAX_MAKES]))
    places = {make: place for place, make in enumerate(makes)}
    levels = []
    for turn, one in enumerate(members):
        if turn % AT_ONCE == 0:
            yield None
        found = level(one, places, spread)
        if found is not None:
            levels.append(found)
    yield Fleet(makes, tuple(levels), tuple(sorted(known[MAX_MAKES:])), names)


def level(one: Member, places: Mapping[str, int], spread: Spread) -> Level | None:
    """Return what a station says of its makes, and which it has of which it says nothing; None where it has none.

    A charger that was verified says how far the station's level is off, and nothing of its make: who verifies
    chooses those that are suspect, and adjusts them.
    """
    own = {places[key] for key in map(alike, one.makes.values()) if key in places}
    if not own:
        return None
    by_make: dict[int, list[tuple[float, float]]] = {}
    if one.view is None:
        return Level(one.station, one.operator, tuple(Heard(make, *_NOTHING) for make in sorted(own)), (0.0, 1.0))
    for item in _usable(one):
        place = places.get(alike(one.makes[item.number]))
        if place is not None:
            by_make.setdefault(place, []).append((item.error, 1 / (spread.sound**2 + item.u**2)))
    gain, u = one.view.gain
    return Level(
        one.station,
        one.operator,
        tuple(
            _heard(make, by_make[make], spread.station) if make in by_make else Heard(make, *_NOTHING)
            for make in sorted(own)
        ),
        (gain, max(hypot(u, one.view.u_common), _LEAST_U)),
        one.view.certified,
        _verified(one.view.chargers),
    )


def counts_of(one: Member, places: Mapping[str, int]) -> tuple[dict[int, int], int]:
    """Return how many chargers of each make a station has, and how many of none that is known."""
    found = Counter(places[key] for key in map(alike, one.makes.values()) if key in places)
    return dict(found), one.chargers - found.total()


def _usable(one: Member) -> Iterable[Seen]:
    assert one.view is not None
    return (item for item in one.view.chargers if item.sound and item.verified is None and item.number in one.makes)


def _heard(make: int, chargers: Sequence[tuple[float, float]], station: float) -> Heard:
    mean, precision = _mean(chargers)
    return Heard(make, mean, 1 / (1 / precision + station**2), len(chargers))


def _verified(chargers: Sequence[Seen]) -> tuple[float, float] | None:
    """Return the level as verified chargers show it: what they are, less what they seem to be."""
    pairs = [
        (item.verified[0] - item.error, max(hypot(item.verified[1], item.u), _LEAST_U) ** -2)
        for item in chargers
        if item.verified is not None
    ]
    return _mean(pairs) if pairs else None


def _mean(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the weighted mean and its precision."""
    whole = sum(weight for _, weight in pairs)
    return sum(value * weight for value, weight in pairs) / whole, whole
