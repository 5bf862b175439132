"""Factor schedules that a person or another program wrote: CSV or JSON, every mistake with its line.

CSV: a header `node,start,factor`, then one line a slot: ISO 8601 time with its zone, factor in kgCO₂/kWh, empty where
the node has no through-flow (undefined). JSON: a list of objects with the same three keys, `factor` a string or null.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from diantan_core import Factor, QuantityError
from settings.errors import ConfigError
from settings.files import ContentError, decoded
from wire.topics import TopicError, checked_name

COLUMNS = ["node", "start", "factor"]
SHOWN_PROBLEMS = 50
SOLVE_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Schedule:
    """Carbon factors (电碳因子) in mg/kWh by node and slot start (ms UTC); None: undefined."""

    solve_id: bytes
    """A hash of the file the factors come from."""
    slot_ms: int
    nodes: dict[str, dict[int, int | None]]

    def run_to(self, node: str, newest_ms: int, slots: int) -> tuple[int, tuple[int | None, ...]] | None:
        """Return (start of the first slot, factors) of the unbroken run that ends at `newest_ms`.

        Without an entry there it ends at the last slot before that has one; None when there is none.
        """
        entries = self.nodes[node]
        if newest_ms not in entries:
            earlier = [start for start in entries if start < newest_ms]
            if not earlier:
                return None
            newest_ms = max(earlier)
        first = newest_ms
        while first - self.slot_ms in entries and (newest_ms - first) // self.slot_ms + 1 < slots:
            first -= self.slot_ms
        return first, tuple(entries[start] for start in range(first, newest_ms + 1, self.slot_ms))


def load(path: Path, slot_ms: int) -> Schedule:
    """Read a schedule; ConfigError has every mistake (at most 50) with its line."""
    try:
        content = path.read_bytes()
        text = decoded(content)
    except OSError as error:
        raise _refused(path, f"can't be read: {error.strerror}") from error
    except ContentError as error:
        raise _refused(path, str(error)) from error
    rows = _json_rows(path, text) if path.suffix.lower() == ".json" else _csv_rows(path, text)
    nodes: dict[str, dict[int, int | None]] = {}
    problems: list[str] = []
    seen: dict[tuple[str, int], str] = {}
    for place, cells in rows:
        entry = _entry(place, cells, slot_ms, problems)
        if len(problems) >= SHOWN_PROBLEMS:
            break
        if entry is None:
            continue
        node, start, factor = entry
        if (other := seen.get((node, start))) is not None:
            problems.append(f"{place}: node {node} and start {cells[1]!r} are already in {other}")
            continue
        seen[node, start] = place
        nodes.setdefault(node, {})[start] = factor
    if not nodes and not problems:
        problems.append("holds no factor")
    if problems:
        raise _refused(path, *problems)
    return Schedule(hashlib.sha256(content).digest()[:SOLVE_ID_BYTES], slot_ms, nodes)


def _refused(path: Path, *problems: str) -> ConfigError:
    return ConfigError([f"{path}: {problem}" for problem in problems])


def _csv_rows(path: Path, text: str) -> Iterator[tuple[str, list[str | None]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if [name.strip() for name in header] != COLUMNS:
            raise _refused(path, f"line 1: expected the header {','.join(COLUMNS)}, found {','.join(header)!r}")
        for cells in reader:
            if cells:
                yield f"line {reader.line_num}", [cell.strip() for cell in cells]
    except csv.Error as error:
        raise _refused(path, f"line {reader.line_num}: {error}") from error


def _json_rows(path: Path, text: str) -> Iterator[tuple[str, list[str | None]]]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise _refused(path, f"is not JSON: {error}") from error
    if not isinstance(content, list):
        raise _refused(path, f"expected a list, found {type(content).__name__}")
    for number, item in enumerate(content, 1):
        place = f"item {number}"
        if not isinstance(item, dict) or sorted(item) != sorted(COLUMNS):
            raise _refused(path, f"{place}: expected an object with the keys {', '.join(COLUMNS)}")
        if not all(isinstance(item[name], str) or (name == "factor" and item[name] is None) for name in COLUMNS):
            raise _refused(path, f"{place}: expected strings (a factor of a float loses digits)")
        yield place, [item[name] for name in COLUMNS]


def _entry(
    place: str, cells: list[str | None], slot_ms: int, problems: list[str]
) -> tuple[str, int, int | None] | None:
    if len(cells) != len(COLUMNS):
        problems.append(f"{place}: expected {len(COLUMNS)} columns, found {len(cells)}")
        return None
    node, start, factor = (cell or "" for cell in cells)
    before = len(problems)
    try:
        checked_name(node)
    except TopicError as error:
        problems.append(f"{place}: node: {error}")
    start_ms = _time(place, start, slot_ms, problems)
    value: int | None = None
    if factor:
        try:
            value = Factor.from_kg_per_kwh(factor).mg_per_kwh
        except QuantityError as error:
            problems.append(f"{place}: factor: expected kgCO2/kWh with at most 6 decimals: {error}")
    return None if len(problems) > before else (node, start_ms, value)


def _time(place: str, text: str, slot_ms: int, problems: list[str]) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        problems.append(f"{place}: start: expected a time such as 2026-07-01T08:00:00+08:00, found {text!r}")
        return 0
    if time.tzinfo is None:
        problems.append(f"{place}: start: {text!r} has no zone, expected one such as +08:00")
        return 0
    start_ms = round(time.timestamp() * 1000)
    if start_ms % slot_ms:
        problems.append(f"{place}: start: {text!r} is not the start of a slot of {slot_ms // 60_000} min")
    return start_ms
