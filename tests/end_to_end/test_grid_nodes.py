"""104 nodes (10 plants, 80 substations, 14 users), a meter at each: collected, classified and shown per node.

What a meter registered, what its gateway signed on the wire and what the centre stored are the same number.
"""

import asyncio
import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from nodes_support import (
    FIRST_MS,
    LEAD_MS,
    MINUTE,
    OWN_GATEWAY,
    SLOT_MS,
    SLOTS,
    Network,
    gateways,
    registry,
    topology,
    utc,
    write_agents,
    write_meters,
)
from sqlalchemy import create_engine

from clock import SimulatedClock, SystemClock
from cloud_receiver.cli import main as centre_command
from cloud_receiver.grid import shelf
from cloud_receiver.grid.kept import LOAD, SOURCE, KeptSlot
from demo.processes import Programs, output_of
from diantan_core import decode_batch
from wire import topics
from wire.connection import LinkSettings, Received
from wire.envelope import KeyRing, open_envelope
from wire.keys import load_public
from wire.link import Link

pytestmark = pytest.mark.mosquitto

SPEED = 240
START_UP_S = 10.0
END_MS = SLOTS[-1] + SLOT_MS + 6 * MINUTE  # every meter was read again by then; from here on in real time
NG_PER_UG = 1000
COLUMNS = {  # in the order of the wire
    "interval": "start_ms, duration_ms, forward_mwh, reverse_mwh, forward_total_mwh, reverse_total_mwh, factor, "
    "factor_quality, carbon_forward_ug, carbon_reverse_ug, carbon_forward_total_ug, carbon_reverse_total_ug, readings, "
    "quality",
    "adjustment": "start_ms, duration_ms, forward_mwh, reverse_mwh, factor_used, factor_now, carbon_forward_ug, "
    "carbon_reverse_ug, solve_id",
}
Rows = dict[tuple[str, int], tuple[Any, ...]]
"""Records by gateway and sequence: the meter, and the values in the order of the wire."""


@dataclass
class Wire:
    """Everybody's records as they pass the broker, each signature verified, by gateway and sequence."""

    keys: KeyRing
    intervals: Rows = field(default_factory=dict)
    adjustments: Rows = field(default_factory=dict)

    def take(self, message: Received) -> None:
        batch = decode_batch(open_envelope(message.payload, message.topic, self.keys).payload)
        assert message.topic == topics.records(batch.gateway)
        names = batch.meters
        kinds: tuple[tuple[Iterable[tuple[Any, ...]], Rows], ...] = (
            (batch.interval_rows(range(len(names))), self.intervals),
            (batch.adjustment_rows(range(len(names))), self.adjustments),
        )
        for rows, found in kinds:
            for sequence, meter, *values in rows:
                row = (names[meter], *values)
                assert found.setdefault((batch.gateway, sequence), row) == row
        message.ack()


