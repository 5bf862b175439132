"""A year of 104 nodes (10 plants, 80 substations, 14 users) into the centre's store; ends with 1 if it takes too long.

First as records: a year of 15-minute intervals of a meter at each node, from 104 gateways in signed batches, through a
real Mosquitto into the receiver's SQLite, with the default settings, until the last one is acknowledged; the peer is
Python's own sqlite3 writing the same rows, as durably, without network, signatures, decoding or acknowledgements. Then
as telemetry: all points of such a grid by `grid import --series`, checked, into the same kind of store; the peer is
csv.reader reading the same files and doing nothing with them. `SLOTS` in the environment changes the year, `BATCH` the
records of a batch.
"""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import grid_year_series
from bench.grid_year_nodes import LIMIT_S, NAMES, NODES, SLOT_MS, SLOTS, START_MS, compared, prepare
from bench.limits import LimitError
from bench.mqtt_load import await_acknowledgements, connect, publish_packets
from bench.receiver_intake import await_line, cpu, free_port
from cloud_receiver import database
from diantan_core import decode_batch
from wire import keys, topics
from wire.batch import RecordBatchMessage, encode_batch
from wire.envelope import Signer
from wire.records import ClockState, FactorQuality, IntervalRecord, Quality

BATCH = int(os.environ.get("BATCH", "64"))
FACTOR = 570_300
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
        imported, text = grid_year_series.measure(directory)
        lines += text
    broken = [
        f"{what} took {found:.1f} s, limit {LIMIT_S:.0f} s"
        for what, found in (("the records", seconds), ("the import", imported))
        if found > LIMIT_S
    ]
    if broken:
        raise LimitError([*lines, f"broken: {'; '.join(broken)}"])
    return lines


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
        f"records: {count:,} of {NODES} meters, first publish to last acknowledgement: {compared(seconds)}",
        f"  {took}; {sizes}; each is stored once, with the energy that was made",
        f"  {used}",
        f"  peer, sqlite3.executemany of the same rows: {peer:.1f} s; the receiver takes {seconds / peer:.1f} times it",
    ]


def _receive(
    program: str, directory: Path, private: dict[str, Ed25519PrivateKey], packets: list[bytes]
) -> tuple[float, str]:
    """Return the seconds until all is acknowledged, and what the processes used."""
    port = free_port()
    prepare(directory, port, private)
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
                    # With all of a year in the broker's queue, its answers to acknowledgements come behind that.
                    await_acknowledgements(listener, dict.fromkeys(NAMES, SLOTS), 2 * LIMIT_S)
                    seconds = time.perf_counter() - begin
                    shares = [(cpu(each) - start) / seconds for each, start in zip(watched, before, strict=True)]
                    memory = watched[0].memory_info().rss / 1e6
                    load.wait(30)
                finally:
                    receiver.send_signal(signal.SIGTERM)
                    receiver.wait(120)
        finally:
            broker.terminate()
    used = (
        f"the receiver used {shares[0] * seconds:.1f} s of a core ({shares[0]:.0%} of one), the broker {shares[1]:.0%}"
    )
    return seconds, f"{used}; receiver resident {memory:.0f} MB"


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


if __name__ == "__main__":
    print("\n".join(run()))
