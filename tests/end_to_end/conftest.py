"""A whole station with its gateway, broker and centre: real processes on loopback, accelerated time."""

import json
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clock import SimulatedClock
from demo import files as demo_files
from demo.files import GATEWAY, STATION, Broker, Files
from demo.plan import Plan
from demo.processes import Program, Programs, output_of
from diantan_core import decode_batch
from wire import topics
from wire.envelope import KeyRing, open_envelope
from wire.keys import load_public
from wire.records import EventCode, FactorQuality, FreezeKind, FreezeSource, Quality

# Tests are no packages (importmode=importlib): what they share is found by its directory.
sys.path.insert(0, str(Path(__file__).parent))

SPEED = 720
START_UP_S = 6.0
START_UPS = 5.0
"""How many times as long as one command the programs take at most to start, one after another or side by side."""
AN_HOUR_MS = 3_600_000

_INTERVAL = (
    *("sequence", "meter", "start_ms", "duration_ms", "forward_mwh", "reverse_mwh", "forward_total_mwh"),
    *("reverse_total_mwh", "factor", "factor_quality", "carbon_forward_ug", "carbon_reverse_ug"),
    *("carbon_forward_total_ug", "carbon_reverse_total_ug", "readings", "quality"),
)
_FREEZE = (
    *("sequence", "meter", "time_ms", "kind", "forward_total_mwh", "reverse_total_mwh"),
    *("carbon_forward_total_ug", "carbon_reverse_total_ug", "source"),
)
_ADJUSTMENT = (
    *("sequence", "meter", "start_ms", "duration_ms", "forward_mwh", "reverse_mwh", "factor_used", "factor_now"),
    *("carbon_forward_ug", "carbon_reverse_ug", "solve_id"),
)
_EVENT = ("sequence", "meter", "time_ms", "code", "details")
_TABLES = {"interval": _INTERVAL, "freeze": _FREEZE, "adjustment": _ADJUSTMENT, "event": _EVENT}
_ENUMS: dict[str, Any] = {
    "factor_quality": FactorQuality,
    "quality": Quality,
    "kind": FreezeKind,
    "source": FreezeSource,
}

Rows = dict[int, dict[str, Any]]


