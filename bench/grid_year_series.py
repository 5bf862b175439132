"""The year as telemetry: series of all points of the grid by `grid import`."""

import csv
import json
import os
import random
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from bench.grid_year_nodes import (
    BRANCHES,
    NAMES,
    NODES,
    PLANTS,
    SLOT_MS,
    SLOTS,
    START_MS,
    SUBSTATIONS,
    UNITS,
    USERS,
    compared,
    prepare,
)
from bench.limits import LimitError
from cloud_receiver.grid.telemetry_content import unpack


def measure(directory: Path) -> tuple[float, list[str]]:
    """Import the series of a year; return the seconds, and the lines to print."""
    centre = directory / "import"
    centre.mkdir()
    prepare(centre, 1, {})
    (centre / "net.json").write_text(_network())
    weeks = _write_series(centre / "series")
    command = [sys.executable, "-m", "cloud_receiver.cli", "grid", "import", "--config", str(centre / "receiver.toml")]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    network = [str(centre / "net.json"), "--valid-from", "2024-12-31T16:00Z"]
    subprocess.run([*command, *network], check=True, env=environment, stdout=subprocess.DEVNULL)
    begin = time.perf_counter()
    # Not `run`: the memory is that of the process while it still is one.
    with subprocess.Popen(
        [*command, "--series", str(centre / "series")], env=environment, stdout=subprocess.DEVNULL
    ) as running:
        memory = 0
        watched = psutil.Process(running.pid)
        while running.poll() is None:
            try:
                memory = max(memory, watched.memory_info().rss)
            except psutil.Error:
                break
            time.sleep(0.05)
        status = running.wait()
    seconds = time.perf_counter() - begin
    if status:
        raise LimitError([f"import: ended with {status}"])
    _verify(centre, weeks)
    cells = SLOTS * sum(map(len, _headings().values()))
    size = sum(path.stat().st_size for path in (centre / "series").iterdir())
    stored = (centre / "receiver.sqlite").stat().st_size
    peer = _read(centre / "series")
    sizes = f"{size / 1e6:.0f} MB of CSV, {stored / 1e6:.0f} MB on disk, resident {memory / 1e6:.0f} MB"
    peer_text = f"peer, csv.reader of the same files, nothing checked or stored: {peer:.1f} s"
    return seconds, [
        f"import: {SLOTS:,} slots of {cells // SLOTS} values by grid import: {compared(seconds)}",
        f"  {SLOTS / seconds:,.0f} slots/s, {cells / seconds:,.0f} values/s; {sizes}; every value is stored to the bit",
        f"  {peer_text}; the import takes {seconds / peer:.1f} times that",
    ]


def _headings() -> dict[str, list[str]]:
    """Return the columns of each table: every branch with both registers of both ends."""
    ends = [f"{end}_{way}" for end in ("from", "to") for way in ("in", "out")]
    return {
        "branches.csv": [f"L{number}.{end}" for number in range(BRANCHES) for end in ends],
        "generators.csv": [f"G{number}.{name}" for number in range(UNITS) for name in ("p", "emission")],
        "loads.csv": [f"D{number}.p" for number in range(PLANTS, NODES)],
    }


def _write_series(directory: Path) -> dict[str, list[str]]:
    """Write the tables of a year; return the lines of a week without their times, which every week has."""
    draw = random.Random(2)  # the same data in every run
    directory.mkdir()
    start = datetime.fromtimestamp(START_MS / 1000, UTC)
    weeks = {}
    for name, headings in _headings().items():
        week = [",".join(f"{draw.random() * 100:.3f}" for _ in headings) for _ in range(672)]
        with (directory / name).open("w", encoding="utf-8") as stream:
            stream.write(f"time,{','.join(headings)}\n")
            for slot in range(SLOTS):
                time_text = (start + timedelta(minutes=15 * slot)).isoformat()
                stream.write(f"{time_text},{week[slot % len(week)]}\n")
        weeks[name] = week
    return weeks


def _network() -> str:
    """Return the topology as JSON: substations in a row with parallel and cross lines, plants and users at them."""
    others = NAMES[PLANTS : PLANTS + SUBSTATIONS]
    branch = [[f"L{number}", NAMES[number], others[number % SUBSTATIONS]] for number in range(PLANTS)]
    branch += [
        [f"L{number}", others[number % SUBSTATIONS], (others + NAMES[-USERS:])[number % SUBSTATIONS + 1 + number % 7]]
        for number in range(PLANTS, BRANCHES)
    ]
    return json.dumps(
        {
            "case": "year",
            "bus": NAMES,
            "branch": [[*row, None, None] for row in branch],
            "gen": [[f"G{number}", NAMES[number % PLANTS], None, None] for number in range(UNITS)],
            "load": [[f"D{number}", NAMES[number], None] for number in range(PLANTS, NODES)],
        }
    )


def _read(directory: Path) -> float:
    begin = time.perf_counter()
    for path in sorted(directory.iterdir()):
        with path.open(encoding="utf-8", newline="") as stream:
            for _ in csv.reader(stream):
                pass
    return time.perf_counter() - begin


def _verify(centre: Path, weeks: dict[str, list[str]]) -> None:
    """LimitError unless every slot is stored once, with the bits of the numbers in the tables."""
    expected = [_packed(lines) for lines in zip(*weeks.values(), strict=True)]
    with closing(sqlite3.connect(centre / "receiver.sqlite")) as store:
        rows = store.execute("SELECT start_ms, content FROM grid_telemetry ORDER BY start_ms").fetchall()
    if [start_ms for start_ms, _ in rows] != [START_MS + slot * SLOT_MS for slot in range(SLOTS)]:
        raise LimitError([f"import: {len(rows)} rows of {SLOTS} slots"])
    for start_ms, content in rows:
        snapshot = unpack(content, start_ms)
        found = [getattr(flow, name) for flow in snapshot.flows.values() for name in flow.__dataclass_fields__]
        found += [number for made in snapshot.generators.values() for number in (made.megawatts, made.emission)]
        found += [used.megawatts for used in snapshot.loads.values()]
        if struct.pack(f"<{len(found)}d", *found) != expected[(start_ms - START_MS) // SLOT_MS % len(expected)]:
            raise LimitError([f"import: slot {start_ms} has other values"])


def _packed(lines: Sequence[str]) -> bytes:
    """Return the numbers of a slot in the order of the elements' ids, which is that of the store."""
    numbers = []
    for headings, line in zip(_headings().values(), lines, strict=True):
        cells: dict[str, list[float]] = {}
        for heading, cell in zip(headings, line.split(","), strict=True):
            cells.setdefault(heading.rpartition(".")[0], []).append(float(cell))
        numbers += [number for name in sorted(cells) for number in cells[name]]
    return struct.pack(f"<{len(numbers)}d", *numbers)
