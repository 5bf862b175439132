"""A province's centre and a city's: two receivers, each with its broker and store, that check each other's boundary.

Real processes and real Mosquittos; the gateways on both sides are made here, since what they meter is not in question.
"""

import asyncio
import contextlib
import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from clock import SimulatedClock, SystemClock
from cloud_receiver.cli import main as centre_command
from cloud_receiver.grid import findings
from demo.processes import Program, Programs, free_port, listens, output_of
from wire import topics
from wire.batch import RecordBatchMessage, encode_batch
from wire.connection import LinkSettings, Received
from wire.envelope import KeyRing, Signer, open_envelope
from wire.keys import load_private, load_public
from wire.levels import Statement
from wire.link import Link
from wire.messages import Factors, Origin
from wire.records import ClockState, FactorQuality, IntervalRecord, Quality

pytestmark = pytest.mark.mosquitto

SPEED = 600
SLOT_MS = 900_000
DAY_MS = 1_782_835_200_000  # 2026-07-01T00:00:00+08:00
DAY = "2026-07-01"
OFFICIAL = 530_600  # mg/kWh: stands in until the province has spoken
FIRST_S = 6.0
GRIDS = {
    "province": {
        "bus": ["P1", "N7"],
        "branch": [["L1", "P1", "N7", None, None]],
        "gen": [["G1", "P1", None, None]],
        "load_columns": ["id", "bus", "p_mw"],
        "load": [["city", "N7", None]],
    },
    "city": {
        "bus": ["b", "T"],
        "branch": [["C1", "b", "T", None, None]],
        "gen": [["province", "b", None, None]],
        "load_columns": ["id", "bus", "p_mw"],
        "load": [["town", "T", None]],
    },
}
METERS = {
    "province": {"unit": ("generation", "generator G1"), "tie": ("flow", "load city")},
    "city": {"tie": ("generation", "generator province"), "town": ("flow", "load town")},
}
NODES = {"province": "N7", "city": "T"}
PARTNERS = {
    "province": '[[child]]\ncentre = "city"\nnode = "N7"\nload = "city"\nkey_file = "../city/centre.key.pub"\n',
    "city": '[parent]\ncentre = "province"\nnode = "N7"\nsource = "province"\nkey_file = "../province/centre.key.pub"\n'
    '[parent.broker]\nport = {port}\nclient_id = "city"\n',
}


