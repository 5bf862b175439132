"""The receiver as a process, behind a real Mosquitto, with a gateway played by the test."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from key_support import BOTH_ALGORITHMS
from metrics_support import free_port, scrape
from receiver_support import DAY_MS, FACTOR, stored_sequences, until
from service_support import Centre, Field, a_centre, batch, in_the_field, stop, subscribed
from sqlalchemy import select

from cloud_receiver import database
from cloud_receiver.cli import main
from cloud_receiver.schema import quarantine
from wire import topics
from wire.envelope import Signer, open_envelope
from wire.messages import Factors, Status, StatusState
from wire.records import ClockState

pytestmark = [pytest.mark.mosquitto, *BOTH_ALGORITHMS]

# The process kills itself where the crash is wanted: with all that is new written and not committed.
HALFWAY = """
import os, signal, sys
from cloud_receiver import cli, received
received.Ledger.write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.exit(cli.main(sys.argv[1:]))
"""

# After the commit, before any acknowledgement.
CRASHING = """
import os, signal, sys
from cloud_receiver import cli, intake
intake.Intake._acknowledge = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture
def centre(
    tmp_path: Path,
    algorithm: str,
    mosquitto: Any,
    capsys: pytest.CaptureFixture[str],
    store_address: Callable[[Path], str],
) -> Iterator[Centre]:
    with a_centre(tmp_path, mosquitto, algorithm, store_address(tmp_path / "data" / "receiver.sqlite")) as centre:
        assert "enrolled" in capsys.readouterr().out
        yield centre


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


@pytest.mark.parametrize(("crash", "kept"), [(CRASHING, 64), (HALFWAY, 0)], ids=["acknowledgement", "transaction"])
def test_a_batch_is_stored_once_by_a_receiver_that_is_killed(crash: str, kept: int, centre: Centre) -> None:
    """Between commit and acknowledgement, or in the middle of a transaction."""
    script = centre.directory / "crash.py"
    script.write_text(crash)
    process = centre.start(centre.config(), [str(script)])

    async def scenario(field: Field) -> None:
        await subscribed(field)
        await field.send(batch(centre.gateway, 1, 64))
        await until(lambda: process.poll() is not None)
        assert process.returncode == -signal.SIGKILL
        engine = centre.store()
        assert stored_sequences(engine) == list(range(1, kept + 1))
        engine.dispose()
        assert field.acknowledged() == 0
        # The broker has kept the session: it delivers the batch again. The store lets go of what the dead one had
        # locked, and nothing is stored twice.
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
