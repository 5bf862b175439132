"""A file of one meter's readings as the intervals it tells of; each line that can't be is told with its place."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from cloud_receiver.delimited.columns import ColumnError
from cloud_receiver.delimited.numbers import COMMA, POINT
from cloud_receiver.delimited.times import Stamp, TimeTextError, parse
from cloud_receiver.delimited.zone import Instants, Zone
from cloud_receiver.grid.series_told import Told, time_text
from cloud_receiver.metered_import import clock_changes, registers
from cloud_receiver.metered_import.amounts import MISSING, AmountError, amount
from cloud_receiver.metered_import.clock_changes import Row
from cloud_receiver.metered_import.columns import places
from cloud_receiver.metered_import.form import Column, Form, Lone, Stamps
from cloud_receiver.metered_import.registers import Step
from cloud_receiver.metered_import.source import Source
from cloud_receiver.mistakes import Mistake, quoted

_ONE_TURN = 512  # lines
_TELLING = 2
"""From so many distances on, none of which is the interval's, it isn't gaps that a file has."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a meter's intervals must be like."""

    interval_ms: int
    latest_ms: int
    """No interval may end later, ms UTC."""
    most_mwh: int
    """What a register that started again from 0 may have counted since."""
    rollover_mwh: int | None = None
    """At which value a register does."""


@dataclass(slots=True)
class Series:
    """What a file tells, and what was odd of it without being a mistake."""

    steps: list[Step] = field(default_factory=list)
    lines: int = 0
    valueless: int = 0
    """Lines whose value is empty, or stands for none (缺数)."""
    skipped: int = 0
    """Lines of an hour that clocks left out, with nothing in it."""
    doubled: int = 0
    """Lines of the hour that clocks showed twice."""
    repeated: int = 0
    """Lines that say what another one says."""
    registers: bool = False
    first: Row | None = None
    """The first register."""
    place: Callable[[int], str] = "line {}".format
    """Returns a line, by its number, as messages name it."""


