"""The thread: a reading travels from a simulated meter to a checked record at the centre, whatever is killed."""

import json
import signal
import subprocess
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from key_support import both_algorithms

from demo import plan as demo_plan
from demo.plan import HOUR_MS, Plan
from demo.processes import output_of

if TYPE_CHECKING:
    from conftest import Broker, Thread

pytestmark = [pytest.mark.mosquitto]

# Register step 1 Wh, and at 720 times real time a stall of 50 ms moves a boundary by 36 s of at most 7 kW.
ENERGY_TOLERANCE_KWH = Decimal("0.1")


def night(tmp_path: Path, *, hours: int, chargers: int) -> Plan:
    """Plan a night in which every charger works, from before midnight on."""
    sessions = tmp_path / "sessions.csv"
    day = "2026-03-01"
    rows = [
        f"{day} 00:{5 * number:02}:00+08:00,{day} 0{hours}:30:00+08:00,60,{4 + number},CA-{number},s{number}\n"
        for number in range(chargers)
    ]
    sessions.write_text(
        "arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id,session_id\n" + "".join(rows)
    )
    return demo_plan.from_sessions(sessions, None, chargers=chargers, hours=hours, seed=7)


def all_delivered(thread: "Thread") -> bool:
    """Return whether the centre holds as many records as the journal, and the day of every meter to its end.

    A gateway that has little of the machine may write the last intervals only after the simulated end.
    """
    if not thread.stored_count():
        return False
    over = {
        row["meter"]
        for row in thread.stored().values()
        if row["record"] == "interval" and row["start_ms"] + row["duration_ms"] >= thread.plan.day_end_ms
    }
    meters = {"grid", *(f"c{number:02}" for number in range(1, thread.plan.chargers + 1))}
    return over >= meters and thread.stored_count() >= thread.journal_summary()["next_sequence"] - 1


def assert_exactly_once(thread: "Thread") -> None:
    """Every record of the journal is in the store once, equal, and under a valid signature; and nothing else is."""
    journal, stored = thread.journal(), thread.stored()
    assert journal
    assert sorted(stored) == sorted(journal) == list(range(1, len(journal) + 1))
    for sequence, record in journal.items():
        # JSON turns the integer keys of an event's details into text.
        assert stored[sequence] == record
    assert thread.proved() >= set(journal)


def assert_true_energy(thread: "Thread", plan: Plan) -> None:
    """Compare what the centre holds of the day with what the meters registered."""
    times = [datetime.fromtimestamp(ms / 1000, plan.zone).isoformat() for ms in (plan.day_start_ms, plan.day_end_ms)]
    arguments = ("truth", str(thread.files.station), "--from", times[0], "--to", times[1], "--json")
    truth: dict[str, Any] = {meter["id"]: meter for meter in json.loads(output_of("diantan-sim", *arguments))["meters"]}
    report = thread.report()
    end_ms = plan.day_end_ms
    assert {meter["meter"] for meter in report["meters"]} == set(truth)
    intervals = [row for row in thread.stored().values() if row["record"] == "interval"]
    for name, meter in truth.items():
        seen = sum(
            row["forward_mwh"]
            for row in intervals
            if row["meter"] == name and plan.day_start_ms <= row["start_ms"] < end_ms
        )
        registered = Decimal(meter["registered_forward_mwh"]).scaleb(-6)
        assert abs(Decimal(seen).scaleb(-6) - registered) <= ENERGY_TOLERANCE_KWH, name
    chargers = [name for name, meter in truth.items() if meter["role"] == "charger"]
    assert all(truth[name]["registered_forward_mwh"] > 1_000_000 for name in chargers)  # the test would be empty


def assert_carbon_exact(thread: "Thread") -> None:
    """Each interval's carbon is energy times factor, to the floor of the cumulative register."""
    intervals = [row for row in thread.stored().values() if row["record"] == "interval"]
    for row in intervals:
        exact = row["forward_mwh"] * (row["factor"] or 0)
        assert abs(row["carbon_forward_ug"] * 1000 - exact) < 1000, row


@both_algorithms
def test_every_record_arrives_once_and_the_day_adds_up(
    make_thread: "Callable[[Plan, int], Thread]", mosquitto: "Broker", tmp_path: Path
) -> None:
    """The main job, undisturbed: registers, factors, freezes and the balance arrive as they were."""
    plan = night(tmp_path, hours=2, chargers=4)
    thread = make_thread(plan, mosquitto.port)
    thread.start_station()
    thread.start_receiver()
    thread.start_agent()
    thread.wait_simulated(plan.end_ms)
    thread.wait_until("delivery of everything", lambda: all_delivered(thread))
    thread.stop()
    assert_exactly_once(thread)
    assert thread.journal_summary()["unacknowledged"] == 0
    assert_true_energy(thread, plan)
    assert_carbon_exact(thread)
    records = thread.stored().values()
    freezes = [row for row in records if row["record"] == "freeze"]
    assert {(row["meter"], row["time_ms"], row["kind"]) for row in freezes} == {
        (meter, plan.day_start_ms, kind)
        for meter in ("c01", "c02", "c03", "c04", "grid")
        for kind in ("daily", "monthly")  # the day is the first of a month
    }
    dispatched = [row for row in records if row["record"] == "interval" and row["start_ms"] >= plan.day_start_ms]
    assert {row["factor_quality"] for row in dispatched} == {"dispatched"}
    balance = thread.report()["balance"]
    assert balance is not None
    assert balance["within"]


def test_nothing_is_lost_or_doubled_when_everything_is_killed_in_turn(
    make_thread: "Callable[[Plan, int], Thread]", mosquitto: "Broker", tmp_path: Path
) -> None:
    """SIGKILL of gateway, centre and broker in the middle of the work; the registers bring the energy across gaps."""
    plan = night(tmp_path, hours=4, chargers=3)
    thread = make_thread(plan, mosquitto.port)
    thread.start_station()
    thread.start_receiver()
    thread.start_agent()
    thread.wait_until("first records", lambda: thread.stored_count() > 0)
    thread.wait_simulated(plan.day_start_ms + HOUR_MS // 2)
    thread.kill(thread.agent)
    thread.wait_simulated(plan.day_start_ms + HOUR_MS)
    thread.start_agent()
    thread.wait_simulated(plan.day_start_ms + 2 * HOUR_MS)
    thread.kill(thread.receiver)
    before = thread.stored_count()
    thread.wait_simulated(plan.day_start_ms + 5 * HOUR_MS // 2)
    thread.start_receiver()
    thread.wait_until("records after the centre came back", lambda: thread.stored_count() > before)
    mosquitto.process.send_signal(signal.SIGKILL)
    mosquitto.process.wait(10)
    thread.wait_simulated(plan.day_start_ms + 3 * HOUR_MS)
    config = str(mosquitto.directory / "mosquitto.conf")
    with subprocess.Popen([mosquitto.process.args[0], "-c", config], stderr=subprocess.DEVNULL) as second:  # type: ignore[index]
        try:
            thread.wait_simulated(plan.end_ms)
            thread.wait_until("delivery of everything", lambda: all_delivered(thread))
            thread.stop()
        finally:
            second.terminate()
            second.wait(10)
    assert_exactly_once(thread)
    assert_true_energy(thread, plan)
    assert_carbon_exact(thread)
    assert "no problems" in output_of("diantan-agent", "journal", "verify", "--config", str(thread.files.agent))
