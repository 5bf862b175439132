"""A year of 104 nodes (10 plants, 80 substations, 14 users) into the centre's store; ends with 1 if it takes too long.

First as records: a year of 15-minute intervals of a meter at each node, from 104 gateways in signed batches, through a
real Mosquitto into the receiver's SQLite, with the default settings, until the last one is acknowledged; the peer is
Python's own sqlite3 writing the same rows, as durably, without network, signatures, decoding or acknowledgements. Then
as telemetry: all points of such a grid by `grid import --series`, checked, into the same kind of store; the peer is
csv.reader reading the same files and doing nothing with them. `SLOTS` in the environment changes the year, `BATCH` the
records of a batch.
"""

import csv
import json
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.limits import LimitError
from bench.mqtt_load import await_acknowledgements, connect, publish_packets
from bench.receiver_intake import await_line, cpu, free_port
from cloud_receiver import database, enrolment, meters, registry
from cloud_receiver.grid.telemetry_content import unpack
from diantan_core import decode_batch
from wire import keys, topics
from wire.batch import RecordBatchMessage, encode_batch
from wire.envelope import Signer
from wire.records import ClockState, FactorQuality, IntervalRecord, Quality

SLOTS = int(os.environ.get("SLOTS", "35040"))
BATCH = int(os.environ.get("BATCH", "64"))
LIMIT_S = 300.0
TARGET_S = 60.0
SLOT_MS = 900_000
START_MS = 1_735_660_800_000  # 2025-01-01T00:00+08:00
FACTOR = 570_300
PLANTS, SUBSTATIONS, USERS = 10, 80, 14
NODES = PLANTS + SUBSTATIONS + USERS
BRANCHES, UNITS = 130, 20
_COLUMNS = (
    "sequence, meter, start_ms, duration_ms, forward_mwh, reverse_mwh, forward_total_mwh, reverse_total_mwh, "
    "factor, factor_quality, carbon_forward_ug, carbon_reverse_ug, carbon_forward_total_ug, "
    "carbon_reverse_total_ug, readings, quality, station, journal"
)


def run() -> list[str]:
    """Measure and return the lines to print; LimitError when a limit is broken."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    with tempfile.TemporaryDirectory(prefix="diantan-bench-") as name:
        directory = Path(name)
        lines = []
        seconds = 0.0
        if program is None:
            lines.append("records: mosquitto is not installed, nothing measured")
        else:
            seconds, text = _records(program, directory)
            lines += text
        imported, text = _series(directory)
        lines += text
    broken = [
        f"{what} took {found:.1f} s, limit {LIMIT_S:.0f} s"
        for what, found in (("the records", seconds), ("the import", imported))
        if found > LIMIT_S
    ]
    if broken:
        raise LimitError([*lines, f"broken: {'; '.join(broken)}"])
    return lines


def _compared(seconds: float) -> str:
    return (
        f"{seconds:.1f} s (limit {LIMIT_S:.0f} s, ratio {seconds / LIMIT_S:.2f}; "
        f"target {TARGET_S:.0f} s, ratio {seconds / TARGET_S:.2f})"
    )


def _node(number: int) -> str:
    """Return a node's name, which is that of its gateway; all have the same length."""
    if number < PLANTS:
        return f"P{number:03}"
    return f"S{number:03}" if number < PLANTS + SUBSTATIONS else f"U{number:03}"


NAMES = [_node(number) for number in range(NODES)]


def _measures(number: int) -> str:
    """Return role and element of the meter of a node, as the registry has them."""
    if number < PLANTS:
        return f'role = "generation"\nmeasures = "generator G{number}"'
    if number < PLANTS + SUBSTATIONS:
        return f'role = "flow"\nmeasures = "branch L{number} from"'
    return f'role = "grid"\nmeasures = "load D{number}"'


