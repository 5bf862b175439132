"""Draining a backlog (积压): a day of 100 meters at 1-minute intervals, while the meters go on; ends with 1 if late.

The journal is written by the journal's own code. Then a real agent reads live meters, by a clock ten times as fast:
fresh records come at ten times the rate of 100 meters. Broker and receiver (SQLite, checks running) are real too, and
all share the machine, with the default settings. A fresh record's delay counts from when it can be read in the journal
until an acknowledgement that says it is stored has left the broker. `python -m bench.drain` runs it alone.
"""

import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cbor2
import psutil

from agent.journal import Journal
from agent.journal_entry import Append, to_row
from agent.spans import Span, stored_spans
from bench.hostile_input import prepare
from bench.limits import LimitError
from bench.mqtt_load import connect, frames
from clock import SimulatedClock
from wire import keys
from wire.records import ClockState, FactorQuality, IntervalRecord, Quality

METERS = 100
MINUTES = 1440
BACKLOG = METERS * MINUTES
SPEED = 10
LIMIT_S = 60.0
LINGER_S = 2.0 / SPEED  # the default, on this clock
ON_TIME_S = LINGER_S + 1.0
MINUTE_MS = 60_000
ORIGIN_MS = 1_782_835_200_000
FACTOR = 570_300
GATEWAY = "bench"
_START_UP_S = 2.0
_LOOK_S = 0.005
_GIVE_UP_S = 300.0


@dataclass(slots=True)
class Witness:
    """When what was written, and when what was acknowledged; seconds of the machine's clock."""

    port: int
    written: list[tuple[float, int]] = field(default_factory=list)  # (when, next sequence)
    acknowledged: list[tuple[float, tuple[Span, ...]]] = field(default_factory=list)  # (when, what is stored)
    most_pieces: int = 0
    drained: threading.Event = field(default_factory=threading.Event)

    def listen(self) -> None:
        """Take the centre's acknowledgements until the broker goes."""
        connection = connect(self.port, "witness", subscribe=f"diantan/1/down/{GATEWAY}/ack")
        for head, body in frames(connection):
            if head >> 4 != 3:  # PUBLISH
                continue
            content = cbor2.loads(cbor2.loads(body[2 + int.from_bytes(body[:2], "big") :]).value[2])
            missing = [(low, high) for low, high in content[4]]
            stored = tuple(stored_spans(content[3], missing, content.get(6, 0)))
            self.acknowledged.append((time.perf_counter(), stored))
            self.most_pieces = max(self.most_pieces, len(stored))
            if content[3] >= BACKLOG:
                self.drained.set()

    def look(self, journal: sqlite3.Connection) -> None:
        """See how far the journal goes."""
        (following,) = journal.execute("SELECT next_sequence FROM header").fetchone()
        if not self.written or self.written[-1][1] < following:
            self.written.append((time.perf_counter(), following))

    def delays(self) -> list[float]:
        """Return the delay of each fresh record that is acknowledged, ascending; raises when one is not."""
        times = [when for when, _ in self.written]
        ends = [following for _, following in self.written]
        result = []
        for sequence in range(BACKLOG + 1, ends[-1]):
            begun = times[bisect_right(ends, sequence)]
            stored = next(
                (when for when, spans in self.acknowledged if any(a <= sequence <= b for a, b in spans)), None
            )
            if stored is not None:
                result.append(stored - begun)
        return sorted(result)


@dataclass(frozen=True, slots=True)
class Used:
    """What the drain took: seconds, and of agent and receiver CPU seconds and resident memory."""

    seconds: float
    cpu_s: tuple[float, float]
    memory_mb: tuple[float, float]


