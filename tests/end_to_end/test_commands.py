"""Every command of the centre, from the command line through receiver, broker and gateway to the meter and back."""

import hashlib
import json
import re
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo import plan as demo_plan
from demo.files import GATEWAY
from demo.plan import Plan
from demo.processes import command
from wire.records import EventCode

if TYPE_CHECKING:
    from conftest import Broker, Thread

pytestmark = [pytest.mark.mosquitto]


class Desk:
    """The command line of the centre."""

    def __init__(self, thread: "Thread") -> None:
        self.thread = thread
        self.ids: dict[str, str] = {}
        """State by id, of every command that was ordered."""

    def run(self, *arguments: str) -> tuple[int, str, str]:
        options = ("--config", str(self.thread.files.receiver), "--clock", self.thread.clock.spec())
        line = command("diantan-receiver", *arguments, *options)
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
        self.thread.programs.check()
        return done.returncode, done.stdout, done.stderr

    def order(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """Order the gateway to do something; return the reply."""
        code, out, err = self.run("command", GATEWAY, *arguments, "--json", "--by", "tester")
        assert code == status, (arguments, out, err)
        found = json.loads(out)
        assert (found["order_fault"], found["reply_fault"]) == (None, None)
        self.ids |= dict.fromkeys(re.findall(r"command ([0-9a-f]{32}) for", err), "")
        self.ids[found["id"]] = found["state"]
        return dict(found["reply"])


def select(thread: "Thread", statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{thread.database}?mode=ro", uri=True)) as store:
        return list(store.execute(statement))


def told_of(thread: "Thread") -> dict[str, list[int]]:
    """Return the outcomes that the events of the gateway's journal tell, by command, as the centre has them."""
    found: dict[str, list[int]] = {}
    for (details,) in select(thread, f"SELECT details FROM event WHERE code = {int(EventCode.COMMAND)}"):
        event = json.loads(details)
        found.setdefault(event["15"], []).append(event["17"])
    return found


def test_every_command_is_done_answered_and_recorded_on_both_sides(
    make_thread: "Callable[[Plan, int], Thread]", mosquitto: "Broker", tmp_path: Path
) -> None:
    sessions = tmp_path / "sessions.csv"
    sessions.write_text(
        "arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id,session_id\n"
        "2026-03-01 00:05:00+08:00,2026-03-01 01:30:00+08:00,60,6,CA-0,s0\n"
    )
    plan = demo_plan.from_sessions(sessions, None, chargers=2, hours=1, seed=7)
    thread = make_thread(plan, mosquitto.port)
    thread.start_station()
    thread.start_receiver()
    thread.start_agent()
    # From here on the clock of everybody runs as fast as the real one.
    thread.wait_simulated(plan.end_ms)
    thread.wait_until("delivery", lambda: thread.stored_count() >= thread.journal_summary()["next_sequence"] - 1)
    desk = Desk(thread)
    read_now(desk)
    read_day(desk, plan)
    resend(desk)
    figures = desk.order("status")["result"]["figures"]
    assert figures
    configuration(desk)
    audit(desk)
    thread.stop()
    assert (
        "no problems"
        in subprocess.run(
            command("diantan-agent", "journal", "verify", "--config", str(thread.files.agent)),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


def read_now(desk: Desk) -> None:
    reply = desk.order("read", "c01")["result"]
    assert reply["meter"] == "c01"
    energy = reply["values"]["energy_forward"]
    assert energy["unit"] == "kWh"
    assert Decimal(energy["value"]) > 1  # the session would be empty
    assert list(desk.order("read", "c01", "power")["result"]["values"]) == ["power"]
    refused = desk.order("read", "c99", status=1)
    assert (refused["outcome"], "c99" in refused["text"]) == ("refused", True)


def read_day(desk: Desk, plan: Plan) -> None:
    """Compare the freezes of the journal with those that the centre has under the same sequences, and the factors."""
    result = desk.order("day", str(plan.day))["result"]
    stored = {row["sequence"]: row for row in desk.thread.stored().values() if row["record"] == "freeze"}
    assert {item["sequence"] for item in result["freezes"]} == set(stored)
    for item in result["freezes"]:
        row = stored[item["sequence"]]
        assert (item["meter"], item["kind"], item["source"]) == (row["meter"], row["kind"], row["source"])
        assert Decimal(item["energy_forward_kwh"]) == Decimal(row["forward_total_mwh"]).scaleb(-6)
        assert Decimal(item["carbon_forward_kg"]) == Decimal(row["carbon_forward_total_ug"]).scaleb(-9)
    dispatched = select(
        desk.thread, f"SELECT DISTINCT start_ms, factor FROM factor WHERE start_ms >= {plan.day_start_ms}"
    )
    factors = {item["start"]: item["factor_kg_per_kwh"] for item in result["factors"]}
    assert len(factors) >= 4
    assert sorted(Decimal(value) for value in factors.values()) == sorted(
        Decimal(factor).scaleb(-6) for _, factor in dispatched
    )
    # A busy machine may have read a meter for the first time after midnight: then it has no freeze.
    chosen = result["freezes"][0]["meter"]
    only = desk.order("day", str(plan.day), "--meter", chosen)["result"]
    assert {item["meter"] for item in only["freezes"]} == {chosen}
    # Of the two midnights one has been: the meter's own freeze of it, read now, is in no journal.
    own = desk.order("day", str(plan.day), "--meter", "c01", "--from-meters")["result"]["freezes"]
    assert {(item["meter"], item["source"], item["sequence"]) for item in own} == {("c01", "meter", None)}


def resend(desk: Desk) -> None:
    """Have records sent that the centre has: they come again, are recognised, and change nothing."""
    before = desk.thread.stored()
    messages = "SELECT messages FROM verification WHERE result = 'verified'"
    ((verified,),) = select(desk.thread, messages)
    result = desk.order("resend", "1", "6")["result"]
    assert (result["queued"], result["gone"]) == ([[1, 6]], [])
    desk.thread.wait_until("records once more", lambda: select(desk.thread, messages)[0][0] > verified)
    after = desk.thread.stored()
    assert {sequence: after[sequence] for sequence in before} == before
    assert desk.order("resend", "1", "6", "--context", "00" * 8, status=1)["outcome"] == "refused"


def configuration(desk: Desk) -> None:
    """Show, replace and roll back the configuration; the gateway starts again in between."""
    original = desk.thread.files.agent.read_text()
    shown = desk.order("config", "show")["result"]
    assert (shown["state"], shown["document"]) == ("file", original)
    assert shown["digest"] == hashlib.sha256(original.encode()).hexdigest()
    sent = desk.thread.files.directory / "sent.toml"

    sent.write_text(original.replace("poll_seconds = 60", "poll_secs = 60"))
    refused = desk.order("config", "set", str(sent), status=1)
    assert refused["outcome"] == "refused"
    assert any("poll_secs" in problem for problem in refused["result"]["problems"])

    changed = original + "\n# 由中心下发\n"
    sent.write_text(changed)
    assert desk.order("config", "set", str(sent), "--base", "00" * 32, status=1)["outcome"] == "refused"
    done = desk.order("config", "set", str(sent), "--trial", "60")
    assert (done["outcome"], done["result"]["state"]) == ("done", "sent")
    shown = desk.order("config", "show")["result"]
    assert (shown["state"], shown["document"]) == ("sent", changed)
    assert shown["digest"] == hashlib.sha256(changed.encode()).hexdigest()

    assert desk.order("config", "rollback")["outcome"] == "done"
    assert desk.order("config", "show")["result"]["document"] == original
    assert desk.thread.files.agent.read_text() == original  # nobody but its owner writes it


def audit(desk: Desk) -> None:
    """Compare the list of the centre with what the gateway has told by the records of its journal."""
    status, out, _ = desk.run("commands", GATEWAY, "--json", "--limit", "1000")
    listed = {item["id"]: item for item in json.loads(out)}
    assert status == 0
    assert set(listed) == set(desk.ids)
    assert {item["state"] for item in listed.values()} == {"done", "refused"}
    outcomes = {"done": 0, "refused": 1}
    desk.thread.wait_until("the gateway's events", lambda: set(told_of(desk.thread)) == set(listed))
    for number, told in told_of(desk.thread).items():
        assert told[-1] == outcomes[listed[number]["state"]]
    number = next(iter(listed))
    status, out, _ = desk.run("commands", "show", number)
    assert status == 0
    assert out.count("verified: signed by") == 2