@dataclass(slots=True)
class Thread:
    """One run from meter to centre."""

    files: Files
    plan: Plan
    programs: Programs
    broker_port: int
    clock: SimulatedClock
    start_up_s: float = START_UP_S
    """How long programs may take to start before the time begins: at this speed a day may be over before they have."""
    agent: Program | None = None
    receiver: Program | None = None
    _starts: int = 0

    def start_station(self) -> None:
        """Serve the meters and configure the gateway for them."""
        arguments = ("--clock", self.clock.spec(), "--ready-file", str(self.files.ready))
        self.programs.start("station", "diantan-sim", "station", str(self.files.station), *arguments)
        self.programs.wait_until("the station listens", self.files.ready.exists)
        demo_files.write_agent(self.files, self.plan, Broker(self.broker_port, "auto"))

    def start_agent(self) -> None:
        """Start the gateway (again)."""
        self._starts += 1
        self.agent = self.programs.start(
            f"agent-{self._starts}",
            "diantan-agent",
            "run",
            "--config",
            str(self.files.agent),
            "--clock",
            self.clock.spec(),
        )

    def start_receiver(self) -> None:
        """Start the centre (again)."""
        self._starts += 1
        self.receiver = self.programs.start(
            f"receiver-{self._starts}",
            "diantan-receiver",
            "run",
            "--config",
            str(self.files.receiver),
            "--clock",
            self.clock.spec(),
        )

    def kill(self, program: Program | None) -> None:
        """End a process as a power cut would."""
        assert program is not None
        program.process.send_signal(signal.SIGKILL)
        program.process.wait(10)
        self.programs.running.remove(program)

    def wait_until(self, what: str, ready: Callable[[], bool], limit_s: float = 60) -> None:
        """Poll until something has come about, while every process lives."""
        self.programs.wait_until(what, ready, limit_s)

    def wait_simulated(self, time_ms: int) -> None:
        """Wait until the simulated clock shows a time."""
        self.wait_until(f"simulated time {time_ms}", lambda: self.clock.now_ms() >= time_ms, 120)

    def stop(self) -> None:
        """End gateway and centre properly."""
        assert self.agent is not None
        assert self.receiver is not None
        self.agent.stop()
        self.receiver.stop()

    def journal(self) -> Rows:
        """Return every record of the gateway's journal by sequence, as the agent exports it."""
        rows = [
            json.loads(line)
            for line in output_of("diantan-agent", "journal", "export", "--config", str(self.files.agent)).splitlines()
        ]
        assert len({row["sequence"] for row in rows}) == len(rows)
        return {row["sequence"]: row for row in rows}

    def journal_summary(self) -> dict[str, Any]:
        """Return what `journal ls` counts."""
        return dict(
            json.loads(output_of("diantan-agent", "journal", "ls", "--config", str(self.files.agent), "--json"))
        )

    @property
    def database(self) -> Path:
        """The centre's store."""
        return self.files.directory / "centre" / "receiver.sqlite"

    def stored_count(self) -> int:
        """Return how many records the centre holds."""
        if not self.database.exists():
            return 0
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as store:
            tables = ("interval", "freeze", "adjustment", "event")
            try:
                return sum(store.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)
            except sqlite3.OperationalError:
                return 0  # the schema is just being made

    def stored(self) -> Rows:
        """Return every record of the store by sequence; a sequence that is there twice fails."""
        result: Rows = {}
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as store:
            names = dict(store.execute("SELECT id, name FROM meter"))
            for table, columns in _TABLES.items():
                for values in store.execute(f"SELECT {', '.join(columns)} FROM {table}"):
                    row = dict(zip(columns, values, strict=True))
                    assert row["sequence"] not in result, f"sequence {row['sequence']} is stored twice"
                    result[row["sequence"]] = _as_exported(table, row, names)
        return result

    def proved(self) -> set[int]:
        """Return the sequences that stored envelopes hold, each verified with the gateway's public key alone."""
        keys = KeyRing()
        keys.add(load_public(f"{self.files.gateway_key}.pub"), GATEWAY)
        sequences: set[int] = set()
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as store:
            for topic, envelope in store.execute("SELECT topic, envelope FROM message"):
                assert topic == topics.records(GATEWAY)
                batch = decode_batch(open_envelope(envelope, topic, keys).payload)
                sequences |= set(range(batch.first, batch.first + batch.count))
        return sequences

    def report(self) -> dict[str, Any]:
        """Return the centre's report of the day."""
        arguments = ("report", "--config", str(self.files.receiver), STATION, str(self.plan.day), "--format", "json")
        return dict(json.loads(output_of("diantan-receiver", *arguments)))


def _as_exported(table: str, row: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    row = {**row, "record": table, "meter": names.get(row["meter"])}
    for column, enum in _ENUMS.items():
        if column in row:
            row[column] = enum(row[column]).name.lower()
    if table == "adjustment":
        row["solve_id"] = row["solve_id"].hex()
    if table == "event":
        row |= {"code": EventCode(row["code"]).name.lower(), "details": json.loads(row["details"])}
    return row


@pytest.fixture
def make_thread(tmp_path: Path, algorithm: str) -> Iterator[Callable[[Plan, int], Thread]]:
    """Return a function that prepares a run; its processes end with the test."""
    directory = tmp_path / "run"
    directory.mkdir()
    with Programs(directory) as programs:

        def make(plan: Plan, broker_port: int) -> Thread:
            files = Files(directory)
            demo_files.write_keys(files, algorithm)
            demo_files.write_station(files, plan)
            demo_files.write_receiver(files, plan, Broker(broker_port, "auto"))
            began_ms = time.monotonic_ns() // 1_000_000
            demo_files.enrol(files, SimulatedClock(plan.origin_ms, 1, began_ms + AN_HOUR_MS).spec())
            now_ms = time.monotonic_ns() // 1_000_000
            # A machine that has much else to do starts programs slowly, and must not miss the first sessions for it.
            start_up_s = max(START_UP_S, START_UPS * (now_ms - began_ms) / 1000)
            clock = SimulatedClock(plan.origin_ms, SPEED, now_ms + int(start_up_s * 1000), plan.end_ms)
            return Thread(files, plan, programs, broker_port, clock, start_up_s)

        yield make