def _payloads() -> tuple[list[bytes], int]:
    """Return the batches of one node's year, and its energy in mWh."""
    draw = random.Random(1)  # the same data in every run
    total = 0
    batches = []
    for first in range(0, SLOTS, BATCH):
        records = []
        for slot in range(first, min(first + BATCH, SLOTS)):
            energy = draw.randrange(0, 300_000) * 10_000  # steps of 0.01 kWh, up to 12 MW
            before, total = total, total + energy
            carbon = total * FACTOR // 1000 - before * FACTOR // 1000
            records.append(
                IntervalRecord(
                    *("M1", START_MS + slot * SLOT_MS, SLOT_MS, energy, 0, total, 0, FACTOR),
                    *(FactorQuality.DISPATCHED, carbon, 0, total * FACTOR // 1000, 0, 15, Quality.MEASURED),
                )
            )
        message = RecordBatchMessage(NAMES[0], b"context1", first + 1, START_MS, ClockState.SYNCHRONISED, records)
        batches.append(encode_batch(message))
    return batches, total


def _messages(payloads: list[bytes], private: dict[str, Ed25519PrivateKey]) -> Iterator[tuple[str, bytes]]:
    """Yield the signed batches of all nodes, in turn. All have the same year: making it is not what is measured."""
    signers = {name: Signer(key) for name, key in private.items()}
    first = NAMES[0].encode()
    for payload in payloads:
        for name, signer in signers.items():
            topic = topics.records(name)
            yield topic, signer.sign(payload.replace(first, name.encode(), 1), topic)


def _prepare(directory: Path, port: int, private: dict[str, Ed25519PrivateKey]) -> None:
    (directory / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\n"
        "max_queued_messages 0\nmax_inflight_messages 100\nset_tcp_nodelay true\n"  # as in deploy/mosquitto
    )
    (directory / "receiver.toml").write_text(f'[centre]\nkey_file = "centre.key"\n[broker]\nport = {port}\n')
    (directory / "registry.toml").write_text(
        "".join(
            f'[[station]]\nid = "ST-{name}"\nnode = "{name}"\n[[station.meter]]\nid = "M1"\n{_measures(number)}\n'
            f'gateway = "{name}"\nrated_kw = 12000\n'
            for number, name in enumerate(NAMES)
        )
    )
    keys.save_private(keys.generate(), directory / "centre.key")
    engine = database.open_store("sqlite:///receiver.sqlite", directory)
    database.upgrade(engine)
    with database.writing(engine) as connection:
        meters.enter_registry(connection, registry.load(directory / "registry.toml"))
        for name, key in private.items():
            enrolment.add(connection, name, key.public_key(), f"ST-{name}", 0)
    engine.dispose()


def _records(program: str, directory: Path) -> tuple[float, list[str]]:
    private = {name: keys.generate() for name in NAMES}
    payloads, energy = _payloads()
    packets = publish_packets(list(_messages(payloads, private)))
    (directory / "centre").mkdir()
    seconds, used = _receive(program, directory / "centre", private, packets)
    count = NODES * SLOTS
    with closing(sqlite3.connect(directory / "centre" / "receiver.sqlite")) as store:
        rows, stored = store.execute("SELECT count(*), sum(forward_mwh) FROM interval").fetchone()
    if (rows, stored) != (count, NODES * energy):
        raise LimitError([f"records: {rows} of {count} are stored, {stored} mWh of {NODES * energy}"])
    size = (directory / "centre" / "receiver.sqlite").stat().st_size / count
    shutil.rmtree(directory / "centre")
    peer = _peer(directory, payloads)
    sent = sum(map(len, packets))
    took = f"{count / seconds:,.0f} records/s in {len(packets):,} batches of {BATCH}"
    sizes = f"{sent / count:.1f} bytes each on the wire, {size:.0f} on disk"
    return seconds, [
        f"records: {count:,} of {NODES} meters, first publish to last acknowledgement: {_compared(seconds)}",
        f"  {took}; {sizes}; each is stored once, with the energy that was made",
        f"  {used}",
        f"  peer, sqlite3.executemany of the same rows: {peer:.1f} s; the receiver takes {seconds / peer:.1f} times it",
    ]


def _receive(
    program: str, directory: Path, private: dict[str, Ed25519PrivateKey], packets: list[bytes]
) -> tuple[float, str]:
    """Return the seconds until all is acknowledged, and what the processes used."""
    port = free_port()
    _prepare(directory, port, private)
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    log_path = directory / "log.txt"
    with (
        subprocess.Popen([program, "-c", str(directory / "mosquitto.conf")], stderr=subprocess.DEVNULL) as broker,
        log_path.open("wb") as log,
    ):
        try:
            listener = connect(port, "listener", subscribe="diantan/1/down/+/ack")
            with subprocess.Popen(
                [sys.executable, "-m", "cloud_receiver.cli", "run", "--config", str(directory / "receiver.toml")],
                stderr=log,
                env=environment,
            ) as receiver:
                try:
                    await_line(log_path, "connected to", receiver)
                    watched = [psutil.Process(receiver.pid), psutil.Process(broker.pid)]
                    before = [cpu(process) for process in watched]
                    begin = time.perf_counter()
                    load = subprocess.Popen(
                        [sys.executable, "-m", "bench.mqtt_load", str(port)], stdin=subprocess.PIPE, env=environment
                    )
                    assert load.stdin is not None
                    load.stdin.write(b"".join(packets))
                    load.stdin.close()
                    await_acknowledgements(listener, dict.fromkeys(NAMES, SLOTS))
                    seconds = time.perf_counter() - begin
                    shares = [(cpu(each) - start) / seconds for each, start in zip(watched, before, strict=True)]
                    memory = watched[0].memory_info().rss / 1e6
                    load.wait(30)
                finally:
                    receiver.send_signal(signal.SIGTERM)
                    receiver.wait(120)
        finally:
            broker.terminate()
    return seconds, f"of one core: receiver {shares[0]:.0%}, broker {shares[1]:.0%}; receiver resident {memory:.0f} MB"


def _peer(directory: Path, payloads: list[bytes]) -> float:
    """Return the seconds that plain sqlite3 takes for the same rows, 256 batches a commit, as durably."""
    engine = database.open_store("sqlite:///peer.sqlite", directory)
    database.upgrade(engine)
    engine.dispose()
    statement = f"INSERT INTO interval ({_COLUMNS}) VALUES ({', '.join('?' * 18)})"
    decoded = [decode_batch(payload) for payload in payloads]
    order = [(turn, number) for turn in range(len(payloads)) for number in range(1, NODES + 1)]
    seconds = 0.0
    with closing(sqlite3.connect(directory / "peer.sqlite", isolation_level=None)) as connection:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "wal_autocheckpoint=4000"):
            connection.execute(f"PRAGMA {pragma}")
        for first in range(0, len(order), 256):
            rows: list[tuple[int | None, ...]] = []
            for turn, number in order[first : first + 256]:
                rows += decoded[turn].interval_rows([number], (number, number))
            begin = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(statement, rows)
            connection.execute("COMMIT")
            seconds += time.perf_counter() - begin
    (directory / "peer.sqlite").unlink()
    return seconds


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


def _series(directory: Path) -> tuple[float, list[str]]:
    centre = directory / "import"
    centre.mkdir()
    _prepare(centre, 1, {})
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
        f"import: {SLOTS:,} slots of {cells // SLOTS} values by grid import: {_compared(seconds)}",
        f"  {SLOTS / seconds:,.0f} slots/s, {cells / seconds:,.0f} values/s; {sizes}; every value is stored to the bit",
        f"  {peer_text}; the import takes {seconds / peer:.1f} times that",
    ]


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


if __name__ == "__main__":
    print("\n".join(run()))