class Run:
    """Files, programs and what they left."""

    def __init__(self, directory: Path, port: int, programs: Programs) -> None:
        self.directory, self.port, self.programs = directory, port, programs
        self.config = str(directory / "receiver.toml")

    def command(self, *arguments: str) -> None:
        assert centre_command([*arguments]) == 0

    def write(self) -> None:
        """Describe meters, centre, grid and telemetry, and enrol the gateways."""
        for name in ("centre", *gateways()):
            self.command("key", "new", str(self.directory / f"{name}.key"))
        write_meters(self.directory)
        (self.directory / "registry.toml").write_text("".join(registry()))
        (self.directory / "receiver.toml").write_text(
            '[centre]\ndata_dir = "centre"\nkey_file = "centre.key"\n[broker]\nhost = "127.0.0.1"\n'
            f"port = {self.port}\n[grid]\nwait_s = 600\n"
        )
        (self.directory / "grid.json").write_text(json.dumps(topology()))
        telemetry = [Network(slot).telemetry() for slot in range(len(SLOTS))]
        (self.directory / "telemetry.json").write_text(json.dumps(telemetry))
        of = ("--config", self.config)
        for gateway, (station, _, _) in gateways().items():
            self.command(
                *("gateway", "add", gateway, str(self.directory / f"{gateway}.key.pub"), "--station", station), *of
            )
        self.command("grid", "import", str(self.directory / "grid.json"), "--valid-from", utc(FIRST_MS), *of)
        self.command("grid", "import", "--series", str(self.directory / "telemetry.json"), *of)

    @property
    def store(self) -> Path:
        return self.directory / "centre" / "receiver.sqlite"

    def solved(self) -> list[KeptSlot]:
        """Return the newest versions of the slots in which nothing is missing."""
        engine = create_engine(f"sqlite:///file:{self.store}?mode=ro&uri=true")
        try:
            with engine.connect() as connection:
                kept = list(shelf.slots(connection, SLOTS[0], SLOTS[-1] + SLOT_MS))
        finally:
            engine.dispose()
        return [
            slot
            for slot in kept
            if not any(
                map(isnan, (*slot.measured.flows, *slot.measured.sources[::SOURCE], *slot.measured.loads[::LOAD]))
            )
        ]

    def stored(self, table: str) -> Rows:
        """Return the store's rows as the wire has them."""
        values = COLUMNS[table]
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as store:
            meters = {
                number: (gateway, name)
                for number, gateway, name in store.execute("SELECT id, gateway, name FROM meter")
            }
            found = {}
            for sequence, number, *row in store.execute(f"SELECT sequence, meter, {values} FROM {table}"):
                gateway, name = meters[number]
                assert (gateway, sequence) not in found
                found[gateway, sequence] = (name, *row)
        return found


@pytest.fixture
def run(tmp_path: Path, mosquitto: Any) -> Iterator[Run]:
    """Prepare everything; the programs end with the test."""
    with Programs(tmp_path) as programs:
        prepared = Run(tmp_path, mosquitto.port, programs)
        prepared.write()
        yield prepared