class Reader:
    """Reads one file."""

    def __init__(self, source: Source, form: Form, limits: Limits, told: Told, name: str) -> None:
        """`name`: of the file, in messages."""
        self.series = Series(place=source.place)
        self._source = source
        self._form = form
        self._limits = limits
        self._told = told
        self._name = name
        self._zone = Zone(form.zone)
        self._places: dict[Column, int] = {}
        self._headings: list[str] = []
        self._rows: list[Row] = []

    def steps(self) -> Iterator[None]:
        """Read the file, giving way now and then; what it tells is in `series` then. InputError for what is no CSV."""
        form = self._form
        decimal: str | None = None
        for number, (line, cells) in enumerate(self._source.rows()):
            if number % _ONE_TURN == 0 or not cells:
                yield
            if not cells:
                continue
            if decimal is None:
                decimal = form.decimal or (COMMA if self._source.separator == ";" else POINT)
                if not self._find_columns(cells):
                    return
                if form.headings:
                    continue
            self.series.lines += 1
            self._line(line, cells, decimal)
        self._finish()

    def _find_columns(self, cells: list[str]) -> bool:
        try:
            self._places = places(self._form, cells)
        except ColumnError as error:
            self._told.refuse(Mistake.FORM, str(error), file=self._name, place=self._source.place(1))
            return False
        self._headings = [cell.strip() for cell in cells] if self._form.headings else []
        self.series.registers = Column.REGISTER in self._places
        return True

    def _line(self, line: int, cells: list[str], decimal: str) -> None:
        if len(cells) <= max(self._places.values()):
            text = f"expected at least {max(self._places.values()) + 1} cells, found {len(cells)}"
            self._told.add(Mistake.FORM, text, file=self._name, place=self._source.place(line))
            return
        values = self._values(line, cells, decimal)
        if values == ():
            return
        stamp = self._stamp(line, cells)
        if stamp is None:
            return
        row = self._row(line, stamp, cells, values or None)
        if row is None:
            return
        if not row.times:
            self._left_out(row, values)
            return
        self.series.valueless += row.blank
        self._rows.append(row)

    def _values(self, line: int, cells: list[str], decimal: str) -> tuple[int, int] | tuple[()] | None:
        """Return forward and reverse; None where there is none, () where there is a mistake."""
        first, second = (
            (Column.REGISTER, Column.REVERSE_REGISTER) if self.series.registers else (Column.FORWARD, Column.REVERSE)
        )
        found: list[int | None] = []
        for column in (first, second):
            place = self._places.get(column)
            if place is None:
                found.append(0)
                continue
            try:
                found.append(amount(cells[place], decimal, self._form.unit.mwh, rounded=self._form.rounded))
            except AmountError as error:
                self._mistake(Mistake.NUMBER, str(error), line, column)
                return ()
        if found[0] is None or found[1] is None:
            return None
        return found[0], found[1]

    def _stamp(self, line: int, cells: list[str], column: Column = Column.TIME) -> Stamp | None:
        text = cells[self._places[column]]
        clock = self._places.get(Column.CLOCK)
        if clock is not None and column is Column.TIME:
            text = f"{text.strip()} {cells[clock].strip()}"
        try:
            return parse(text, self._form.dates, self._form.time_format)
        except TimeTextError as error:
            self._mistake(Mistake.FORM, str(error), line, column)
            return None

    def _row(self, line: int, stamp: Stamp, cells: list[str], values: tuple[int, int] | None) -> Row | None:
        """Return a line with the instants it can have: of an energy where it begins; None, told, for a mistake."""
        interval_ms = self._limits.interval_ms
        if stamp.shown_ms % interval_ms or stamp.shown.microsecond:
            text = f"expected a multiple of {interval_ms // 1000} s (interval_s of the meter), found {stamp.shown}"
            self._mistake(Mistake.FORM, text, line, Column.TIME)
            return None
        ends = self.series.registers or self._form.stamps is Stamps.END
        try:
            found = self._zone.instants(stamp, end=ends)
            folded = self._zone.folded_end(stamp) if ends else ()
        except TimeTextError as error:
            self._mistake(Mistake.FORM, f"{error}, found {stamp.shown}", line, Column.TIME)
            return None
        shift = interval_ms if ends and not self.series.registers else 0
        times, twice = (tuple(time - shift for time in some) for some in (found.all, folded))
        row = Row(line, stamp, times, values or (0, 0), twice, blank=values is None)
        if Column.UNTIL not in self._places or (row.blank and self._has_no_end(cells)):
            return row
        return self._until(row, found, cells)

    def _until(self, row: Row, found: Instants, cells: list[str]) -> Row | None:
        """Keep the instants that are one interval before the line's end; None, told, where there is none."""
        until = self._stamp(row.line, cells, Column.UNTIL)
        if until is None or not found.all:
            return row if until is not None else None
        try:
            ends = {*self._zone.instants(until, end=True).all, *self._zone.folded_end(until)}
        except TimeTextError as error:
            self._mistake(Mistake.FORM, f"{error}, found {until.shown}", row.line, Column.UNTIL)
            return None
        interval_ms = self._limits.interval_ms
        row.times = tuple(time for time in found.all if time + interval_ms in ends)
        self.series.doubled += len(row.times) == 1 < len(found.all)
        if not row.times:
            text = (
                f"expected {interval_ms // 1000} s (interval_s of the meter), found {row.stamp.shown} to {until.shown}"
            )
            self._mistake(Mistake.FORM, text, row.line, Column.UNTIL)
            return None
        return row

    def _has_no_end(self, cells: list[str]) -> bool:
        """Return whether a line has no end of its interval, as some are that have no value."""
        return cells[self._places[Column.UNTIL]].strip().lower() in MISSING

    def _left_out(self, row: Row, values: tuple[int, int] | tuple[()] | None) -> None:
        """Take a line of an hour that clocks left out: nothing can be counted in it."""
        if values is None or not any(values):
            self.series.skipped += 1
            return
        text = f"expected nothing in an hour that clocks left out, found a value at {row.stamp.shown}"
        self._mistake(Mistake.FORM, text, row.line, Column.TIME)

    def _finish(self) -> None:
        """Settle what only the whole file tells: double hours, order, lines that repeat others."""
        refused: set[int] = set()

        def lone(row: Row) -> None:
            refused.add(row.line)
            if row.blank:
                return
            hint = "--ambiguous first or second says which it is"
            text = f"expected an hour that clocks showed twice to be there twice, found {row.stamp.shown} once ({hint})"
            self._mistake(Mistake.FORM, text, row.line, Column.TIME)

        rows = self._rows
        self._rows = []
        self.series.doubled += clock_changes.settle(rows, self._zone, Lone(self._form.lone), lone)
        kept = self._once([row for row in rows if not row.blank and row.line not in refused])
        if self.series.registers:
            self.series.first = kept[0] if kept else None
            self.series.steps = registers.steps(
                kept,
                self._limits.interval_ms,
                self._limits.most_mwh,
                self._limits.rollover_mwh,
                refuse=lambda line, text: self._mistake(Mistake.NUMBER, text, line, Column.REGISTER),
                named=self._source.place,
            )
        else:
            self.series.steps = [Step(row.line, row.time_ms, row.values) for row in kept]
        self._distances(kept)

    def _once(self, rows: list[Row]) -> list[Row]:
        """Return the rows in order of time, each instant once; other values at the same are a mistake."""
        kept: list[Row] = []
        for row in sorted(rows, key=lambda row: row.time_ms):
            end_ms = row.time_ms + (0 if self.series.registers else self._limits.interval_ms)
            if end_ms > self._limits.latest_ms:
                text = f"expected a time that has been, found {time_text(end_ms)} (the centre's clock is {self._now()})"
                self._mistake(Mistake.FORM, text, row.line, Column.TIME)
            elif row.time_ms < 0:
                self._mistake(Mistake.FORM, "expected an interval since 1970", row.line, Column.TIME)
            elif not kept or row.time_ms > kept[-1].time_ms:
                kept.append(row)
            elif row.stamp.shown != kept[-1].stamp.shown and not (any(row.values) and any(kept[-1].values)):
                # 02:00 and 03:00 of the day on which clocks leave the hour between out: one of the lines is empty.
                self.series.skipped += 1
                kept[-1] = row if any(row.values) else kept[-1]
            elif row.values == kept[-1].values:
                self.series.repeated += 1
            else:
                other = f"{row.stamp.shown} with other values in {self._source.place(kept[-1].line)}"
                text = f"expected each time once, found {other}"
                self._mistake(Mistake.DUPLICATE, text, row.line, Column.TIME)
        return kept

    def _distances(self, rows: list[Row]) -> None:
        """Tell a file whose intervals are not the registry's: each would be a gap."""
        interval_ms = self._limits.interval_ms
        between = [after.time_ms - before.time_ms for before, after in pairwise(rows)]
        for distance, row in zip(between, rows[1:], strict=True):
            if distance < interval_ms:
                text = f"expected {interval_ms // 1000} s after the line before, found {distance // 1000} s"
                self._mistake(Mistake.FORM, text, row.line, Column.TIME)
        if len(between) >= _TELLING and min(between) > interval_ms and not self._told.count:
            text = (
                f"expected intervals of {interval_ms // 1000} s (interval_s of the meter in the registry), "
                f"found none shorter than {min(between) // 1000} s"
            )
            self._told.refuse(Mistake.FORM, text, file=self._name)

    def _now(self) -> str:
        return time_text(self._limits.latest_ms)

    def _mistake(self, mistake: Mistake, text: str, line: int, column: Column) -> None:
        place = self._places[column]
        if self._headings and column is not Column.TIME:
            text = f"{quoted(self._headings[place])[1:-1]}: {text}"
        self._told.add(mistake, text, file=self._name, place=self._source.place(line, place))
