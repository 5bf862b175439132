"""A power plant's gateway: the same emission at the register, in the record and in the store."""

import csv
import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clock import SimulatedClock
from demo import plan as demo_plan
from demo.files import GATEWAY, NODE, STATION
from demo.plan import HOUR_MS, Plan
from demo.processes import output_of
from wire.domain import EMISSION_END_UG

if TYPE_CHECKING:
    from conftest import Broker, Thread

SPEED = 720
pytestmark = [pytest.mark.mosquitto]

NG_PER_MG, UG_PER_KG = 10**6, 10**9
QUIET_MS = 5 * HOUR_MS // 4  # after midnight: from then on nothing flows
START_UP_S = 8.0
# Two coal-fired units, one behind a serial server and one on Modbus TCP whose register is near its end; a gas turbine
# whose factor is known; and a load, which meters with the factors that the centre dispatches.
GRID = """
[grid]
id = "plant"
start = {start}

[[line]]
name = "bus"
transport = "tcp"

[[unit]]
id = "coal-1"
line = "bus"
unit = 11
file = "powers.csv"
power_unit = "MW"
fuel_factor = "0.78"
no_load_kg_per_h = 30_000
initial_emission_kg = 38_125_000_000
[[unit]]
id = "coal-2"
file = "powers.csv"
power_unit = "MW"
fuel_factor = "0.913467"
initial_emission_kg = 39_999_750_000
emission_rollover_kg = 40_000_000_000
[[unit]]
id = "gas-1"
file = "powers.csv"
power_unit = "MW"
fuel_factor = 0
[[load]]
id = "town"
file = "powers.csv"
power_unit = "MW"
"""
KEYS = {
    "coal-1": 'role = "generation"\nrated_kw = 600_000',
    "coal-2": 'role = "generation"\nrated_kw = 350_000\nemission_rollover_kg = 40_000_000_000',
    "gas-1": 'role = "generation"\nrated_kw = 120_000\nemission_factor = "0.3921"',
    "town": 'role = "flow"\nrated_kw = 200_000',
}
MEGAWATTS = {"coal-1": (0, 600, 300, 555, 0), "coal-2": (0, 350, 349, 170, 0), "gas-1": (0, 0, 110, 120, 0)}


def write_files(thread: "Thread", plan: Plan) -> Path:
    """Describe plant and centre; nothing flows at the end, so that no delay matters."""
    directory = thread.files.directory
    hours = [-0.5, -0.25, 0.25, 0.75, QUIET_MS / HOUR_MS]
    times = [datetime.fromtimestamp((plan.day_start_ms + hour * HOUR_MS) / 1000, plan.zone) for hour in hours]
    with (directory / "powers.csv").open("w", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["time", *MEGAWATTS, "town"])
        for row, moment in enumerate(times):
            writer.writerow([moment.isoformat(), *(powers[row] for powers in MEGAWATTS.values()), 10 * row % 40])
    start = datetime.fromtimestamp(plan.origin_ms / 1000, plan.zone).isoformat()
    path = directory / "grid.toml"
    path.write_text(GRID.format(start=start))
    roles = {name: ("flow", "load") if name == "town" else ("generation", "generator") for name in KEYS}
    meters = [
        f'[[station.meter]]\nid = "{name}"\nrole = "{role}"\ngateway = "{GATEWAY}"\nrated_kw = 600_000\n'
        f'measures = "{element} {name}"\n'
        for name, (role, element) in roles.items()
    ]
    (directory / "registry.toml").write_text(
        f'[[station]]\nid = "{STATION}"\nname = "Power plant 电厂"\ntimezone = "{plan.timezone}"\nnode = "{NODE}"\n'
        f"since = {datetime.fromtimestamp(plan.day_start_ms / 1000, plan.zone).isoformat()}\n" + "".join(meters)
    )
    return path


