"""The mistakes of time series, a bounded number of them, and the grids that their elements must be of."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cloud_receiver.grid.model import Element, Grid, quoted_id
from cloud_receiver.grid.shelf import KeptGrids
from cloud_receiver.grid.snapshot import MAX_FACTOR
from cloud_receiver.grid.telemetry import SLOT_MS
from cloud_receiver.mistakes import InputError, Mistake, Problem, quoted

MOST_KEPT: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_LONGEST_TIME: Final = 64


def time_text(time_ms: int) -> str:
    """Return a time as messages show it."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="minutes").replace("+00:00", "Z")


def slot_start(text: object) -> int:
    """Return the start of a slot, ms UTC, of ISO 8601 with zone; ValueError says what was expected."""
    if not isinstance(text, str) or len(text) > _LONGEST_TIME:
        raise ValueError(f"expected a time such as 2026-07-01T00:15+08:00, found {quoted(text)}")
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"expected a time such as 2026-07-01T00:15+08:00, found {quoted(text)}") from None
    if time.tzinfo is None:
        raise ValueError(f"expected a time with its zone, such as 2026-07-01T00:15+08:00, found {quoted(text)}")
    time_ms, rest = divmod(time - _EPOCH, _MILLISECOND)
    if rest or time_ms % SLOT_MS or time_ms < 0:
        raise ValueError(f"expected the start of a slot of 15 minutes, since 1970, found {quoted(text)}")
    return time_ms


class Told:
    """Mistakes, the first thousand of them.

    Unless bad cells are to be skipped, InputError as soon as there are so many that the rest tells nothing.
    """

    def __init__(self, *, skip_bad: bool = False) -> None:
        self.skip_bad = skip_bad
        self.count = 0
        self.problems: list[Problem] = []
        self._fatal = False

    def add(self, mistake: Mistake, text: str, *, file: str, place: str = "", element: str = "") -> None:
        """Note a mistake of a cell or line, which is left out."""
        self.count += 1
        if len(self.problems) < MOST_KEPT:
            self.problems.append(Problem(mistake, text, file, place, element))
        elif not self.skip_bad:
            raise InputError(self.problems)

    def refuse(self, mistake: Mistake, text: str, *, file: str, place: str = "") -> None:
        """Note a mistake without which nothing of a file can be read."""
        self._fatal = True
        self.add(mistake, text, file=file, place=place)

    def raise_fatal(self) -> None:
        """InputError when there was a mistake that can't be skipped."""
        if self._fatal:
            raise InputError(self.problems)

    def raise_any(self) -> None:
        """InputError when there was any mistake, and none may be skipped."""
        if self._fatal or (self.problems and not self.skip_bad):
            raise InputError(self.problems)


@dataclass(frozen=True, eq=False)
class Known:
    """The elements of a grid of the store."""

    valid_from_ms: int
    ids: Mapping[Element, frozenset[str]]

    def missing(self, element: Element, name: str) -> str | None:
        """Return what to say of an element that the grid doesn't have; None of one that it has."""
        if name in self.ids[element]:
            return None
        return f"is measured and is not in the grid that is valid from {time_text(self.valid_from_ms)}"


class Check:
    """What the readers of series check against."""

    def __init__(self, grids: KeptGrids, told: Told, max_factor: float = MAX_FACTOR) -> None:
        self.told = told
        self.max_factor = max_factor
        self._grids = grids
        self._known: dict[int, Known] = {}
        self._told_early: set[str] = set()

    def grid(self, start_ms: int, *, file: str, place: str) -> Known | None:
        """Return the elements of the grid of a slot; None, which is told once of a file, when there is none."""
        kept = self._grids.at(start_ms)
        if kept is None:
            if file not in self._told_early:
                self._told_early.add(file)
                first = self._grids.all[0].valid_from_ms if self._grids.all else None
                since = "none is entered" if first is None else f"the first is valid from {time_text(first)}"
                text = f"there is no grid for the slot {time_text(start_ms)}: {since} (grid import NETWORK)"
                self.told.add(Mistake.UNKNOWN_ELEMENT, text, file=file, place=place)
            return None
        known = self._known.get(kept.id)
        if known is None:
            known = self._known[kept.id] = Known(kept.valid_from_ms, elements(kept.grid))
        return known

    def strangers(self, element: Element, names: Iterable[str]) -> Iterator[str]:
        """Yield the ids that no grid of the store has."""
        known = frozenset[str]().union(*(elements(kept.grid)[element] for kept in self._grids.all))
        return (name for name in names if name not in known)

    def topology(self, start_ms: int) -> Grid | None:
        """Return the grid of a slot; None when there is none."""
        kept = self._grids.at(start_ms)
        return None if kept is None else kept.grid


def elements(grid: Grid) -> Mapping[Element, frozenset[str]]:
    """Return the ids of what can be measured."""
    return {
        Element.BRANCH: frozenset(item.id for item in grid.branches),
        Element.GENERATOR: frozenset(item.id for item in grid.generators),
        Element.LOAD: frozenset(item.id for item in grid.loads),
        Element.STORAGE: frozenset(item.id for item in grid.storages),
    }


def named(element: Element, name: str) -> str:
    """Return an element as messages name it."""
    return f"{element} {quoted_id(name)}"
