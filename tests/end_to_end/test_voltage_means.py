"""Voltage means (电压均值): they reach the centre by quarter of an hour, and agree with the energies."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo import plan as demo_plan
from demo.plan import Plan
from wire.voltage_means import QUARTER_MS, VoltageBlock

if TYPE_CHECKING:
    from conftest import Broker, Thread

pytestmark = [pytest.mark.mosquitto]

CHARGERS = 2
PHASES = 3  # of each meter of the demo; a charger's are told one by one like the master's
SUPPLY_MV = 220_000
HOUR_MWH = 1_000_000  # 1 kWh


def evening(tmp_path: Path) -> Plan:
    """Plan charges around a midnight, where six hours of local time end."""
    sessions = tmp_path / "sessions.csv"
    rows = [
        f"2026-03-01 00:0{number}:00+08:00,2026-03-01 01:30:00+08:00,60,{6 + number},CA-{number},s{number}\n"
        for number in range(CHARGERS)
    ]
    sessions.write_text(
        "arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id,session_id\n" + "".join(rows)
    )
    return demo_plan.from_sessions(sessions, None, chargers=CHARGERS, hours=7, seed=7)


def blocks(thread: "Thread") -> dict[tuple[str, int], VoltageBlock]:
    """Return what the store has, by meter and time of the event."""
    if not thread.stored_count():
        return {}
    return {
        (row["meter"], row["time_ms"]): VoltageBlock.from_details({int(k): v for k, v in row["details"].items()})
        for row in thread.stored().values()
        if row["record"] == "event" and row["code"] == "voltage_means"
    }


def test_means_arrive_every_six_hours_and_agree_with_the_energies(
    make_thread: "Callable[[Plan, int], Thread]", mosquitto: "Broker", tmp_path: Path
) -> None:
    plan = evening(tmp_path)
    thread = make_thread(plan, mosquitto.port)
    thread.start_station()
    thread.start_receiver()
    thread.start_agent()
    meters = {"grid", *(f"c{number:02}" for number in range(1, CHARGERS + 1))}
    morning_ms = plan.day_start_ms + 24 * QUARTER_MS
    thread.wait_simulated(morning_ms)
    thread.wait_until(
        "means of six hours", lambda: {meter for meter, time in blocks(thread) if time == morning_ms} >= meters
    )
    thread.stop()
    found = blocks(thread)
    assert (
        found.items()
        == {
            (row["meter"], row["time_ms"]): VoltageBlock.from_details({int(k): v for k, v in row["details"].items()})
            for row in thread.journal().values()
            if row.get("code") == "voltage_means"
        }.items()
    )
    energies = {
        (row["meter"], row["start_ms"]): row["forward_mwh"] - row["reverse_mwh"]
        for row in thread.stored().values()
        if row["record"] == "interval" and row["duration_ms"] == QUARTER_MS
    }
    compared = 0
    for (meter, time_ms), block in found.items():
        assert block.end_ms == time_ms
        for number, mean in enumerate(block.means):
            if mean is None:
                continue
            assert len(mean.voltages_mv) == PHASES
            assert all(abs(voltage - SUPPLY_MV) <= SUPPLY_MV // 10 for voltage in mean.voltages_mv)
            energy = energies.get((meter, block.start_ms + number * QUARTER_MS))
            if energy is not None and energy > HOUR_MWH:
                # Polls every minute, at 720 times real time: a stall moves some of them.
                assert abs(mean.power_mw / 4 - energy) < energy / 4
                compared += 1
    assert compared >= 2 * CHARGERS