def start(run: Run) -> SimulatedClock:
    """Start the meters, the centre and the gateways."""
    clock = SimulatedClock(FIRST_MS - LEAD_MS, SPEED, time.monotonic_ns() // 1_000_000 + int(START_UP_S * 1000), END_MS)
    arguments = ("--clock", clock.spec())
    ready = run.directory / "ready.json"
    run.programs.start(
        *("meters", "diantan-sim", "grid", str(run.directory / "meters.toml")), *arguments, "--ready-file", str(ready)
    )
    run.programs.start("receiver", "diantan-receiver", "run", "--config", run.config, *arguments)
    run.programs.wait_until("the meters listen", ready.exists)
    write_agents(run.directory, run.port)
    for gateway in gateways():
        config = str(run.directory / gateway / "agent.toml")
        run.programs.start(gateway, "diantan-agent", "run", "--config", config, *arguments)
    return clock


def slot_of(rows: Iterable[tuple[Any, ...]], start_ms: int) -> dict[str, tuple[Any, ...]]:
    """Return each meter's record of a slot; a second one would be a mistake."""
    found: dict[str, tuple[Any, ...]] = {}
    for row in rows:
        if row[1] == start_ms:
            assert found.setdefault(row[0], row) is row
    return found


def settled_ug(intervals: Rows, adjustments: Rows, node: str, start_ms: int) -> int:
    """Return the carbon of a meter's slot with its adjustments."""
    used = [int(row[9]) for row in intervals.values() if row[:2] == (node, start_ms)]
    return sum(used) + sum(int(row[7]) for row in adjustments.values() if row[:2] == (node, start_ms))


def rounded(factor: Fraction) -> int:
    """Return a factor as it is dispatched: whole mg/kWh, rounded half to even."""
    return round(factor * 10**6)


def expected_ug(node: str, slot: int) -> int:
    """Return energy times the dispatched factor: mWh and mg/kWh."""
    network = Network(slot)
    return network.metered()[node] * 1000 // 12 * rounded(network.factors()[node]) // 1000


def is_complete(run: Run) -> bool:
    """Return whether all is stored, solved with all of it, and adjusted at the users' gateways."""
    if not run.store.exists():
        return False
    intervals = run.stored("interval")
    if any(len(slot_of(intervals.values(), start_ms)) != 104 for start_ms in SLOTS) or len(run.solved()) != len(SLOTS):
        return False
    adjustments = run.stored("adjustment")
    return all(
        settled_ug(intervals, adjustments, f"U{j:02}", start_ms) == expected_ug(f"U{j:02}", slot)
        for j in OWN_GATEWAY
        for slot, start_ms in enumerate(SLOTS)
    )


async def watch(run: Run) -> Wire:
    """Listen to the broker as anybody may, until everything has gone its way."""
    keys = KeyRing()
    for gateway in gateways():
        keys.add(load_public(run.directory / f"{gateway}.key.pub"), gateway)
    wire = Wire(keys)
    link = Link(LinkSettings("127.0.0.1", run.port, "test"), SystemClock(), on_message=wire.take)
    link.subscribe(topics.ALL_RECORDS, 1)
    await link.start()
    try:
        await link.wait_connected()
        clock = start(run)
        while clock.now_ms() < SLOTS[-1] + SLOT_MS or not is_complete(run):
            run.programs.check()
            await asyncio.sleep(0.25)
    finally:
        await link.stop()
    return wire


def truth(run: Run, start_ms: int) -> dict[str, dict[str, Any]]:
    """Return what the simulated meters really registered in a slot."""
    arguments = ("grid-truth", str(run.directory / "meters.toml"), "--json", "--from", utc(start_ms))
    found = json.loads(output_of("diantan-sim", *arguments, "--to", utc(start_ms + SLOT_MS)))
    return {meter["id"]: meter for meter in found["meters"]}


@pytest.mark.timeout(600)  # seven processes on the cores that other tests use, too
def test_the_same_number_at_the_meter_on_the_wire_and_in_the_store(run: Run) -> None:
    """For each of 104 nodes; and its factor is shown, with its class, and is what its users meter with."""
    wire = asyncio.run(watch(run))
    stored = run.stored("interval")
    assert all(stored[key] == row for key, row in wire.intervals.items() if key in stored)
    adjustments = run.stored("adjustment")
    assert all(adjustments[key] == row for key, row in wire.adjustments.items() if key in adjustments)
    for slot, start_ms in enumerate(SLOTS):
        network, true = Network(slot), truth(run, start_ms)
        told, kept = slot_of(wire.intervals.values(), start_ms), slot_of(stored.values(), start_ms)
        assert set(true) == set(told) == set(kept) == set(network.metered())
        assert len(true) == 104
        for node, meter in true.items():
            energy = network.metered()[node] * 1000 // 12  # W for five minutes, in mWh
            assert (meter["registered_forward_mwh"], meter["registered_reverse_mwh"]) == (energy, 0)
            assert told[node] == kept[node]
            assert told[node][1:5] == (start_ms, SLOT_MS, energy, 0), node
            if node.startswith("P"):
                emitted_ng = energy * Network.factor(int(node[1:])) * 10**6
                assert told[node][9] * NG_PER_UG == meter["emission_ng"] == emitted_ng
        assert_shown(run, slot)
    for j in OWN_GATEWAY:
        assert any(row[0] == f"U{j:02}" for row in wire.adjustments.values())


def assert_shown(run: Run, slot: int) -> None:
    """Check a slot's factors in what the centre's commands print: each node, its class, and what was dispatched."""
    at = ("--slot", utc(SLOTS[slot]), "--config", run.config, "--json")
    shown = json.loads(output_of("diantan-receiver", "grid", "show", *at))["factors"]
    listed = json.loads(output_of("diantan-receiver", "grid", "history", *at))["rows"]
    expected = {node: f"{Decimal(rounded(factor)).scaleb(-6):f}" for node, factor in Network(slot).factors().items()}
    for rows in (shown, listed):
        assert Counter(row["kind"] for row in rows) == {"plant": 10, "substation": 80, "load": 14}
        assert {row["node"]: row["factor_kg_per_kwh"] for row in rows} == expected
        assert {(row["origin"], row["quality"]) for row in rows} == {("solved", "defined")}
    classes = json.loads(output_of("diantan-receiver", "grid", "history", "--classes", *at))["rows"]
    assert {row["kind"]: row["nodes"] for row in classes} == {"plant": 10, "substation": 80, "load": 14}
