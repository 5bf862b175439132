"""What was, by slot, day and month: which analysis, of what span, and its rows from the store."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from cloud_receiver.grid import shelf
from cloud_receiver.grid.analysis import fields, reading
from cloud_receiver.grid.analysis.balance import Balance
from cloud_receiver.grid.analysis.fields import Field, Row, Value
from cloud_receiver.grid.analysis.flows import Branches
from cloud_receiver.grid.analysis.generation import Generators, Plants
from cloud_receiver.grid.analysis.layout import Layout
from cloud_receiver.grid.analysis.nodal import Classes, Nodes
from cloud_receiver.grid.analysis.periods import By, Span, SpanError, instant, period_of, utc
from cloud_receiver.grid.analysis.tally import Analysis, Table, Tally
from cloud_receiver.grid.analysis.users import Loads, Storages
from cloud_receiver.grid.shelf import KeptGrids

DEFAULT_ZONE: Final = "Asia/Shanghai"

KINDS: Final[Mapping[str, type[Analysis]]] = {
    "nodes": Nodes,
    "classes": Classes,
    "generators": Generators,
    "plants": Plants,
    "branches": Branches,
    "loads": Loads,
    "storages": Storages,
    "balance": Balance,
}

_SLOT_HEAD: Final = (
    fields.text("interval_start_utc", "start UTC 开始"),
    fields.text("interval_end_utc", "end UTC 结束", shown=False),
    fields.count("version", "version 版本", shown=False),
    fields.text("solve_id", "solve id 求解号", shown=False),
    fields.text("solved_utc", "solved UTC 求解时间", shown=False),
)
_PERIOD_HEAD: Final = (
    fields.text("interval_start_utc", "start UTC 开始"),
    fields.text("interval_end_utc", "end UTC 结束", shown=False),
    fields.count("interval_slots", "slots 时段"),
    fields.count("interval_expected_slots", "of 应有"),
)

TERMS: Final[Mapping[str, str]] = {
    "accounting": "consumption-attributional",
    "convention": "loss-borne",
    "boundary": "direct CO2",
    "units": "energy kWh, carbon kgCO2, factors kgCO2/kWh: exact decimals, by the names of the columns",
}
"""What has to be known of every number here (docs/carbon-flow.md)."""


class HistoryError(ValueError):
    """There is no such history; the text says what there is."""


@dataclass(frozen=True)
class Query:
    """What is asked for."""

    kind: str
    span: Span
    by: By
    zone: str = DEFAULT_ZONE
    only: frozenset[str] | None = None
    """Ids of the elements; None: all."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The columns of its records."""
        return (*(_SLOT_HEAD if self.by is By.SLOT else _PERIOD_HEAD), *KINDS[self.kind]().fields(self.by))

    def tally(self, grids: KeptGrids) -> Tally:
        """Return what adds its slots up; HistoryError for elements that no grid has."""
        analysis = KINDS[self.kind]()
        if self.only is None:
            return Tally(analysis, grids, self.by, self.zone)
        only = self.only
        known = {name for kept in grids.all for name in analysis.ids(Layout(kept))}
        if unknown := sorted(only - known):
            raise HistoryError(f"{self.kind}: no grid has {', '.join(unknown)[:80]}")
        return Tally(analysis, grids, self.by, self.zone, only.__contains__)


def records(table: Table) -> Iterator[Row]:
    """Yield the rows of a period with what is known of the period itself."""
    head: dict[str, Value] = {
        "interval_start_utc": utc(table.period.start_ms),
        "interval_end_utc": utc(table.period.end_ms),
    }
    if table.solved is None:
        head |= {"interval_slots": table.slots, "interval_expected_slots": table.period.expected}
    else:
        solved = table.solved
        head |= {
            "version": solved.version,
            "solve_id": solved.solve_id.hex(),
            "solved_utc": utc(solved.solved_ms),
        }
    for row in table.rows:
        yield {**head, **row}


def tables(
    connection: Connection,
    query: Query,
    progress: Callable[[int], None] = lambda _: None,
    grids: KeptGrids | None = None,
) -> Iterator[Table]:
    """Yield the periods that have slots, in order of time; `progress` gets the time that has been come to.

    `grids`: those of the store, where they are known already.
    """
    tally = query.tally(grids or shelf.grids(connection))
    for window in reading.windows(reading.clipped(connection, query.span)):
        for versions in reading.versions(connection, window):
            yield from tally.take(versions)
        progress(window.end_ms)
    yield from tally.finish()


def span(connection: Connection, first: str | None, end: str | None, zone: str) -> Span:
    """Return the span from a month, day or time to another one, which is in it if it is a month or day.

    Without a beginning, the local day of the newest slot; without an end, what `first` names, or a day. SpanError for
    anything else, and where nothing is stored yet.
    """
    if first is None:
        if end is not None:
            raise SpanError(f"expected a beginning to the end {end[:40]!r}, found none")
        known = reading.bounds(connection)
        if known is None:
            raise SpanError("no slot of the grid is stored yet")
        day = period_of(known[1], By.DAY, zone)
        return Span(day.start_ms, day.end_ms)
    start_ms = instant(first, zone)
    if end is not None:
        return Span(start_ms, instant(end, zone, end=True))
    end_ms = instant(first, zone, end=True)
    return Span(start_ms, end_ms if end_ms > start_ms else period_of(start_ms, By.DAY, zone).end_ms)


def slot_of(text: str, zone: str) -> Span:
    """Return the slot that a time is in; SpanError for none."""
    period = period_of(instant(text, zone), By.SLOT, zone)
    return Span(period.start_ms, period.end_ms)
