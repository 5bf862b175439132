"""Sums of slots: what an analysis says of each slot in integers, added up by element and period.

A topology may change within a period, so sums are kept by grid and merged by the elements' ids; what has one id is one
row (all units of a plant, all nodes of a class).
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add

from cloud_receiver.grid.analysis.fields import Field, Row, Value
from cloud_receiver.grid.analysis.layout import Layout
from cloud_receiver.grid.analysis.periods import By, Period, period_of
from cloud_receiver.grid.kept import KeptSlot
from cloud_receiver.grid.shelf import KeptGrids


@dataclass(frozen=True, slots=True)
class Versions:
    """A slot as it is known now, and as it was first solved, if that is another version."""

    newest: KeptSlot
    first: KeptSlot | None = None


@dataclass(slots=True)
class Sheet:
    """What one slot adds: integers of each element, and the rarer ones by name and place."""

    dense: dict[str, list[int]]
    rare: Counter[tuple[str, int]] = field(default_factory=Counter)


class Analysis(ABC):
    """What can be told of each element of a kind."""

    title: str
    """For people, English and Chinese."""

    @abstractmethod
    def fields(self, by: By) -> tuple[Field, ...]:
        """Return the columns of a row."""

    @abstractmethod
    def ids(self, layout: Layout) -> Sequence[str]:
        """Return the id of each element; elements of one id are added up."""

    @abstractmethod
    def labels(self, layout: Layout, place: int) -> Mapping[str, Value]:
        """Return what is known of an element besides its slots."""

    @abstractmethod
    def sheet(self, layout: Layout, picks: Sequence[int], versions: Versions) -> Sheet:
        """Return what a slot adds, of the elements at these places."""

    @abstractmethod
    def row(self, sums: Counter[str], by: By) -> Mapping[str, Value]:
        """Return the columns that sums make; `slots` is among the sums."""


@dataclass(frozen=True, slots=True)
class Table:
    """A period: how many of its slots there are, what was solved for a single one, and the rows."""

    period: Period
    slots: int
    solved: KeptSlot | None
    """By slot: the version that the rows are of."""
    rows: Sequence[Row]


class _Period:
    """Sums of the slots so far."""

    def __init__(self, period: Period) -> None:
        self.period = period
        self.slots = 0
        self.newest: KeptSlot | None = None
        self.dense: dict[int, dict[str, list[int]]] = {}
        self.rare: dict[int, Counter[tuple[str, int]]] = {}
        self.counts: Counter[int] = Counter()

    def take(self, slot: KeptSlot, sheet: Sheet) -> None:
        self.slots += 1
        self.newest = slot
        self.counts[slot.grid] += 1
        sums = self.dense.get(slot.grid)
        if sums is None:
            self.dense[slot.grid] = dict(sheet.dense)
            self.rare[slot.grid] = Counter(sheet.rare)
            return
        for name, column in sheet.dense.items():
            sums[name] = list(map(add, sums[name], column))
        if sheet.rare:
            self.rare[slot.grid].update(sheet.rare)


class Tally:
    """Adds slots up, in order of time, to tables of periods."""

    def __init__(
        self, analysis: Analysis, grids: KeptGrids, by: By, zone: str, only: Callable[[str], bool] | None = None
    ) -> None:
        self.analysis = analysis
        self.by = by
        self._grids = grids
        self._zone = zone
        self._only = only
        self._layouts: dict[int, tuple[Layout, list[int]]] = {}
        self._open: _Period | None = None

    def take(self, versions: Versions) -> Iterator[Table]:
        """Take a slot; yield the table of the period that it shows to be over."""
        slot = versions.newest
        if self._open is None or slot.start_ms >= self._open.period.end_ms:
            yield from self.finish()
            self._open = _Period(period_of(slot.start_ms, self.by, self._zone))
        layout, picks = self._layout(slot.grid)
        layout.check(slot)
        self._open.take(slot, self.analysis.sheet(layout, picks, self._comparable(versions)))

    def finish(self) -> Iterator[Table]:
        """Yield the table of the last period, if there was a slot."""
        if self._open is not None:
            yield self._table(self._open)
        self._open = None

    def _layout(self, number: int) -> tuple[Layout, list[int]]:
        if number not in self._layouts:
            layout = Layout(self._grids[number])
            ids = self.analysis.ids(layout)
            picks = [place for place, name in enumerate(ids) if self._only is None or self._only(name)]
            self._layouts[number] = layout, picks
        return self._layouts[number]

    def _comparable(self, versions: Versions) -> Versions:
        """Leave out a first version of another topology: its places are others."""
        first = versions.first
        return versions if first is None or first.grid == versions.newest.grid else Versions(versions.newest)

    def _table(self, period: _Period) -> Table:
        sums: dict[str, Counter[str]] = {}
        labels: dict[str, Mapping[str, Value]] = {}
        for number, columns in period.dense.items():
            layout, picks = self._layouts[number]
            ids = self.analysis.ids(layout)
            for place, pick in enumerate(picks):
                own = sums.setdefault(ids[pick], Counter())
                labels[ids[pick]] = self.analysis.labels(layout, pick)
                own["slots"] += period.counts[number]
                for name, column in columns.items():
                    own[name] += column[place]
            for (name, place), amount in period.rare[number].items():
                sums[ids[picks[place]]][name] += amount
        rows = [{**labels[name], **self.analysis.row(own, self.by)} for name, own in sums.items()]
        return Table(period.period, period.slots, period.newest if self.by is By.SLOT else None, rows)