def run() -> list[str]:
    """Measure and return the lines to print; LimitError when a limit is broken."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        return ["drain: mosquitto is not installed, nothing measured"]
    with tempfile.TemporaryDirectory(prefix="diantan-bench-") as name:
        return _measure(program, Path(name))


def fill(path: Path) -> None:
    """Write the journal of a day."""
    draw = random.Random(1)  # the same data in every run
    totals = [0] * METERS
    journal = Journal.open(path, now_ms=ORIGIN_MS - MINUTES * MINUTE_MS, entropy=draw.randbytes)
    for minute in range(MINUTES):
        start_ms = ORIGIN_MS + (minute - MINUTES) * MINUTE_MS
        rows = [to_row(_record(meter, start_ms, draw, totals)) for meter in range(METERS)]
        journal.commit([Append(rows, clock_state=ClockState.SYNCHRONISED)])
    assert journal.header.next_sequence == BACKLOG + 1
    journal.close()


def _record(meter: int, start_ms: int, draw: random.Random, totals: list[int]) -> IntervalRecord:
    """Return the next interval of a meter: some charge, with energies of 0.01 kWh, others stand idle."""
    energy = draw.randrange(10, 200) * 10_000 if draw.random() < 0.5 else 0
    before = totals[meter]
    totals[meter] = total = before + energy
    carbon = total * FACTOR // 1000 - before * FACTOR // 1000
    return IntervalRecord(
        *(f"C{meter:03}", start_ms, MINUTE_MS, energy, 0, total, 0, FACTOR),
        *(FactorQuality.DISPATCHED, carbon, 0, total * FACTOR // 1000, 0, 1, Quality.MEASURED),
    )


def _configure(directory: Path, port: int, meters: Sequence[int]) -> Path:
    """Write the files of agent, receiver and broker; return the agent's."""
    key = keys.generate()
    prepare(directory, port, {GATEWAY: key})
    broker = directory / "mosquitto.conf"
    broker.write_text(f"{broker.read_text()}set_tcp_nodelay true\n")  # as in deploy/mosquitto
    receiver = directory / "receiver.toml"
    receiver.write_text(receiver.read_text().replace("[checks]\nenabled = false\n", ""))
    keys.save_private(key, directory / "gateway.key")
    keys.save_public(keys.load_private(directory / "centre.key").public_key(), directory / "centre.pub")
    lines = "".join(
        f'[[line]]\nname = "line-{number}"\ntransport = "modbus-tcp"\nhost = "127.0.0.1"\nport = {meter}\n'
        f'[[line.meter]]\nid = "C{number:03}"\nprofile = "sim-carbon-meter"\nrated_kw = 120\n'
        for number, meter in enumerate(meters)
    )
    path = directory / "agent.toml"
    path.write_text(
        f'[gateway]\nid = "{GATEWAY}"\nstation = "S-{GATEWAY}"\ndata_dir = "data"\nkey_file = "gateway.key"\n'
        f'[centre]\nkey_file = "centre.pub"\n[broker]\nhost = "127.0.0.1"\nport = {port}\n'
        '[factor]\nnode = "n"\ndefault = "0.5703"\nforward_to_meters = false\n'
        f"[interval]\nminutes = 1\n{lines}",
        "utf-8",
    )
    (directory / "data").mkdir()
    return path


@contextmanager
def _process(log: Path, *command: str) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a process with a log file, and end it in order."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    with log.open("wb") as output, subprocess.Popen(command, stderr=output, env=environment) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _measure(program: str, directory: Path) -> list[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with subprocess.Popen(
        [sys.executable, "-m", "bench.modbus_server", str(METERS)], stdout=subprocess.PIPE, text=True
    ) as served:
        try:
            assert served.stdout is not None
            config = _configure(directory, port, json.loads(served.stdout.readline()))
            fill(directory / "data" / "journal.db")
            witness = Witness(port)
            with _process(directory / "broker.txt", program, "-c", str(directory / "mosquitto.conf")):
                threading.Thread(target=witness.listen, daemon=True).start()
                used = _drain(directory, config, witness)
        finally:
            served.terminate()
    return _report(directory, witness, used)


