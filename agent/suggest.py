"""Which profile fits a meter that was found: by what it says of itself, and by which points can be read plausibly.

A register of another meter holds something too. So a voltage and a frequency that a mains has count for much, an energy
of nothing for little, and a value that no meter shows counts against a profile.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from fieldbus.drivers.base import Driver, Found
from fieldbus.exchange import LineDownError, LineError, NoReplyError
from profiles import Point, Profile, ProfileError, load, names
from profiles.model import CodecError
from profiles.points import Quantity

_ASKED: Final = (
    "energy_forward",
    "energy_reverse",
    "energy_total",
    "carbon_forward",
    "voltage_a",
    "voltage_b",
    "voltage_c",
    "current_a",
    "power",
    "power_factor",
    "frequency",
)
# Lowest and highest value, canonical units, that a meter in use shows; what must lie in them proves something.
_MAINS: Final[Mapping[Quantity, tuple[int, int]]] = {
    Quantity.VOLTAGE: (40_000, 1_200_000),
    Quantity.FREQUENCY: (45_000, 66_000),
}
_POSSIBLE: Final[Mapping[Quantity, tuple[int, int]]] = {
    **_MAINS,
    Quantity.ENERGY: (-(10**15), 10**15),
    Quantity.CARBON: (0, 10**21),
    Quantity.POWER: (-(10**12), 10**12),
    Quantity.CURRENT: (-(10**8), 10**8),
    Quantity.POWER_FACTOR: (-1_000_000, 1_000_000),
}
_PROOF: Final = 3  # what a plausible mains value is worth against any other one
_ENOUGH: Final = 6  # points; a profile of which fewer can be read is not as sure
_AS_GOOD: Final = Decimal("0.05")
_SHORTEST_NAME: Final = 4
_LIKELY: Final = Decimal("0.8")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A profile for a meter, how sure that is (high, medium, low) and why; `parameters` must be set by a person."""

    profile: str
    sure: str
    why: str
    parameters: tuple[str, ...] = ()
    score: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A profile that comes with the package, its obligatory parameters taken as 1."""

    profile: Profile
    parameters: tuple[str, ...]


def candidates(protocol: str, paths: Iterable[str] = ()) -> list[Candidate]:
    """Return the profiles for a protocol: those of the package and those of files; ProfileError for a file."""
    found = [_candidate(name) for name in (*names(), *paths)]
    return [candidate for candidate in found if candidate.profile.protocol == protocol]


def _candidate(name: str) -> Candidate:
    try:
        return Candidate(load(name), ())
    except ProfileError as error:
        problems = error.problems
        missing = [problem.key.removeprefix("parameters.") for problem in problems if problem.found == "nothing"]
        if len(missing) != len(problems):
            raise
        return Candidate(load(name, dict.fromkeys(missing, 1)), tuple(missing))


async def suggest(
    driver: Driver,
    found: Found,
    known: Sequence[Candidate],
    timezone: str,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Suggestion]:
    """Return the profiles that fit a meter, the best first; none if nothing plausible can be read with any.

    LineDownError when the line is lost.
    """
    suggestions = []
    for candidate in known:
        progress(f"{found.protocol} {found.address}: trying {candidate.profile.name}")
        trial = await _try(driver, found, candidate.profile, timezone)
        if (suggestion := _judged(candidate, trial, found)) is not None:
            suggestions.append(suggestion)
    suggestions.sort(key=lambda suggestion: (-suggestion.score, suggestion.profile))
    return _with_rivals(suggestions)


@dataclass(slots=True)
class _Trial:
    asked: int = 0
    read: int = 0
    proofs: int = 0  # mains values that are plausible
    nonsense: int = 0
    silent: int = 0
    weight: int = 0
    most: int = 0


async def _try(driver: Driver, found: Found, profile: Profile, timezone: str) -> _Trial:
    trial = _Trial()
    points = [profile.points[name] for name in _ASKED if name in profile.points]
    for block in profile.plan(points, timezone):
        values: Mapping[str, int] = {}
        try:
            values = block.decode(await driver.read(found.address, block))
        except LineDownError:
            raise
        except NoReplyError:
            trial.silent += 1
        except (LineError, CodecError):
            pass
        for point in block.points:
            _weigh(trial, point, values.get(point.name))
        if trial.silent > 1:
            # A meter that ignores what it does not know makes every further question cost a time-out.
            break
    return trial


def _weigh(trial: _Trial, point: Point, value: int | None) -> None:
    mains = point.quantity in _MAINS
    trial.asked += 1
    trial.most += _PROOF if mains else 1
    if value is None:
        return
    low, high = _POSSIBLE.get(point.quantity, (value, value))
    # A phase that is not connected has no voltage.
    if low <= value <= high or (point.quantity is Quantity.VOLTAGE and value == 0):
        trial.read += 1
        proves = mains and value != 0
        trial.proofs += proves
        trial.weight += _PROOF if proves else 1
    else:
        trial.nonsense += 1


def _judged(candidate: Candidate, trial: _Trial, found: Found) -> Suggestion | None:
    if not trial.read or trial.nonsense > trial.read:
        return None
    profile = candidate.profile
    fraction = Decimal(trial.weight) / trial.most
    said, alike = _says(profile, found.details)
    score = fraction * (1 + Decimal(min(trial.read, _ENOUGH)) / _ENOUGH) / 2 + 2 * alike
    score -= Decimal(trial.nonsense) / trial.asked
    # Of two that read equally well, the one that knows more of the meter.
    score += Decimal(trial.read) / 1000
    sure = "medium" if said else "low"
    if trial.proofs and not trial.nonsense:
        sure = "high" if said or fraction >= _LIKELY else "medium"
    why = f"{trial.read} of {trial.asked} points read plausibly"
    if trial.proofs:
        why += ", mains voltage or frequency among them"
    if trial.nonsense:
        why += f", {trial.nonsense} with impossible values"
    if said:
        why += f"; it calls itself {said!r}"
    return Suggestion(profile.name, sure, why, candidate.parameters, score)


def _says(profile: Profile, details: Mapping[str, str]) -> tuple[str, Decimal]:
    """Return what a meter says of itself that is like the profile's model, and how much (0 to 1)."""
    model = _plain(profile.model)
    best, most = "", Decimal(0)
    for said in details.values():
        plain = _plain(said)
        shorter, longer = sorted((plain, model), key=len)
        if len(shorter) >= _SHORTEST_NAME and shorter in longer and Decimal(len(shorter)) / len(longer) > most:
            best, most = said, Decimal(len(shorter)) / len(longer)
    return best, most


def _plain(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def _with_rivals(suggestions: list[Suggestion]) -> list[Suggestion]:
    """Return the suggestions, none surer than it can be beside the others: maps of one maker are much alike."""
    if len(suggestions) < 2:  # noqa: PLR2004 - nothing to compare
        return suggestions
    first, second = suggestions[:2]
    others = [replace(other, sure="medium") if other.sure == "high" else other for other in suggestions[1:]]
    if first.sure == "high" and first.score - second.score < _AS_GOOD:
        first = replace(first, sure="medium", why=f"{first.why}; {second.profile} fits as well")
    return [first, *others]
