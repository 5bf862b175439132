"""The receiver's intake: signed batches of 64 records through a real Mosquitto into durable SQLite, acknowledged.

Measured from the first publish to the last acknowledgement, with the broker, the receiver and the load generator on the
machine's cores. The peer is Python's own sqlite3 writing the same rows with the same commit size, without network,
signatures, decoding or acknowledgements: an upper limit, not a rival. `RECORDS` in the environment changes the size.
"""

import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from bench.mqtt_load import await_acknowledgements, connect, publish_packets
from cloud_receiver import database, enrolment, meters, registry
from diantan_core import decode_batch
from wire import keys, topics
from wire.batch import RecordBatchMessage, encode_batch
from wire.envelope import Signer
from wire.records import ClockState, FactorQuality, IntervalRecord, Quality

RECORDS = int(os.environ.get("RECORDS", "600000"))
GATEWAYS = 50
METERS = 12
BATCH = 64
TARGET = 50_000
START_MS = 1_782_835_200_000
SLOT_MS = 900_000
FACTOR = 570_300


def run() -> list[str]:
    """Measure and return the lines to print."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        return ["receiver intake: mosquitto is not installed, nothing measured"]
    with tempfile.TemporaryDirectory(prefix="diantan-bench-") as name:
        directory = Path(name)
        payloads, private = make_payloads()
        lines = []
        rates = []
        for checks in (False, True):
            rate, text = _measure(program, directory / str(checks), payloads, private, checks=checks)
            rates.append(rate)
            lines += text
        peer = _peer(directory, payloads)
    lines.append(
        f"peer, sqlite3.executemany of the same rows without network, signature or decoding: {peer:,.0f} records/s; "
        f"the intake reaches {rates[0] / peer:.2f} of it"
    )
    return lines


def _name(gateway: int) -> str:
    return f"gw{gateway:03}"


def make_payloads(records: int = RECORDS) -> tuple[list[tuple[str, bytes]], dict[str, Ed25519PrivateKey]]:
    """Return the batches of all gateways, in turn, and the gateways' keys."""
    private = {_name(number): keys.generate() for number in range(GATEWAYS)}
    batches = records // BATCH
    draw = random.Random(1)  # the same data in every run
    totals: dict[int, int] = {}
    # Every gateway sends the same day: making the data is not what is measured.
    day = [
        [_record(turn * BATCH + place, draw, totals) for place in range(BATCH)]
        for turn in range(batches // GATEWAYS + 1)
    ]
    result = []
    for number in range(batches):
        gateway, turn = _name(number % GATEWAYS), number // GATEWAYS
        message = RecordBatchMessage(
            gateway, b"context1", turn * BATCH + 1, START_MS, ClockState.SYNCHRONISED, day[turn]
        )
        result.append((gateway, encode_batch(message)))
    return result, private


def _record(number: int, draw: random.Random, totals: dict[int, int]) -> IntervalRecord:
    """Return the next interval of a meter: some charge, with energies of 0.01 kWh, others stand idle."""
    slot, meter = divmod(number, METERS)
    energy = draw.randrange(100, 1_500) * 10_000 if draw.random() < 0.5 else 0
    before = totals.get(meter, 0)
    totals[meter] = total = before + energy
    carbon = total * FACTOR // 1000 - before * FACTOR // 1000
    return IntervalRecord(
        *(f"C{meter:02}", START_MS + slot * SLOT_MS, SLOT_MS, energy, 0, total, 0, FACTOR),
        *(FactorQuality.DISPATCHED, carbon, 0, total * FACTOR // 1000, 0, 15, Quality.MEASURED),
    )


def free_port() -> int:
    """Return a TCP port on loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _prepare(directory: Path, port: int, private: dict[str, Ed25519PrivateKey], *, checks: bool) -> None:
    directory.mkdir()
    (directory / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\nlog_type error\n"
    )
    (directory / "receiver.toml").write_text(
        f'[centre]\nkey_file = "centre.key"\n[broker]\nport = {port}\n[checks]\nenabled = {str(checks).lower()}\n'
    )
    keys.save_private(keys.generate(), directory / "centre.key")
    engine = database.open_store("sqlite:///receiver.sqlite", directory)
    enrol(engine, directory, private)
    engine.dispose()


def enrol(engine: Engine, directory: Path, private: dict[str, Ed25519PrivateKey]) -> None:
    """Make the schema, a station of each gateway with its meters, and enter the keys."""
    (directory / "registry.toml").write_text(
        "".join(
            f'[[station]]\nid = "S-{name}"\nnode = "n"\n'
            + "".join(
                f'[[station.meter]]\nid = "C{meter:02}"\nrole = "{"grid" if meter == METERS - 1 else "charger"}"\n'
                f'gateway = "{name}"\nrated_kw = 60\n'
                for meter in range(METERS)
            )
            for name in private
        )
    )
    database.upgrade(engine)
    with database.writing(engine) as connection:
        meters.enter_registry(connection, registry.load(directory / "registry.toml"))
        for name, key in private.items():
            enrolment.add(connection, name, key.public_key(), f"S-{name}", 0)


def _measure(
    program: str,
    directory: Path,
    payloads: Sequence[tuple[str, bytes]],
    private: dict[str, Ed25519PrivateKey],
    *,
    checks: bool,
) -> tuple[float, list[str]]:
    port = free_port()
    _prepare(directory, port, private, checks=checks)
    signers = {name: Signer(key) for name, key in private.items()}
    packets = publish_packets(
        [(topics.records(name), signers[name].sign(payload, topics.records(name))) for name, payload in payloads]
    )
    expected: dict[str, int] = {}
    for name, _ in payloads:
        expected[name] = expected.get(name, 0) + BATCH
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    with (
        subprocess.Popen([program, "-c", str(directory / "mosquitto.conf")], stderr=subprocess.DEVNULL) as broker,
        (directory / "log.txt").open("wb") as log,
    ):
        try:
            # The acknowledgements' subscriber comes first, and waits until the receiver has subscribed.
            listener = connect(port, "listener", subscribe="diantan/1/down/+/ack")
            with subprocess.Popen(
                [sys.executable, "-m", "cloud_receiver.cli", "run", "--config", str(directory / "receiver.toml")],
                stderr=log,
                env=environment,
            ) as receiver:
                try:
                    await_line(directory / "log.txt", "connected to", receiver)
                    watched = [psutil.Process(broker.pid), psutil.Process(receiver.pid)]
                    before = [cpu(process) for process in watched]
                    begin = time.perf_counter()
                    load = subprocess.Popen(
                        [sys.executable, "-m", "bench.mqtt_load", str(port)], stdin=subprocess.PIPE, env=environment
                    )
                    assert load.stdin is not None
                    load.stdin.write(b"".join(packets))
                    load.stdin.close()
                    await_acknowledgements(listener, expected)
                    elapsed = time.perf_counter() - begin
                    used = [cpu(process) - start for process, start in zip(watched, before, strict=True)]
                    memory = watched[1].memory_info().rss / 1e6
                    load.wait(30)
                finally:
                    receiver.send_signal(signal.SIGTERM)
                    receiver.wait(60)
        finally:
            broker.terminate()
    count = _stored(directory)
    total = BATCH * len(payloads)
    rate = total / elapsed
    size = (directory / "receiver.sqlite").stat().st_size / total
    name = "with the checks running" if checks else "intake alone"
    wire = sum(map(len, packets)) / total
    return rate, [
        f"{name}: {rate:,.0f} records/s (target {TARGET:,})",
        f"  {total:,} records of {wire:.1f} bytes in {elapsed:.1f} s, {count:,} rows, {size:.0f} bytes each on disk",
        f"  of one core: receiver {used[1] / elapsed:.0%}, broker {used[0] / elapsed:.0%}; resident {memory:.0f} MB",
    ]


def await_line(path: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a log has a text, and a little longer; RuntimeError when the process ends before."""
    while text not in path.read_text():
        if process.poll() is not None:
            raise RuntimeError(f"the receiver ended with {process.returncode}: {path.read_text()}")
        time.sleep(0.05)
    # The subscription goes out with the connection; the broker handles it before it sees the first batch.
    time.sleep(0.5)


def cpu(process: psutil.Process) -> float:
    """Return the CPU seconds of a process."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _stored(directory: Path) -> int:
    with sqlite3.connect(directory / "receiver.sqlite") as connection:
        return int(connection.execute("SELECT COUNT(*) FROM interval").fetchone()[0])


def _peer(directory: Path, payloads: Sequence[tuple[str, bytes]]) -> float:
    """Write the same rows with plain sqlite3, 256 batches a commit, as durable as the receiver."""
    engine = database.open_store("sqlite:///peer.sqlite", directory)
    database.upgrade(engine)
    engine.dispose()
    numbers = {name: place for place, name in enumerate(sorted({name for name, _ in payloads}), 1)}
    groups = []
    for first in range(0, len(payloads), 256):
        rows: list[tuple[int | None, ...]] = []
        for name, payload in payloads[first : first + 256]:
            batch = decode_batch(payload)
            rows += batch.interval_rows(
                [numbers[name] * METERS + place for place in range(len(batch.meters))], (numbers[name], numbers[name])
            )
        groups.append(rows)
    columns = (
        "sequence, meter, start_ms, duration_ms, forward_mwh, reverse_mwh, forward_total_mwh, reverse_total_mwh, "
        "factor, factor_quality, carbon_forward_ug, carbon_reverse_ug, carbon_forward_total_ug, "
        "carbon_reverse_total_ug, readings, quality, station, journal"
    )
    statement = f"INSERT INTO interval ({columns}) VALUES ({', '.join('?' * 18)})"
    connection = sqlite3.connect(directory / "peer.sqlite", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "wal_autocheckpoint=4000"):
        connection.execute(f"PRAGMA {pragma}")
    begin = time.perf_counter()
    for rows in groups:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(statement, rows)
        connection.execute("COMMIT")
    elapsed = time.perf_counter() - begin
    connection.close()
    total = BATCH * len(payloads)
    return total / elapsed


if __name__ == "__main__":
    print("\n".join(run()))