def _drain(directory: Path, config: Path, witness: Witness) -> Used:
    """Run receiver and agent until the backlog is stored, and a little longer for the last fresh records."""
    clock = SimulatedClock(ORIGIN_MS, SPEED, time.monotonic_ns() // 1_000_000 + int(1000 * _START_UP_S)).spec()
    receiver_log, agent_log = directory / "receiver.txt", directory / "agent.txt"
    receive = ("-m", "cloud_receiver.cli", "run", "--config", str(directory / "receiver.toml"), "--clock", clock)
    work = ("-m", "agent.cli", "run", "--log", "json", "--config", str(config), "--clock", clock)
    with _process(receiver_log, sys.executable, *receive) as receiver:
        while "connected to" not in receiver_log.read_text():
            if receiver.poll() is not None:
                raise RuntimeError(f"the receiver ended with {receiver.returncode}: {receiver_log.read_text()}")
            time.sleep(_LOOK_S)
        time.sleep(_START_UP_S)  # its subscriptions go out with the connection; the clock passes its anchor
        begun = time.perf_counter()
        before = _cpu(receiver.pid)
        with (
            _process(agent_log, sys.executable, *work) as agent,
            closing(sqlite3.connect(f"file:{directory / 'data' / 'journal.db'}?mode=ro", uri=True)) as journal,
        ):
            while not witness.drained.is_set():
                if agent.poll() is not None or time.perf_counter() - begun > _GIVE_UP_S:
                    raise RuntimeError(f"not drained after {_GIVE_UP_S:.0f} s: {agent_log.read_text()[-2000:]}")
                witness.look(journal)
                time.sleep(_LOOK_S)
            elapsed = time.perf_counter() - begun
            used = Used(
                elapsed, (_cpu(agent.pid), _cpu(receiver.pid) - before), (_memory(agent.pid), _memory(receiver.pid))
            )
            last = witness.written[-1][1] - 1
            while not any(high >= last for _, high in witness.acknowledged[-1][1]):
                time.sleep(_LOOK_S)
    return used


def _memory(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss / 1e6)


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _report(directory: Path, witness: Witness, used: Used) -> list[str]:
    delays = witness.delays()
    fresh = witness.written[-1][1] - 1 - BACKLOG
    p50, p99, worst = delays[len(delays) // 2], delays[int(len(delays) * 0.99)], delays[-1]
    stopped = next(
        entry
        for line in (directory / "agent.txt").read_text().splitlines()
        if (entry := json.loads(line))["message"] == "stopped"
    )
    counted = (directory / "receiver.txt").read_text().rpartition("receiver stopped; ")[2].strip()
    with closing(sqlite3.connect(directory / "receiver.sqlite")) as store:
        rows, sequences = store.execute("SELECT count(*), count(DISTINCT sequence) FROM interval").fetchone()
        (days,) = store.execute("SELECT count(*) FROM interval WHERE sequence <= ?", (BACKLOG,)).fetchone()
    agent, receiver = used.cpu_s
    drained = f"{BACKLOG:,} interval records in {used.seconds:.1f} s from the agent's start"
    on_time = f"{p50:.2f} s (median), {p99:.2f} s (99 %), {worst:.2f} s (all) after they were in the journal"
    lines = [
        f"drain: {drained}, {BACKLOG / used.seconds:,.0f}/s; limit {LIMIT_S:.0f} s, ratio {used.seconds / LIMIT_S:.2f}",
        f"  {fresh} fresh records acknowledged {on_time}",
        f"  limit {ON_TIME_S:.1f} s, {LINGER_S:.1f} s of it the linger time; ratio {worst / ON_TIME_S:.2f}",
        f"  agent: {stopped['batches_resent']} batches resent; the centre had at most {witness.most_pieces} pieces",
        f"  receiver: {counted}",
        f"  of one core: agent {agent / used.seconds:.0%}, receiver {receiver / used.seconds:.0%}",
        f"  resident: agent {used.memory_mb[0]:.0f} MB, receiver {used.memory_mb[1]:.0f} MB",
    ]
    broken = []
    if used.seconds > LIMIT_S:
        broken.append(f"drained in {used.seconds:.1f} s, limit {LIMIT_S:.0f} s")
    if len(delays) < fresh or worst > ON_TIME_S:
        broken.append(f"{len(delays)} of {fresh} fresh records within {worst:.2f} s, limit {ON_TIME_S:.1f} s")
    if days != BACKLOG or rows != sequences:
        broken.append(f"{days} of {BACKLOG} records of the day are stored, {rows} rows of {sequences} sequences")
    if broken:
        raise LimitError([*lines, f"BROKEN: {'; '.join(broken)}"])
    return lines


if __name__ == "__main__":
    try:
        print("\n".join(run()))
    except LimitError as error:
        print("\n".join(error.lines))
        sys.exit(1)