def start_plant(thread: "Thread", grid: Path) -> None:
    """Serve the meters, and configure the gateway for them; the time begins anew, when all programs have started."""
    anchor_ms = time.monotonic_ns() // 1_000_000 + int(max(START_UP_S, thread.start_up_s) * 1000)
    thread.clock = SimulatedClock(thread.plan.origin_ms, SPEED, anchor_ms, thread.plan.end_ms)
    arguments = ("--clock", thread.clock.spec(), "--ready-file", str(thread.files.ready))
    thread.programs.start("plant", "diantan-sim", "grid", str(grid), *arguments)
    thread.programs.wait_until("the plant listens", thread.files.ready.exists)
    served = json.loads(thread.files.ready.read_text())["meters"]
    (thread.files.directory / "gateway").mkdir(exist_ok=True)
    head = (
        f'[gateway]\nid = "{GATEWAY}"\nstation = "{STATION}"\ndata_dir = "gateway"\n'
        f'key_file = "{thread.files.gateway_key.name}"\n[centre]\nkey_file = "{thread.files.centre_key.name}.pub"\n'
        f'[broker]\nhost = "127.0.0.1"\nport = {thread.broker_port}\n[factor]\nnode = "{NODE}"\n'
    )
    lines = [head]
    for line in dict.fromkeys(meter["line"] for meter in served):
        members = [meter for meter in served if meter["line"] == line]
        lines.append(
            f'[[line]]\nname = "{line}"\ntransport = "{members[0]["transport"]}"\nhost = "127.0.0.1"\n'
            f"port = {members[0]['port']}\n"
        )
        lines += [
            f'[[line.meter]]\nid = "{meter["id"]}"\nunit = {meter["unit"]}\nprofile = "{meter["profile"]}"\n'
            f"{KEYS[meter['id']]}\n"
            for meter in members
        ]
    thread.files.agent.write_text("\n".join(lines))


def register(thread: "Thread", meter: str, point: str) -> int:
    """Return what stands in a register, as a person at the gateway reads it."""
    arguments = ("read", meter, point, "--config", str(thread.files.agent), "--json")
    (found,) = json.loads(output_of("diantan-agent", *arguments))
    return int(found["value"])


def truth(thread: "Thread", grid: Path, plan: Plan) -> dict[str, dict[str, int]]:
    """Return what the simulated plant really emitted in the whole run."""
    times = [datetime.fromtimestamp(ms / 1000, plan.zone).isoformat() for ms in (plan.origin_ms, plan.end_ms)]
    found = json.loads(
        output_of("diantan-sim", "grid-truth", str(grid), "--from", times[0], "--to", times[1], "--json")
    )
    return {meter["id"]: meter for meter in found["meters"]}


def of(rows: dict[int, dict[str, Any]], record: str, meter: str) -> list[dict[str, Any]]:
    """Return a meter's records of a kind in their order."""
    return [row for _, row in sorted(rows.items()) if row["record"] == record and row["meter"] == meter]


