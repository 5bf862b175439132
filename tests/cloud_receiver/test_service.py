"""The receiver as a process, behind a real Mosquitto, with a gateway played by the test."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from key_support import BOTH_ALGORITHMS
from metrics_support import free_port, scrape
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, interval, stored_sequences, until
from sqlalchemy import Engine, select

from clock import SystemClock
from cloud_receiver import database
from cloud_receiver.cli import main
from cloud_receiver.schema import quarantine
from wire import keys, topics
from wire.envelope import KeyRing, Signer, open_envelope
from wire.link import Link, LinkSettings, Received
from wire.messages import Acknowledgement, Factors, Status, StatusState
from wire.records import ClockState

pytestmark = [pytest.mark.mosquitto, *BOTH_ALGORITHMS]

RECEIVER_TOML = """
registry = "registry.toml"
[centre]
key_file = "centre.key"
data_dir = "data"
[broker]
host = "{host}"
port = {port}
client_id = "{client}"
{group}
[dispatch]
schedule = "factors.csv"
"""

REGISTRY_TOML = """
[[station]]
id = "S1"
node = "node1"
[[station.meter]]
id = "C01"
role = "charger"
gateway = "gw1"
rated_kw = 60
[[station.meter]]
id = "G"
role = "grid"
gateway = "gw1"
rated_kw = 400
"""

# The process kills itself where the crash is wanted: after the commit, before any acknowledgement.
CRASHING = """
import os, signal, sys
from cloud_receiver import cli, intake
intake.Intake._acknowledge = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.exit(cli.main(sys.argv[1:]))
"""


@dataclass
class Centre:
    """A receiver's directory, and the processes started in it."""

    directory: Path
    broker: Any
    gateway: FakeGateway
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def config(self, client: str = "receiver", group: str = "") -> Path:
        path = self.directory / f"{client}.toml"
        path.write_text(RECEIVER_TOML.format(host=self.broker.host, port=self.broker.port, client=client, group=group))
        return path

    def start(self, config: Path, program: list[str] | None = None) -> subprocess.Popen[bytes]:
        # Half a slot into the day, and standing practically still.
        clock = f"simulated:{DAY_MS + 10 * SLOT_MS + 1000}:1:{SystemClock().monotonic_ms()}"
        with (self.directory / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    *(program or ["-m", "cloud_receiver.cli"]),
                    "run",
                    "--config",
                    str(config),
                    "--clock",
                    clock,
                ],
                stderr=log,
            )
        self.processes.append(process)
        return process

    def store(self) -> Engine:
        return database.open_store("sqlite:///receiver.sqlite", self.directory / "data")

    def centre_ring(self) -> KeyRing:
        ring = KeyRing()
        ring.add(keys.load_public(self.directory / "centre.key.pub"), "centre")
        return ring


@pytest.fixture
def centre(tmp_path: Path, algorithm: str, mosquitto: Any, capsys: pytest.CaptureFixture[str]) -> Iterator[Centre]:
    (tmp_path / "registry.toml").write_text(REGISTRY_TOML)
    (tmp_path / "factors.csv").write_text(
        "node,start,factor\n"
        + "".join(f"node1,2026-07-01T{slot // 4:02}:{slot % 4 * 15:02}:00+08:00,0.5703\n" for slot in range(40))
    )
    for name in ("centre.key", "gw1.key"):
        assert main(["key", "new", "--algorithm", algorithm, str(tmp_path / name)]) == 0
    centre = Centre(tmp_path, mosquitto, FakeGateway("gw1", keys.load_private(tmp_path / "gw1.key")))
    assert (
        main(
            [
                "gateway",
                "add",
                "--config",
                str(centre.config()),
                "gw1",
                str(tmp_path / "gw1.key.pub"),
                "--station",
                "S1",
            ]
        )
        == 0
    )
    assert "enrolled" in capsys.readouterr().out
    yield centre
    for process in centre.processes:
        if process.poll() is None:
            process.kill()
        process.wait(10)


