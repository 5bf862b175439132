"""Rows of an analysis as a table for people, as CSV and as JSON: written as they come, however many there are."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from cloud_receiver.grid.analysis.fields import Field, Kind, Row
from cloud_receiver.grid.analysis.periods import utc
from cloud_receiver.grid.history import KINDS, TERMS, Query
from cloud_receiver.report_text import aligned, printable

FORMULAS: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
"""How a cell begins that a spreadsheet takes for a formula, those of East Asia in wide characters too."""


def json_lines(query: Query, rows: Iterable[Row]) -> Iterator[str]:
    """Yield a JSON document: what is known of all numbers, and the rows, exact."""
    head = json.dumps(heading(query), ensure_ascii=False)
    yield head.removesuffix("}") + ', "rows": ['
    mark = "\n"
    columns = query.fields
    for row in rows:
        yield mark + json.dumps(exact(columns, row), ensure_ascii=False)
        mark = ",\n"
    yield "\n]}\n"


def heading(query: Query) -> dict[str, object]:
    """Return what is known of all rows."""
    return {
        "analysis": query.kind,
        "by": query.by.value,
        "zone": query.zone,
        "from_utc": utc(query.span.first_ms),
        "to_utc": utc(query.span.end_ms),
        **TERMS,
    }


def exact(columns: Sequence[Field], row: Row) -> dict[str, object]:
    """Return a row as machines get it."""
    return {field.name: field.exact(row[field.name]) for field in columns}


def csv_lines(query: Query, rows: Iterable[Row]) -> Iterator[str]:
    """Yield lines of CSV, exact; nothing is in a cell whose value is not there."""
    columns = query.fields
    yield csv_head(columns)
    for row in rows:
        yield csv_row(columns, row)


def csv_head(columns: Sequence[Field]) -> str:
    """Return the headings."""
    return _line(field.name for field in columns)


def csv_row(columns: Sequence[Field], row: Row) -> str:
    """Return a row as a line."""
    return _line(_cell(field, field.exact(row[field.name])) for field in columns)


def _line(cells: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _cell(field: Field, value: object) -> object:
    return _unformed(value) if field.kind is Kind.TEXT else value


def _unformed(value: object) -> object:
    # Names come from files and gateways: none may be a formula of who opens the table.
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def plain_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows of one shape as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows[0] if rows else ())
    writer.writerows([_unformed(value) for value in row.values()] for row in rows)
    return out.getvalue()


def table_lines(query: Query, rows: Sequence[Row]) -> Iterator[str]:
    """Yield a table with headings in English and Chinese: energy in MWh, carbon in t; one period under the other."""
    columns = [field for field in query.fields if field.shown]
    span = f"{utc(query.span.first_ms)} .. {utc(query.span.end_ms)}"
    yield f"{KINDS[query.kind].title}, by {query.by.value}, {query.zone}, UTC {span}\n"
    if not rows:
        yield "no slots stored 无数据\n"
        return
    if query.kind == "balance":
        yield from _upright(columns, rows)
        return
    cells = [[field.heading for field in columns]]
    cells += [[printable(field.readable(row[field.name])) for field in columns] for row in rows]
    right = [place for place, field in enumerate(columns) if field.kind is not Kind.TEXT]
    for line in aligned(cells, right):
        yield line + "\n"


def _upright(columns: Sequence[Field], rows: Sequence[Row]) -> Iterator[str]:
    """Yield one term a line: a balance is read downwards."""
    for row in rows:
        yield "\n"
        terms = [[field.heading, printable(field.readable(row[field.name]))] for field in columns]
        for line in aligned(terms, {1}):
            yield f"  {line}\n"