@dataclass
class Centre:
    """A receiver, its broker, and the gateway that sends it its meters' records."""

    name: str
    directory: Path
    port: int
    clock: SimulatedClock
    programs: Programs
    program: Program | None = None
    starts: int = 0
    sent: int = 0
    factors: list[Factors] = field(default_factory=list)
    link: Link | None = None

    @property
    def config(self) -> str:
        return str(self.directory / "receiver.toml")

    def start(self) -> None:
        """Start the receiver (again)."""
        self.starts += 1
        arguments = ("run", "--config", self.config, "--clock", self.clock.spec())
        self.program = self.programs.start(f"{self.name}-{self.starts}", "diantan-receiver", *arguments)

    def kill(self) -> None:
        """End the receiver as a power cut would."""
        assert self.program is not None
        self.program.process.send_signal(signal.SIGKILL)
        self.program.process.wait(10)
        self.programs.running.remove(self.program)

    @property
    def store(self) -> Path:
        return self.directory / "data" / "receiver.sqlite"

    @contextlib.asynccontextmanager
    async def gateway(self) -> AsyncIterator[None]:
        """Connect a gateway: it sends records, and hears the factors of the node that it meters at."""
        ring = KeyRing()
        ring.add(load_public(self.directory / "centre.key.pub"), self.name)

        def take(message: Received) -> None:
            self.factors.append(Factors.decode(open_envelope(message.payload, message.topic, ring).payload))
            message.ack()

        self.link = Link(LinkSettings("127.0.0.1", self.port, "gw"), SystemClock(), on_message=take)
        self.link.subscribe(topics.factor(NODES[self.name]), 1)
        await self.link.start()
        try:
            await self.link.wait_connected()
            yield
        finally:
            await self.link.stop()

    async def send(self, slot: int, factor: int = 0, **megawatts: float) -> None:
        """Send what the meters recorded of a slot; `factor` (mg/kWh) is that of the generating unit."""
        records = []
        for meter, power in megawatts.items():
            energy = round(power * 250_000_000)
            # A unit has its emission register; a meter at the boundary counts with what the gateway has.
            quality = FactorQuality.UNDEFINED if meter == "unit" else FactorQuality.HELD
            carbon = energy * (factor if meter == "unit" else OFFICIAL) // 1000
            totals = energy * (slot + 1), carbon * (slot + 1)
            used = None if meter == "unit" else OFFICIAL
            values = (energy, 0, totals[0], 0, used, quality, carbon, 0, totals[1], 0, 15, Quality.MEASURED)
            records.append(IntervalRecord(meter, DAY_MS + slot * SLOT_MS, SLOT_MS, *values))
        batch = RecordBatchMessage("gw", b"journal1", self.sent + 1, DAY_MS, ClockState.SYNCHRONISED, records)
        self.sent += len(records)
        topic = topics.records("gw")
        assert self.link is not None
        signer = Signer(load_private(self.directory / "gw.key"))
        await self.link.publish(topic, signer.sign(encode_batch(batch), topic), 1)

    def told(self, slot: int) -> tuple[int | None, Origin] | None:
        """Return the factor of a slot that was dispatched last, and where it is from."""
        found = None
        for message in sorted(self.factors, key=lambda message: message.issued_ms):
            place = (DAY_MS + slot * SLOT_MS - message.first_start_ms) // SLOT_MS
            if 0 <= place < len(message.factors):
                found = message.factors[place], message.origin_of(place)
        return found

    def found(self) -> dict[str, str]:
        """Return the open findings about the boundary: kind and subject."""
        engine = create_engine(f"sqlite:///file:{self.store}?mode=ro&uri=true")
        try:
            with engine.connect() as connection:
                listed = findings.listed(connection)
        finally:
            engine.dispose()
        return {item.kind: item.subject for item in listed if item.kind.startswith("level_")}

    def boundary(self) -> dict[str, Any]:
        """Return what the centre's command says of the boundary's day."""
        arguments = ("levels", "--day", DAY, "--json", "--config", self.config, "--clock", self.clock.spec())
        (row,) = json.loads(output_of("diantan-receiver", *arguments))
        return dict(row)