@dataclass
class Field:
    """The gateway's side of the broker."""

    link: Link
    received: list[tuple[str, bytes]]
    ring: KeyRing

    async def send(self, envelope: bytes, topic: str = topics.records("gw1")) -> None:
        await self.link.publish(topic, envelope, 1)

    def acknowledged(self) -> int:
        """Return up to where the centre has acknowledged the gateway's journal."""
        found = [
            Acknowledgement.decode(open_envelope(payload, topic, self.ring).payload)
            for topic, payload in self.received
            if topic == topics.acknowledgement("gw1")
        ]
        return max((item.up_to for item in found if item.context == b"journal1"), default=0)


def in_the_field(centre: Centre, scenario: Callable[[Field], Awaitable[None]]) -> None:
    """Run a scenario with a connected gateway."""

    async def run() -> None:
        received: list[tuple[str, bytes]] = []

        def take(message: Received) -> None:
            received.append((message.topic, message.payload))
            message.ack()

        link = Link(LinkSettings(centre.broker.host, centre.broker.port, "gw1"), SystemClock(), on_message=take)
        link.subscribe(topics.acknowledgement("gw1"), 1)
        link.subscribe(topics.factor("node1"), 1)
        await link.start()
        try:
            await link.wait_connected()
            await scenario(Field(link, received, centre.centre_ring()))
        finally:
            await link.stop()

    asyncio.run(run())


def batch(gateway: FakeGateway, first: int, count: int) -> bytes:
    return gateway.envelope(first, [interval(number - 1) for number in range(first, first + count)])


async def subscribed(field: Field) -> None:
    """Wait until the receiver serves: it dispatches when it is connected, after it has asked for its subscription."""
    await until(lambda: any(topic == topics.factor("node1") for topic, _ in field.received))


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_exactly_once_under_duplicates_reordering_and_overlap(centre: Centre) -> None:
    process = centre.start(centre.config())

    async def scenario(field: Field) -> None:
        await subscribed(field)
        for first, count in [(65, 64), (1, 64), (65, 64), (1, 10), (100, 64), (170, 5), (160, 12), (1, 128)]:
            await field.send(batch(centre.gateway, first, count))
        await until(lambda: field.acknowledged() == 174)

    in_the_field(centre, scenario)
    stop(process)
    engine = centre.store()
    assert stored_sequences(engine) == list(range(1, 175))
    engine.dispose()
    log = (centre.directory / "log.txt").read_text()
    assert "174 records in 8 batches stored" in log
    assert "refused: none" in log


