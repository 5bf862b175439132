"""Commands through real processes and a real Mosquitto: ordered on the command line, answered, whatever is killed."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_support import Centre, Gateway, playing, serving, shown
from orders_support import DIGEST, DOCUMENT, reply
from receiver_support import FakeGateway, until

from cloud_receiver.schema import gateway_status, quarantine
from wire import topics
from wire.commands import Outcome
from wire.messages import StatusState

pytestmark = pytest.mark.mosquitto


@pytest.fixture
def make(tmp_path: Path, mosquitto: Any) -> Iterator[Callable[..., Centre]]:
    made: list[Centre] = []

    def centre(**values: Any) -> Centre:
        made.append(Centre(tmp_path, mosquitto.port, **values))
        return made[-1]

    yield centre
    for item in made:
        item.stop()


def test_every_verb_is_answered_on_the_command_line(make: Callable[..., Centre]) -> None:
    centre = make()
    path = centre.directory / "gateway.toml"
    path.write_text(DOCUMENT + "# changed\n")
    lines = {
        ("read", "C01"): (0, "energy_forward  12.345678  kWh"),
        ("read", "C99"): (1, "gw1: refused: no meter 'C99'"),
        ("day", "2026-07-01"): (0, "12.345678  0.000000  7040.000000001  0.000000000  meter  -"),
        ("resend", "1", "4"): (0, "on their way again: 1-2, 4\nno longer in the journal: 3"),
        ("status",): (0, "line.a.ok  3"),
        ("config", "show"): (0, f"# in force: sent, SHA-256 {DIGEST.hex()}\n[gateway]"),
        ("config", "set", str(path), "--trial", "10"): (0, "# changed"),
        ("config", "set", str(path), "--base", "00" * 32): (1, "gw1: refused: another configuration is in force"),
        ("config", "rollback"): (0, f"SHA-256 {DIGEST.hex()}"),
    }

    async def scenario() -> None:
        centre.start()
        await serving(centre)
        async with Gateway(centre) as gateway:
            # The present journal, which `resend` takes, is known from the status.
            await until(lambda: len(centre.rows(gateway_status)) == 1)
            answers = await asyncio.gather(*(centre.line("command", "gw1", *arguments) for arguments in lines))
            for (arguments, (status, said)), (code, out, err) in zip(lines.items(), answers, strict=True):
                assert (code, said in out) == (status, True), (arguments, out, err)
            assert gateway.in_force == DOCUMENT + "# changed\n"
            code, out, _ = await centre.line("commands", "--json")
            listed = shown(out)
            assert len(listed) == len(lines) + 1  # `config set` has asked what is in force
            assert {item["state"] for item in listed} == {"done", "refused"}
            # One of each: the others are shown in test_command_line.
            for item in {item["state"]: item for item in listed}.values():
                code, out, _ = await centre.line("commands", "show", item["id"], "--json")
                found = shown(out)
                assert (code, found["order_fault"], found["reply_fault"]) == (0, None, None)
                assert found["reply"]["outcome"] == item["state"]

    playing(scenario)
    assert centre.rows(quarantine) == []


def test_a_receiver_killed_between_publication_and_reply_loses_nothing(make: Callable[..., Centre]) -> None:
    centre = make()

    async def scenario() -> None:
        process = centre.start()
        await serving(centre)
        async with Gateway(centre) as gateway:
            gateway.answering = False
            number = await centre.issue("status")
            await until(lambda: gateway.received != [])
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            gateway.answer(gateway.command(bytes.fromhex(number)))
            assert centre.outcomes() == [None]
            centre.start()
            await until(lambda: centre.outcomes() == [Outcome.DONE])

    playing(scenario)
    assert centre.rows(quarantine) == []


def test_an_order_given_while_no_receiver_runs_is_published_by_the_next(make: Callable[..., Centre]) -> None:
    centre = make()

    async def scenario() -> None:
        async with Gateway(centre) as gateway:
            number = await centre.issue("status")
            waiting = asyncio.create_task(centre.line("command", "gw1", "read", "C01"))
            await until(lambda: len(centre.rows()) == 2)
            assert gateway.received == []
            centre.start()
            status, out, _ = await waiting
            assert (status, "12.345678" in out) == (0, True)
            await until(lambda: centre.outcomes() == [Outcome.DONE] * 2)
            assert bytes.fromhex(number) in gateway.received

    playing(scenario)


def restarted(mosquitto: Any) -> "subprocess.Popen[bytes]":
    """Kill the broker, which loses everything, and start it again."""
    mosquitto.process.send_signal(signal.SIGKILL)
    mosquitto.process.wait(10)
    config = str(mosquitto.directory / "mosquitto.conf")
    return subprocess.Popen([mosquitto.process.args[0], "-c", config], stderr=subprocess.DEVNULL)


def test_a_wiped_broker_loses_neither_command_nor_reply(make: Callable[..., Centre], mosquitto: Any) -> None:
    centre = make()

    async def scenario() -> None:
        centre.start()
        await serving(centre)
        async with Gateway(centre) as gateway:
            gateway.answering = False
            await centre.issue("status")
            await until(lambda: gateway.received != [])
            with restarted(mosquitto) as broker:
                try:
                    # Whether the gateway comes back before the receiver or after it: the repetition reaches it.
                    gateway.answering = True
                    await until(lambda: centre.outcomes() == [Outcome.DONE])
                    assert set(gateway.received) == {bytes(row.id) for row in centre.rows()}
                finally:
                    broker.terminate()
                    broker.wait(10)

    playing(scenario)


def test_a_gateway_that_was_away_gets_its_commands_when_it_is_back(make: Callable[..., Centre]) -> None:
    centre = make()

    async def scenario() -> None:
        centre.start()
        await serving(centre)
        async with Gateway(centre) as gateway:
            await gateway.tell(StatusState.OFFLINE)
        waiting = asyncio.create_task(centre.line("command", "gw1", "config", "show"))
        await until(lambda: [row.published > 0 for row in centre.rows()] == [True])
        assert centre.outcomes() == [None]
        async with Gateway(centre) as gateway:
            status, out, _ = await waiting
            assert (status, DOCUMENT in out) == (0, True)
            assert len(gateway.received) >= 1

    playing(scenario)


def test_an_unanswered_command_expires_and_a_late_reply_is_the_truth(make: Callable[..., Centre]) -> None:
    centre = make(speed=60)

    async def scenario() -> None:
        centre.start()
        await serving(centre)
        async with Gateway(centre) as gateway:
            gateway.answering = False
            status, out, err = await centre.line("command", "gw1", "status", "--valid", "1")
            assert (status, out) == (1, "")
            assert "is expired, published" in err
            assert "  expired  by " in (await centre.line("commands"))[1]
            assert (await centre.line("commands", "--open"))[1] == ""
            published = [row.published for row in centre.rows()]
            gateway.answer(gateway.command(gateway.received[0]))
            await until(lambda: centre.outcomes() == [Outcome.DONE])
            assert "  done  by " in (await centre.line("commands"))[1]
            assert [row.published for row in centre.rows()] == published
            assert len(gateway.received) == published[0]

    playing(scenario)


def test_two_receivers_on_one_store_publish_each_command_once(make: Callable[..., Centre]) -> None:
    centre = make()

    async def scenario() -> None:
        processes = [centre.start(client) for client in ("one", "two")]
        for client in ("one", "two"):
            await serving(centre, client)
        async with Gateway(centre) as gateway:
            await asyncio.gather(*(centre.issue("status") for _ in range(6)))
            await until(lambda: centre.outcomes() == [Outcome.DONE] * 6)
            assert sorted(gateway.received) == sorted(bytes(row.id) for row in centre.rows())
            assert [row.published for row in centre.rows()] == [1] * 6
            # The one that is left goes on alone.
            processes[0].kill()
            processes[0].wait(10)
            status, _, _ = await centre.line("command", "gw1", "status")
            assert status == 0

    playing(scenario)
    assert centre.rows(quarantine) == []


def test_hostile_replies_change_nothing(make: Callable[..., Centre]) -> None:
    centre = make()

    async def scenario() -> None:
        centre.start()
        await serving(centre)
        async with Gateway(centre) as gateway, Gateway(centre, "gw2") as other:
            gateway.answering = False
            await centre.issue("status")
            await until(lambda: gateway.received != [])
            number = gateway.received[0]
            one, two = centre.gateways["gw1"], centre.gateways["gw2"]
            hostile = [
                reply(FakeGateway("gw1", two.key), number),
                reply(two, number),
                reply(one, bytes(16)),
                reply(FakeGateway("gw9", two.key), number),
            ]
            topic = topics.reply("gw1")
            for item in hostile:
                await other.link.publish(item.topic, item.payload, 1)
            for junk in (b"", os.urandom(3000), b"\xd2\x84" + bytes(2000), bytes(1 << 20)):
                await other.link.publish(topic, junk, 1)
            await until(lambda: len(centre.rows(quarantine)) == 8)
            assert centre.outcomes() == [None]
            gateway.answer(gateway.command(number))
            await until(lambda: centre.outcomes() == [Outcome.DONE])

    playing(scenario)
    reasons = sorted(row.reason for row in centre.rows(quarantine))
    assert reasons == sorted(["foreign_key", "foreign_command", "unknown_command", "foreign_key", *["malformed"] * 4])
