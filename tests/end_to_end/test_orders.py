"""Charge orders (充电订单): what chargers sold arrives once each, exactly, whatever is killed."""

import json
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo import plan as demo_plan
from demo.plan import HOUR_MS, Plan
from demo.processes import output_of
from wire.charge_order import ChargeOrder

if TYPE_CHECKING:
    from conftest import Broker, Thread

pytestmark = pytest.mark.mosquitto

CHARGERS = 3
CHARGES = 10  # of each charger, one every quarter of an hour


def busy_night(tmp_path: Path) -> Plan:
    """Plan three hours of short charges, all over well before the end."""
    sessions = tmp_path / "sessions.csv"
    rows = []
    for charger in range(CHARGERS):
        for charge in range(CHARGES):
            minute = 5 + 2 * charger + 15 * charge
            begin, end = (f"2026-03-01 {at // 60:02}:{at % 60:02}:00+08:00" for at in (minute, minute + 11))
            energy = f"0.{200 + 61 * charge + 7 * charger}"
            rows.append(f"{begin},{end},60,{energy},CA-{charger},s{charger}-{charge}\n")
    sessions.write_text(
        "arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id,session_id\n" + "".join(rows)
    )
    return demo_plan.from_sessions(sessions, None, chargers=CHARGERS, hours=3, seed=7)


def keep_order_logs(thread: "Thread") -> None:
    """Let the chargers log orders; one that logs an order twice must not sell it twice."""
    station = thread.files.station.read_text()
    assert station.count("[[charger]]\n") == CHARGERS
    station = station.replace("[[charger]]\n", '[[charger]]\nprofile = "sim-charger"\n')
    twice = '\n[[fault]]\nkind = "order-duplicate"\nmeter = "c02"\ncount = 2\n'
    thread.files.station.write_text(station + twice)


def true_orders(thread: "Thread", plan: Plan) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what the simulated chargers settled in the whole run, by charger and number."""
    times = [datetime.fromtimestamp(ms / 1000, plan.zone).isoformat() for ms in (plan.origin_ms, plan.end_ms)]
    arguments = ("truth", str(thread.files.station), "--from", times[0], "--to", times[1], "--json")
    orders = json.loads(output_of("diantan-sim", *arguments))["orders"]
    return {(order["meter"], order["number"]): order for order in orders}


def stored_orders(thread: "Thread") -> list[tuple[str, int, ChargeOrder]]:
    """Return (charger, time of the event, order) of every order in the store's events."""
    return [
        (row["meter"], row["time_ms"], ChargeOrder.from_details({int(k): v for k, v in row["details"].items()}))
        for row in thread.stored().values()
        if row["record"] == "event" and row["code"] == "charge_order"
    ]


def count_of_orders(thread: "Thread") -> int:
    """Return how many orders are in the store."""
    if not thread.stored_count():
        return 0
    return len(stored_orders(thread))


def assert_as_settled(order: ChargeOrder, truth: dict[str, Any]) -> None:
    """Compare an order that arrived with what its charger settled, to the last digit."""
    for name in ("start_ms", "end_ms", "energy_mwh", "start_total_mwh", "end_total_mwh", "stop_reason"):
        assert getattr(order, name) == truth[name], name
    for name in ("amount", "electricity_amount", "service_amount"):
        assert getattr(order, name) == truth[name], name
    assert order.connector == "A"
    assert [
        {name: getattr(period, name) for name in truth["periods"][number]}
        for number, period in enumerate(order.periods)
    ] == truth["periods"]


def test_orders_arrive_once_each_over_a_restart_of_the_gateway_and_an_outage_of_the_broker(
    make_thread: "Callable[[Plan, int], Thread]", mosquitto: "Broker", tmp_path: Path
) -> None:
    """And the energies are those of the chargers' registers."""
    plan = busy_night(tmp_path)
    thread = make_thread(plan, mosquitto.port)
    keep_order_logs(thread)
    thread.start_station()
    thread.start_receiver()
    thread.start_agent()
    thread.wait_until("first orders", lambda: count_of_orders(thread) > 0)
    thread.wait_simulated(plan.day_start_ms + HOUR_MS // 2)
    thread.kill(thread.agent)
    thread.wait_simulated(plan.day_start_ms + 5 * HOUR_MS // 4)  # three more charges of each charger end meanwhile
    thread.start_agent()
    thread.wait_simulated(plan.day_start_ms + 3 * HOUR_MS // 2)
    mosquitto.process.send_signal(signal.SIGKILL)
    mosquitto.process.wait(10)
    thread.wait_simulated(plan.day_start_ms + 2 * HOUR_MS)
    config = str(mosquitto.directory / "mosquitto.conf")
    with subprocess.Popen([mosquitto.process.args[0], "-c", config], stderr=subprocess.DEVNULL) as second:  # type: ignore[index]  # a list, as the fixture starts it
        try:
            thread.wait_simulated(plan.end_ms)
            thread.wait_until(
                "delivery of everything",
                lambda: thread.stored_count() >= thread.journal_summary()["next_sequence"] - 1,
            )
            thread.stop()
        finally:
            second.terminate()
            second.wait(10)
    truth = true_orders(thread, plan)
    assert Counter(charger for charger, _ in truth) == {"c01": CHARGES, "c02": CHARGES, "c03": CHARGES}
    stored = stored_orders(thread)
    assert Counter((charger, order.number) for charger, _, order in stored) == dict.fromkeys(truth, 1)
    for charger, time_ms, order in stored:
        assert time_ms == order.end_ms
        assert_as_settled(order, truth[charger, order.number])
    codes = Counter(row["code"] for row in thread.stored().values() if row["record"] == "event")
    assert codes["charge_orders_missed"] == 0
    # What was sold is what the registers counted, to the last mWh.
    for charger in ("c01", "c02", "c03"):
        sold = [order for name, _, order in stored if name == charger]
        assert sum(order.energy_mwh for order in sold) == max(order.end_total_mwh or 0 for order in sold) - min(
            order.start_total_mwh or 0 for order in sold
        )
    with closing(sqlite3.connect(f"file:{thread.database}?mode=ro", uri=True)) as store:
        kept = store.execute(
            "SELECT meter.name, number, version, energy_mwh FROM charge_order JOIN meter ON meter.id = meter"
        ).fetchall()
    assert sorted(kept) == sorted((*key, 1, order["energy_mwh"]) for key, order in truth.items())
