"""The programs themselves through the deployed broker: meters, gateway and centre as processes, with certificates."""

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from broker_support import SecureBroker

from clock import SimulatedClock
from demo import files as demo_files
from demo import plan as demo_plan
from demo.files import GATEWAY, Broker, Files
from demo.processes import Programs, output_of

pytestmark = pytest.mark.mosquitto

SESSIONS = """arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id,session_id
2026-03-01 00:05:00+08:00,2026-03-01 00:55:00+08:00,60,4,CA-1,s1
"""


def with_certificate(path: Path, authority: Path, name: str, port: int) -> None:
    """Add to the broker's section what the deployed broker asks for."""
    text = path.read_text()
    section = f'[broker]\nhost = "127.0.0.1"\nport = {port}\n'
    assert section in text
    files = {"ca_file": "ca.crt", "cert_file": f"{name}.crt", "key_file": f"{name}.key"}
    lines = "".join(f"{key} = {json.dumps(str(authority / file))}\n" for key, file in files.items())
    path.write_text(text.replace(section, section + lines))


def one(database: Path, query: str) -> Any:
    """Return one value of the centre's store, None as long as there is none."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as store:
        try:
            row = store.execute(query).fetchone()
        except sqlite3.OperationalError:
            return None  # the schema is just being made
    return None if row is None else row[0]


def test_records_factors_and_statuses_go_through(
    start_broker: Callable[..., SecureBroker], authority: Path, issue: Callable[..., str], tmp_path: Path
) -> None:
    issue("--directory", authority, "gateway", GATEWAY)
    broker = start_broker()
    directory = tmp_path / "run"
    directory.mkdir()
    sessions = tmp_path / "sessions.csv"
    sessions.write_text(SESSIONS)
    plan = demo_plan.from_sessions(sessions, None, chargers=1, hours=1, seed=7)
    files = Files(directory)
    with Programs(directory) as programs:
        demo_files.write_keys(files)
        demo_files.write_station(files, plan)
        demo_files.write_receiver(files, plan, Broker(broker.port, "auto"))
        with_certificate(files.receiver, authority, "_centre", broker.port)
        clock = SimulatedClock(plan.origin_ms, 720, time.monotonic_ns() // 1_000_000 + 6000, plan.end_ms)
        demo_files.enrol(files, clock.spec())
        arguments = ("--clock", clock.spec())
        programs.start(
            "station", "diantan-sim", "station", str(files.station), *arguments, "--ready-file", str(files.ready)
        )
        programs.wait_until("the station listens", files.ready.exists)
        demo_files.write_agent(files, plan, Broker(broker.port, "auto"))
        with_certificate(files.agent, authority, GATEWAY, broker.port)
        programs.start("receiver", "diantan-receiver", "run", "--config", str(files.receiver), *arguments)
        agent = programs.start("agent", "diantan-agent", "run", "--config", str(files.agent), *arguments)
        store = directory / "centre" / "receiver.sqlite"
        # Factor quality 0: the gateway was sent the factor, and the centre the interval.
        dispatched = "SELECT count(*) FROM interval WHERE factor_quality = 0"
        programs.wait_until("intervals with dispatched factors", lambda: bool(one(store, dispatched)), 60)
        programs.wait_until("a status", lambda: one(store, "SELECT state FROM gateway_status") in (1, 2), 60)
        agent.stop()
        journal = ("journal", "ls", "--config", str(files.agent), "--json")
        # The acknowledgements reached it: the broker had let them through.
        assert json.loads(output_of("diantan-agent", *journal))["acknowledged"] > 0
    assert one(store, "SELECT count(*) FROM quarantine") == 0