def test_the_same_emission_at_the_register_in_the_record_and_in_the_store(
    make_thread: "Callable[[Plan, int], Thread]", mosquitto: "Broker"
) -> None:
    """To the mg, over a gateway that is killed, a register that starts again from 0, and a midnight."""
    plan = demo_plan.generated(chargers=1, hours=2, seed=1)
    thread = make_thread(plan, mosquitto.port)
    grid = write_files(thread, plan)
    start_plant(thread, grid)
    thread.start_receiver()
    thread.start_agent()
    thread.wait_simulated(plan.day_start_ms + HOUR_MS // 3)
    thread.kill(thread.agent)
    thread.wait_simulated(plan.day_start_ms + 2 * HOUR_MS // 3)
    thread.start_agent()
    thread.wait_simulated(plan.end_ms)
    thread.wait_until("the last interval", lambda: thread.stored_count() > 0 and _is_over(thread, plan))
    thread.stop()
    registers = {meter: register(thread, meter, "carbon_forward") for meter in ("coal-1", "coal-2")}

    journal, stored = thread.journal(), thread.stored()
    assert stored == journal
    assert thread.proved() >= set(journal)
    true = truth(thread, grid, plan)
    initial_kg = {"coal-1": 38_125_000_000, "coal-2": 39_999_750_000}
    for meter, beginning_kg in initial_kg.items():
        emission_mg = true[meter]["emission_ng"] // NG_PER_MG
        # At the register
        register_mg = (beginning_kg * 10**6 + emission_mg) % (40 * 10**15)
        assert registers[meter] == register_mg * NG_PER_MG
        # In the records of the store
        intervals = of(stored, "interval", meter)
        first, last = intervals[0], intervals[-1]
        emitted_ug = sum(row["carbon_forward_ug"] for row in intervals)
        before_ug = first["carbon_forward_total_ug"] - first["carbon_forward_ug"]
        assert (last["carbon_forward_total_ug"] - before_ug) % EMISSION_END_UG == emitted_ug
        assert emitted_ug > 10**5 * UG_PER_KG  # more than 100 t: the test would be empty
        assert (
            intervals[-1]["carbon_forward_total_ug"]
            == (beginning_kg * UG_PER_KG + emission_mg * 1000) % EMISSION_END_UG
        )
        assert {(row["factor"], row["factor_quality"]) for row in intervals} == {(None, "undefined")}
        assert not of(stored, "adjustment", meter)
        # At midnight
        (freeze,) = [row for row in of(stored, "freeze", meter) if row["source"] != "meter"]
        before = [row for row in intervals if row["start_ms"] < plan.day_start_ms]
        assert freeze["time_ms"] == plan.day_start_ms
        assert freeze["carbon_forward_total_ug"] == before[-1]["carbon_forward_total_ug"]
    for meter, each in true.items():
        intervals = of(stored, "interval", meter)
        assert intervals[-1]["forward_total_mwh"] == each["registered_forward_mwh"] > 10**10, meter
    (rollover,) = of(stored, "event", "coal-2")
    assert (rollover["code"], rollover["details"]["3"]) == ("rollover", 3)
    # The centre's own words
    report = thread.report()
    assert {meter["meter"]: meter["role"] for meter in report["meters"]} == {
        **dict.fromkeys(("coal-1", "coal-2", "gas-1"), "generation"),
        "town": "flow",
    }
    of_units = {item["kind"] for item in report["findings"] if item["meter"] in {"coal-1", "coal-2", "gas-1"}}
    assert of_units <= {"missing_intervals"}


def _is_over(thread: "Thread", plan: Plan) -> bool:
    """Return whether the centre has all there is, and of every meter an interval that ended when nothing flowed."""
    over = {
        row["meter"]
        for row in thread.stored().values()
        if row["record"] == "interval" and row["start_ms"] >= plan.day_start_ms + QUIET_MS
    }
    return over >= set(KEYS) and thread.stored_count() >= thread.journal_summary()["next_sequence"] - 1


def test_a_unit_with_a_known_factor_and_a_load_with_the_dispatched_one(
    make_thread: "Callable[[Plan, int], Thread]", mosquitto: "Broker"
) -> None:
    """Each its own; the late factors of the node change the load's records alone."""
    plan = demo_plan.generated(chargers=1, hours=3, seed=1)  # long enough that a slow centre is in time for the last
    thread = make_thread(plan, mosquitto.port)
    grid = write_files(thread, plan)
    start_plant(thread, grid)
    thread.start_agent()
    thread.wait_simulated(plan.day_start_ms)
    thread.start_receiver()  # so late that the first factors are
    thread.wait_simulated(plan.end_ms)
    thread.wait_until("the last interval", lambda: thread.stored_count() > 0 and _is_over(thread, plan))
    thread.stop()
    stored = thread.stored()
    gas = of(stored, "interval", "gas-1")
    assert {(row["factor"], row["factor_quality"]) for row in gas} == {(392_100, "default")}
    assert sum(row["carbon_forward_ug"] for row in gas) == sum(row["forward_mwh"] for row in gas) * 392_100 // 1000 > 0
    assert {row["meter"] for row in stored.values() if row["record"] == "adjustment"} == {"town"}
    assert {row["factor_quality"] for row in of(stored, "interval", "town")} >= {"undefined", "dispatched"}
    assert "factor_missing" not in {row["code"] for row in stored.values() if row["record"] == "event"}