def test_a_retained_status_reaches_a_receiver_that_shares_its_subscription(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    config = centre.config("one", 'shared_group = "centre"\nprotocol = "5"')

    async def scenario(field: Field) -> None:
        state = Status("gw1", StatusState.BIRTH, DAY_MS, b"journal1", 9, 5, ClockState.SYNCHRONISED)
        topic = topics.status("gw1")
        envelope = Signer(centre.gateway.key).sign(state.encode(), topic)
        await field.link.publish(topic, envelope, 1, retain=True)
        centre.start(config)
        await subscribed(field)
        await field.send(batch(centre.gateway, 1, 8))
        await until(lambda: field.acknowledged() == 8)

    in_the_field(centre, scenario)
    stop(centre.processes[-1])
    assert "connected to" in (log := (centre.directory / "log.txt").read_text())
    assert "with MQTT 5" in log
    capsys.readouterr()
    assert main(["gateway", "list", "--config", str(config)]) == 0
    assert "gw1  online  last seen 2026-06-30T16:00:00+00:00  5 unacknowledged  0 dropped" in capsys.readouterr().out


def test_killed_between_commit_and_acknowledgement(centre: Centre) -> None:
    crash = centre.directory / "crash.py"
    crash.write_text(CRASHING)
    process = centre.start(centre.config(), [str(crash)])

    async def scenario(field: Field) -> None:
        await subscribed(field)
        await field.send(batch(centre.gateway, 1, 64))
        await until(lambda: process.poll() is not None)
        assert process.returncode == -signal.SIGKILL
        engine = centre.store()
        assert stored_sequences(engine) == list(range(1, 65))
        engine.dispose()
        assert field.acknowledged() == 0
        # The broker has kept the session: it delivers the batch again, and nothing is stored twice.
        centre.start(centre.config())
        await until(lambda: field.acknowledged() == 64)

    in_the_field(centre, scenario)
    stop(centre.processes[-1])
    engine = centre.store()
    assert stored_sequences(engine) == list(range(1, 65))
    engine.dispose()


def test_two_receivers_share_the_subscription_and_the_store(centre: Centre) -> None:
    group = 'shared_group = "centre"'
    processes = [centre.start(centre.config(client, group)) for client in ("one", "two")]

    async def scenario(field: Field) -> None:
        await until(lambda: sum(topic == topics.factor("node1") for topic, _ in field.received) >= 2)
        sends = [
            field.send(batch(centre.gateway, first, 8))
            for first in [*range(1, 400, 8), *range(5, 400, 8), *range(1, 400, 8)]
        ]
        await asyncio.gather(*sends)
        await until(lambda: field.acknowledged() == 404)

    in_the_field(centre, scenario)
    for process in processes:
        stop(process)
    engine = centre.store()
    assert stored_sequences(engine) == list(range(1, 405))
    engine.dispose()
    log = (centre.directory / "log.txt").read_text()
    shares = [line for line in log.splitlines() if "receiver stopped" in line]
    assert len(shares) == 2
    assert not any(" 0 batches stored" in line for line in shares)


def test_hostile_messages_do_not_keep_good_ones_out(centre: Centre) -> None:
    process = centre.start(centre.config())

    async def scenario(field: Field) -> None:
        await subscribed(field)
        good = batch(centre.gateway, 1, 64)
        for envelope, topic in [
            (b"garbage", topics.records("gw1")),
            (good[:-1] + bytes([good[-1] ^ 1]), topics.records("gw1")),
            (good, topics.records("gw2")),
            (os.urandom(2000), topics.records("gw9")),
            (bytes(1 << 20) + b"too large", topics.records("gw1")),
            (good, topics.records("gw1")),
        ]:
            await field.send(envelope, topic)
        await until(lambda: field.acknowledged() == 64)

    in_the_field(centre, scenario)
    stop(process)
    engine = centre.store()
    with database.reading(engine) as connection:
        reasons = sorted(connection.execute(select(quarantine.c.reason)).scalars())
    engine.dispose()
    # On the topic of another gateway a signature is wrong: the topic is signed too.
    assert reasons == ["bad_signature", "bad_signature", "malformed", "malformed", "too_large"]


def test_factors_are_dispatched_signed_and_retained(centre: Centre) -> None:
    process = centre.start(centre.config())

    async def scenario(field: Field) -> None:
        await subscribed(field)
        topic, envelope = next(item for item in field.received if item[0] == topics.factor("node1"))
        factors = Factors.decode(open_envelope(envelope, topic, field.ring).payload)
        # The clock stands in slot 10: eleven slots from the schedule's first to the current one.
        assert (factors.first_start_ms, factors.factors) == (DAY_MS, (FACTOR,) * 11)

    in_the_field(centre, scenario)
    # Retained: a gateway that connects later gets them from the broker.
    stop(process)

    async def later(field: Field) -> None:
        await subscribed(field)

    in_the_field(centre, later)


def test_a_running_receiver_is_scraped_and_tells_systemd_that_it_lives(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(centre.directory / "notify"))
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", systemd.getsockname())
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        process = centre.start(centre.config(group=f"[metrics]\nport = {port}"))
        said: list[str] = []

        def fed() -> bool:
            with contextlib.suppress(BlockingIOError):
                while True:
                    said.append(systemd.recv(4096).decode())
            return said.count("WATCHDOG=1") >= 2

        async def scenario(field: Field) -> None:
            await subscribed(field)
            await field.send(batch(centre.gateway, 1, 64))
            await until(lambda: field.acknowledged() == 64)
            await until(fed)
            found = await scrape(port)
            assert found.value("diantan_receiver_records_total", "stored") == 64
            assert found.value("diantan_receiver_commit_lag_seconds_count") >= 1
            assert found.value("diantan_receiver_dispatches_total", "done") >= 1
            assert found.value("diantan_receiver_link_connected") == 1

        in_the_field(centre, scenario)
        stop(process)
        fed()
    assert said[0] == "READY=1"
    assert said.count("READY=1") == 1
    assert said[-1] == "STOPPING=1"
