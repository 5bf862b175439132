"""A configuration on its way from the centre's command line to the gateway: taken over, rolled back, nothing lost."""

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo import plan as demo_plan
from demo.files import GATEWAY
from demo.plan import Plan
from demo.processes import command

if TYPE_CHECKING:
    from conftest import Broker, Thread

pytestmark = pytest.mark.mosquitto


def afternoon(tmp_path: Path) -> Plan:
    """Plan some hours in which one charger works."""
    sessions = tmp_path / "sessions.csv"
    sessions.write_text(
        "arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id,session_id\n"
        "2026-03-01 00:05:00+08:00,2026-03-01 05:30:00+08:00,60,4,CA-0,s0\n"
    )
    return demo_plan.from_sessions(sessions, None, chargers=1, hours=12, seed=7)


def ordered(thread: "Thread", *arguments: str) -> tuple[int, dict[str, Any]]:
    """Order something of the gateway's configuration; return the command's status and what the centre has of it."""
    # The command waits on the simulated clock, the gateway gives a trial its real seconds however fast that runs.
    own = ("--config", str(thread.files.receiver), "--clock", thread.clock.spec(), "--valid", "1440", "--json")
    done = subprocess.run(
        command("diantan-receiver", "command", GATEWAY, "config", *arguments, *own),
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["reply"]


def test_a_gateway_is_configured_from_the_centre(
    make_thread: "Callable[[Plan, int], Thread]", mosquitto: "Broker", tmp_path: Path
) -> None:
    """Real programs only: taken over, with a wrong broker rolled back by itself, rolled back by command."""
    thread = make_thread(afternoon(tmp_path), mosquitto.port)
    thread.start_station()
    thread.start_receiver()
    thread.start_agent()
    thread.wait_until("first records", lambda: thread.stored_count() > 0)
    own, sent = thread.files.agent.read_text(), tmp_path / "sent.toml"
    status, reply = ordered(thread, "show")
    assert (status, reply["result"]["state"], reply["result"]["document"]) == (0, "file", own)
    first = reply["result"]["digest"]

    sent.write_text(own.replace("poll_seconds = 60", "poll_seconds = 90"))
    status, reply = ordered(thread, "set", str(sent), "--trial", "3600")
    second = reply["result"]["digest"]
    assert (status, reply["outcome"], reply["result"]["state"]) == (0, "done", "sent")
    assert (second, reply["result"]["previous"]) == (hashlib.sha256(sent.read_bytes()).hexdigest(), first)

    sent.write_text(sent.read_text().replace(f"port = {mosquitto.port}\n", "port = 1\n"))
    status, reply = ordered(thread, "set", str(sent), "--trial", "10")
    assert (status, reply["outcome"], reply["result"]["digest"]) == (1, "failed", second)
    assert reply["text"].startswith("broker 127.0.0.1:1 not reached within 10 s: ")

    status, reply = ordered(thread, "rollback")
    assert (status, reply["outcome"], reply["result"]["state"]) == (0, "done", "file")
    assert reply["result"]["digest"] == first

    known = thread.stored_count()
    thread.wait_until("more records", lambda: thread.stored_count() > known + 10)
    assert thread.agent is not None
    thread.agent.stop()
    thread.start_agent()
    thread.wait_until("all records", lambda: len(thread.journal()) == thread.stored_count())
    thread.stop()
    journal, stored = thread.journal(), thread.stored()
    assert stored == journal
    assert sorted(journal) == list(range(1, len(journal) + 1))
    changes = [row["details"] for row in journal.values() if row.get("code") == "configuration"]
    assert [(details["18"], details["7"].partition(":")[0]) for details in changes] == [
        *((second, "on trial for 3600 s"), (second, "stays")),
        *((hashlib.sha256(sent.read_bytes()).hexdigest(), "on trial for 10 s"), (second, "rolled back")),
        *((first, "on trial for 300 s"), (first, "stays")),
    ]