@pytest.fixture
def city_port(mosquitto: Any) -> Iterator[int]:
    """Start a second Mosquitto, the city's own."""
    port = free_port()
    config = mosquitto.directory / "city.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\n")
    with subprocess.Popen([mosquitto.process.args[0], "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 10
        while not listens(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
        yield port
        process.terminate()


@pytest.fixture
def centres(tmp_path: Path, mosquitto: Any, city_port: int) -> Iterator[tuple[Centre, Centre]]:
    """Prepare province and city, with grids, registries, keys and one gateway each."""
    anchor_ms = time.monotonic_ns() // 1_000_000 + int(FIRST_S * 1000)
    clock = SimulatedClock(DAY_MS + SLOT_MS + 1000, SPEED, anchor_ms)
    ports = {"province": mosquitto.port, "city": city_port}
    with Programs(tmp_path) as programs:
        made = [Centre(name, tmp_path / name, port, clock, programs) for name, port in ports.items()]
        for centre in made:
            centre.directory.mkdir()
            for name in ("centre", "gw"):
                assert centre_command(["key", "new", str(centre.directory / f"{name}.key")]) == 0
        for centre in made:
            write(centre, PARTNERS[centre.name].format(port=ports["province"]))
        yield made[0], made[1]


def write(centre: Centre, partner: str) -> None:
    """Write a centre's files, enrol its gateway and enter its grid."""
    meters = "".join(
        f'[[station.meter]]\nid = "{name}"\nrole = "{role}"\ngateway = "gw"\nrated_kw = 200_000\n'
        f'accuracy_class = "0.5"\nresolution_kwh = "1"\nmeasures = "{measures}"\n'
        for name, (role, measures) in METERS[centre.name].items()
    )
    (centre.directory / "registry.toml").write_text(f'[[station]]\nid = "S1"\nnode = "{NODES[centre.name]}"\n{meters}')
    (centre.directory / "receiver.toml").write_text(
        f'[centre]\nname = "{centre.name}"\nkey_file = "centre.key"\ndata_dir = "data"\n'
        f"[broker]\nport = {centre.port}\n[grid]\nhold_slots = 0\n{partner}"
    )
    (centre.directory / "grid.json").write_text(json.dumps(GRIDS[centre.name]))
    key = str(centre.directory / "gw.key.pub")
    for arguments in (
        ("gateway", "add", "gw", key, "--station", "S1"),
        ("grid", "import", str(centre.directory / "grid.json"), "--valid-from", f"{DAY}T00:00+08:00"),
    ):
        assert centre_command([*arguments, "--config", centre.config]) == 0


async def until(centres: tuple[Centre, Centre], condition: Callable[[], bool]) -> None:
    """Wait for something while both receivers live; pytest's time limit ends a wait in vain."""
    while True:
        if condition():
            return
        centres[0].programs.check()
        await asyncio.sleep(0.05)


def test_two_centres_check_each_other(centres: tuple[Centre, Centre]) -> None:
    """Factors go down, sums go up, a killed child catches up, and a meter that is 10 % off is found on both sides."""
    province, city = centres

    async def scenario() -> None:
        async with province.gateway(), city.gateway():
            province.start()
            city.start()
            # Both receivers' sessions must stand before anything is sent: their first fallbacks show that they do.
            await until(centres, lambda: bool(province.factors and city.factors))
            await city.send(0, tie=98, town=97)
            # The city knows its energy and not yet the province's factor: an official one stands in.
            await until(centres, lambda: city.told(0) == (OFFICIAL, Origin.OFFICIAL))
            await province.send(0, 800_000, unit=100, tie=98)
            await until(centres, lambda: province.told(0) == (800_000, Origin.SOLVED))
            await until(centres, lambda: city.told(0) == (800_000, Origin.SOLVED))

            city.kill()
            await province.send(1, 500_000, unit=100, tie=98)
            await city.send(1, tie=98, town=97)  # its broker keeps this for it
            await until(centres, lambda: province.told(1) == (500_000, Origin.SOLVED))
            city.start()
            await until(centres, lambda: city.told(1) == (500_000, Origin.SOLVED))
            await until(centres, lambda: all(agree(centre, 2) for centre in centres))

            await until(centres, lambda: city.clock.now_ms() >= DAY_MS + 3 * SLOT_MS)
            await province.send(2, 600_000, unit=100, tie=98)
            await city.send(2, tie=98 * 1.1, town=97 * 1.1)
            await until(centres, lambda: city.told(2) == (600_000, Origin.SOLVED))
            expected = {"level_energy", "level_day", "level_carbon"}
            await until(centres, lambda: all(expected <= centre.found().keys() for centre in centres))

    asyncio.run(scenario())
    for centre, other in ((province, city), (city, province)):
        assert set(centre.found().values()) == {f"centre {other.name}"}
        assert_sums(centre, other)
        sums = [totals for statement in heard(centre, other) for totals in statement.totals or () if totals]
        assert sums, f"{other.name} told nothing of its own books"


def agree(centre: Centre, slots: int) -> bool:
    """Return whether so many slots were compared and nothing was found."""
    if centre.found():
        return False
    row = centre.boundary()
    return int(row["slots"]["compared"]) == slots


def assert_sums(centre: Centre, other: Centre) -> None:
    """Check the day's sums: energy in kWh, carbon in kg, of both sides, three slots of which one disagrees."""
    row = centre.boundary()
    ours, theirs = row["compared"]["ours"], row["compared"]["theirs"]
    told = {centre.name: ours, other.name: theirs}
    assert row["slots"] == {"ours": 3, "theirs": 3, "compared": 3}
    assert row["not_confirmed"] == 0
    for name, last_kwh in (("province", 24_500), ("city", 26_950)):
        assert float(told[name]["forward_kwh"]) == 2 * 24_500 + last_kwh
        assert float(told[name]["carbon_forward_kg"]) == 24_500 * 0.8 + 24_500 * 0.5 + last_kwh * 0.6


def heard(listener: Centre, speaker: Centre) -> list[Statement]:
    """Return all that the listener's store has of the speaker's words, each signature verified."""
    ring = KeyRing()
    ring.add(load_public(speaker.directory / "centre.key.pub"), speaker.name)
    with contextlib.closing(sqlite3.connect(f"file:{listener.store}?mode=ro", uri=True)) as store:
        rows = store.execute("SELECT topic, envelope FROM level_message WHERE centre = ? AND side = 1", (speaker.name,))
        return [Statement.decode(open_envelope(envelope, topic, ring).payload) for topic, envelope in rows]
