"""`diantan-receiver grid history` and `grid show --slot`: solved slots from the store."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

import clock
from cloud_receiver import config, database
from cloud_receiver.figures.day import DayPicture, MonthPicture, draw
from cloud_receiver.figures.from_history import node_slots
from cloud_receiver.figures.from_slot import slot_picture
from cloud_receiver.figures.style import form_of
from cloud_receiver.grid import history, history_text, history_versions, shelf, show_slot
from cloud_receiver.grid.analysis import reading
from cloud_receiver.grid.analysis.periods import By, Span, period_of, utc
from cloud_receiver.grid.command import draw_told
from cloud_receiver.grid.history import DEFAULT_ZONE, HistoryError, Query
from cloud_receiver.orders.waiting import Progress

CHOICES = ("generators", "plants", "branches", "loads", "storages", "classes", "balance")


def run(options: argparse.Namespace) -> None:
    """Print what was; SpanError and HistoryError for a span or an element that is none."""
    with opened(options) as (connection, zone):
        _print(connection, options, zone)


def show(options: argparse.Namespace) -> None:
    """Print a slot of the store; HistoryError for one that isn't there, FigureError for no figure."""
    if options.figure is not None:
        form_of(options.figure)  # before the work is done
    with opened(options) as (connection, zone):
        stored = show_slot.read(connection, history.slot_of(options.slot, zone), options.version)
    if options.figure is not None:
        draw_told(slot_picture(stored), options.figure)
    if options.json:
        sys.stdout.write(json.dumps(show_slot.document(stored), ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    else:
        sys.stdout.write(show_slot.text(stored))


@contextmanager
def opened(options: argparse.Namespace) -> Iterator[tuple[Connection, str]]:
    """Open the store for reading, with the time zone whose days are meant."""
    settings = config.load(Path(options.config))
    configured = DEFAULT_ZONE if settings.grid is None else settings.grid.timezone
    engine = database.open_store(settings.centre.database, settings.centre.data_dir)
    try:
        database.require_current(engine)
        with database.reading(engine) as connection:
            yield connection, options.zone or configured
    finally:
        engine.dispose()


def progress_of(options: argparse.Namespace) -> Progress:
    """Return what tells how far a command is."""
    program_clock = clock.from_spec(options.clock)
    return Progress(lambda: program_clock.monotonic_ms() / 1000)


def _print(connection: Connection, options: argparse.Namespace, zone: str) -> None:
    if options.slot is not None:
        if options.first is not None or options.end is not None:
            raise HistoryError("grid history: expected --slot or --from and --to, found both")
        span = history.slot_of(options.slot, zone)
    else:
        span = history.span(connection, options.first, options.end, zone)
    if options.versions:
        _versions(connection, span, options)
        return
    progress = progress_of(options)
    whole = reading.clipped(connection, span)

    def tell(time_ms: int) -> None:
        if whole is not None:
            done = (time_ms - whole.first_ms) / (whole.end_ms - whole.first_ms)
            progress(f"{utc(time_ms)}, {min(done, 1):.0%}")

    if options.figure is not None:
        try:
            _draw(connection, span, zone, options, tell)
        finally:
            progress.clear()
    by = By(options.by or (By.SLOT if options.slot is not None or options.node is not None else By.DAY))
    query = Query(_kind(options), span, by, zone, _node(connection, options.node))
    try:
        rows = (row for table in history.tables(connection, query, tell) for row in history.records(table))
        if options.json:
            lines: Iterable[str] = history_text.json_lines(query, rows)
        elif options.csv:
            lines = history_text.csv_lines(query, rows)
        else:
            lines = history_text.table_lines(query, list(rows))
        for line in lines:
            progress.clear()
            sys.stdout.write(line)
    finally:
        progress.clear()


def _versions(connection: Connection, span: Span, options: argparse.Namespace) -> None:
    if options.csv:
        raise HistoryError("grid history: --versions comes as a table or as --json, found --csv")
    only = _node(connection, options.node)
    for version in history_versions.versions(connection, span):
        if only is not None and version.change is not None:
            version = history_versions.of_nodes(version, only)  # noqa: PLW2901 - the same version, less of it
        sys.stdout.write(f"{json.dumps(version.record(), ensure_ascii=False) if options.json else version.line()}\n")


def _draw(
    connection: Connection, span: Span, zone: str, options: argparse.Namespace, tell: Callable[[int], None]
) -> None:
    """Draw a node's day or month; FigureError, HistoryError for what is neither."""
    form_of(options.figure)  # before the work is done
    if options.node is None:
        raise HistoryError("grid history: --figure draws one node: expected NODE")
    day, month = (period_of(span.first_ms, by, zone) for by in (By.DAY, By.MONTH))
    if span.end_ms > month.end_ms:
        raise HistoryError("grid history: --figure draws a day or a month, found a longer span")
    local = datetime.fromtimestamp(span.first_ms / 1000, ZoneInfo(zone))
    query = Query("nodes", span, By.SLOT, zone, _node(connection, options.node))
    nodes = node_slots(history.tables(connection, query, tell))
    if not nodes:
        raise HistoryError(f"grid history: no slot of {options.node} is stored in this span")
    picture: DayPicture | MonthPicture
    if span.end_ms <= day.end_ms:
        picture = DayPicture(local.date(), zone, nodes)
    else:
        picture = MonthPicture(local.year, local.month, zone, nodes)
    draw(picture, options.figure)


def _kind(options: argparse.Namespace) -> str:
    chosen = [name for name in CHOICES if getattr(options, name)]
    if len(chosen) + (options.node is not None) > 1:
        raise HistoryError(f"grid history: expected a node or --{chosen[0]}, found both")
    return chosen[0] if chosen else "nodes"


def _node(connection: Connection, name: str | None) -> frozenset[str] | None:
    """Return the ids that a node goes or went by: an alias is that of its node in each grid."""
    if name is None:
        return None
    found = {kept.grid.node_ids[name] for kept in shelf.grids(connection).all if name in kept.grid.node_ids}
    if not found:
        raise HistoryError(f"no grid has a node {name[:80]!r}")
    return frozenset(found)
