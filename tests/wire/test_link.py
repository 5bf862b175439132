"""The MQTT link against a real Mosquitto, a broker that only speaks MQTT 3.1.1, and sockets that misbehave."""

import asyncio
import logging
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from clock import SystemClock
from wire.connection import Connection
from wire.link import Link, LinkError, LinkSettings, Received

pytestmark = pytest.mark.mosquitto
CLOCK = SystemClock()
LIMIT_S = 20


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test's coroutine, bounded."""
    asyncio.run(asyncio.wait_for(_awaited(test), LIMIT_S))


async def _awaited(test: Callable[[], Awaitable[None]]) -> None:
    await test()


def settings(port: int, client_id: str, **more: Any) -> LinkSettings:
    return LinkSettings("127.0.0.1", port, client_id, reconnect_min_ms=50, reconnect_max_ms=100, **more)


@asynccontextmanager
async def started(link: Link) -> AsyncIterator[Link]:
    await link.start()
    try:
        await link.wait_connected()
        yield link
    finally:
        await link.stop()


class Inbox:
    """Collects what a link receives, acknowledging it unless told otherwise."""

    def __init__(self, *, acknowledge: bool = True) -> None:
        self.queue: asyncio.Queue[Received] = asyncio.Queue()
        self.acknowledge = acknowledge

    def __call__(self, message: Received) -> None:
        if self.acknowledge:
            message.ack()
        self.queue.put_nowait(message)


def restart(mosquitto: Any) -> "subprocess.Popen[bytes]":
    """Start another Mosquitto with the fixture's configuration, so on the same port."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    assert program
    return subprocess.Popen([program, "-c", str(mosquitto.directory / "mosquitto.conf")], stderr=subprocess.DEVNULL)


def test_a_publish_ends_at_puback_and_arrives_once(mosquitto: Any) -> None:
    async def test() -> None:
        inbox = Inbox()
        link = Link(settings(mosquitto.port, "one"), CLOCK, on_message=inbox)
        link.subscribe("t/+", 1)
        async with started(link):
            assert link.connected
            await asyncio.gather(*(link.publish("t/x", str(i).encode(), 1) for i in range(100)))
            got = [await inbox.queue.get() for _ in range(100)]
            assert [message.payload for message in got] == [str(i).encode() for i in range(100)]
            assert {message.topic for message in got} == {"t/x"}
            assert not got[0].retained
            await link.publish("t/y", b"unacknowledged by nature", 0)
            assert (await inbox.queue.get()).payload == b"unacknowledged by nature"
        assert not link.connected
        assert inbox.queue.empty()

    run(test)


def test_a_retained_message_says_so(mosquitto: Any) -> None:
    async def test() -> None:
        async with started(Link(settings(mosquitto.port, "writer"), CLOCK)) as writer:
            await writer.publish("kept", b"1", 1, retain=True)
        inbox = Inbox()
        reader = Link(settings(mosquitto.port, "reader"), CLOCK, on_message=inbox)
        async with started(reader):
            reader.subscribe("kept", 1)  # while connected
            assert (await inbox.queue.get()).retained

    run(test)


def test_after_a_broker_restart_subscriptions_are_renewed(mosquitto: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        inbox, times = Inbox(), 0

        def connected() -> None:
            nonlocal times
            times += 1

        link = Link(settings(mosquitto.port, "one"), CLOCK, on_message=inbox, on_connect=connected)
        link.subscribe("t", 1)
        async with started(link):
            assert link._connection is not None
            ended = link._connection.ended
            mosquitto.process.kill()
            mosquitto.process.wait()
            await asyncio.shield(ended)
            with pytest.raises(LinkError, match="not connected"):
                await link.publish("t", b"", 1)
            with restart(mosquitto) as second:
                try:
                    await link.wait_connected()
                    await link.publish("t", b"again", 1)
                    assert (await inbox.queue.get()).payload == b"again"
                finally:
                    second.terminate()
        assert times == 2

    caplog.set_level(logging.INFO, "wire.link")
    run(test)
    texts = [record.getMessage() for record in caplog.records]
    assert sum("connected to" in text for text in texts) == 2
    assert sum("lost" in text for text in texts) == 1
    assert len(texts) <= 5, texts  # each state once, not each attempt


def test_unacknowledged_messages_come_again_to_a_kept_session(mosquitto: Any) -> None:
    async def test() -> None:
        async with started(Link(settings(mosquitto.port, "writer"), CLOCK)) as writer:
            kept = settings(mosquitto.port, "reader", clean_start=False, session_expiry_s=3600)
            inbox = Inbox(acknowledge=False)
            reader = Link(kept, CLOCK, on_message=inbox)
            reader.subscribe("t", 1)
            async with started(reader):
                for payload in (b"1", b"2", b"3"):
                    await writer.publish("t", payload, 1)
                first = [await inbox.queue.get() for _ in range(3)]
                first[0].ack()
                # The acknowledgement is sent before what follows it on the same connection.
                await reader.publish("elsewhere", b"", 1)
            await writer.publish("t", b"4", 1)  # while the reader is away
            inbox = Inbox()
            async with started(Link(kept, CLOCK, on_message=inbox)):
                again = [(await inbox.queue.get()).payload for _ in range(3)]
            assert again == [b"2", b"3", b"4"]
            first[1].ack()  # of a connection that is gone: no effect, no error

    run(test)


def test_the_will_is_published_when_the_client_vanishes_only(mosquitto: Any) -> None:
    async def test() -> None:
        inbox = Inbox()
        watcher = Link(settings(mosquitto.port, "watcher"), CLOCK, on_message=inbox)
        watcher.subscribe("status/#", 1)
        async with started(watcher):
            async with started(Link(settings(mosquitto.port, "a"), CLOCK, will=("status/a", b"gone", 1, True))):
                pass
            link = Link(settings(mosquitto.port, "b"), CLOCK, will=("status/b", b"gone", 1, True))
            async with started(link):
                assert link._connection is not None
                link._connection._socket.shutdown(socket.SHUT_RDWR)
                assert (await inbox.queue.get()).topic == "status/b"

    run(test)


def test_a_publish_in_flight_fails_when_the_link_breaks(mosquitto: Any) -> None:
    async def test() -> None:
        link = Link(settings(mosquitto.port, "one"), CLOCK)
        async with started(link):
            mosquitto.process.send_signal(19)  # SIGSTOP: no answers, connection open
            futures = [link.publish("t", b"x", 1) for _ in range(50)]
            mosquitto.process.kill()
            results = await asyncio.gather(*futures, return_exceptions=True)
        assert all(isinstance(result, LinkError) for result in results)

    run(test)


def test_a_handler_that_fails_doesnt_end_the_link(mosquitto: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        inbox = Inbox()

        def handler(message: Received) -> None:
            if message.payload == b"bad":
                raise ZeroDivisionError
            inbox(message)

        link = Link(settings(mosquitto.port, "one"), CLOCK, on_message=handler)
        link.subscribe("t", 1)
        async with started(link):
            await link.publish("t", b"bad", 1)
            await link.publish("t", b"good", 1)
            assert (await inbox.queue.get()).payload == b"good"

    run(test)
    assert "stays unacknowledged" in caplog.text


def test_a_handler_may_publish(mosquitto: Any) -> None:
    async def test() -> None:
        answers = Inbox()

        def handler(message: Received) -> None:
            if message.topic == "question":
                link.publish("answer", message.payload, 1)
                message.ack()
            else:
                answers(message)

        link = Link(settings(mosquitto.port, "one"), CLOCK, on_message=handler)
        link.subscribe("#", 1)
        async with started(link):
            for i in range(100):
                link.publish("question", str(i).encode(), 1)
            assert {(await answers.queue.get()).payload for _ in range(100)} == {str(i).encode() for i in range(100)}

    run(test)


def test_large_messages_pass_both_ways(mosquitto: Any) -> None:
    async def test() -> None:
        inbox = Inbox()
        link = Link(settings(mosquitto.port, "one"), CLOCK, on_message=inbox)
        link.subscribe("t", 1)
        async with started(link):
            payload = bytes(range(256)) * 4096
            await asyncio.gather(*(link.publish("t", payload, 1) for _ in range(5)))
            for _ in range(5):
                assert (await inbox.queue.get()).payload == payload

    run(test)


def test_thousands_of_messages_pass(mosquitto: Any) -> None:
    async def test() -> None:
        inbox = Inbox()
        reader = Link(settings(mosquitto.port, "reader"), CLOCK, on_message=inbox)
        reader.subscribe("t", 1)
        async with started(reader), started(Link(settings(mosquitto.port, "writer"), CLOCK)) as writer:
            # Not all at once: beyond 1000 queued messages Mosquitto drops what it has acknowledged.
            for first in range(0, 3000, 500):
                sent = [i.to_bytes(2, "big") * 500 for i in range(first, first + 500)]
                await asyncio.gather(*(writer.publish("t", payload, 1) for payload in sent))
                assert [(await inbox.queue.get()).payload for _ in sent] == sent

    run(test)


def test_an_unreachable_broker_is_tried_for_ever_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
            waits = 0

            def jitter() -> float:
                nonlocal waits
                waits += 1
                if waits == 4:
                    enough.set()
                return 1.0

            enough = asyncio.Event()
            link = Link(settings(taken.getsockname()[1], "one"), CLOCK, jitter=jitter)
            await link.start()
            await enough.wait()
            assert not link.connected
            await link.stop()

    caplog.set_level(logging.INFO, "wire.link")
    run(test)
    assert len(caplog.records) == 1
    assert "127.0.0.1" in caplog.text


def test_a_server_that_talks_nonsense_is_left(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        visits: asyncio.Queue[bytes] = asyncio.Queue()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            visits.put_nowait(await reader.read(1000))
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            link = Link(settings(server.sockets[0].getsockname()[1], "one"), CLOCK)
            await link.start()
            versions = {(await visits.get())[8] for _ in range(4)}
            assert versions == {4, 5}  # MQTT 3.1.1 and 5 are both tried
            assert not link.connected
            await link.stop()

    run(test)


def test_files_are_checked_at_the_start(tmp_path: Path) -> None:
    async def test() -> None:
        missing = tmp_path / "missing"
        for more in ({"username": "u", "password_file": missing}, {"ca_file": missing}):
            with pytest.raises(LinkError, match="missing"):
                await Link(settings(1, "one", **more), CLOCK).start()

    run(test)


def test_a_password_is_read_from_its_file(mosquitto: Any, tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "password").write_text("secret\n")
        link = Link(settings(mosquitto.port, "one", username="u", password_file=tmp_path / "password"), CLOCK)
        async with started(link):
            assert link.connected
        assert "secret" not in repr(link._settings)

    run(test)


def test_a_broker_of_mqtt_3_1_1_gets_mqtt_3_1_1(caplog: pytest.LogCaptureFixture, amqtt_port: int) -> None:
    async def test() -> None:
        inbox = Inbox()
        link = Link(settings(amqtt_port, "one"), CLOCK, on_message=inbox)
        link.subscribe("t", 1)
        async with started(link):
            for i in range(10):
                await link.publish("t", str(i).encode(), 1)
                assert (await inbox.queue.get()).payload == str(i).encode()

    caplog.set_level(logging.INFO, "wire.link")
    run(test)
    assert "MQTT 3.1.1" in caplog.text


def test_stop_ends_a_link_that_swallows_a_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `asyncio.wait_for` of Python 3.11 does when its result comes in the same turn."""

    async def test() -> None:
        waiting = asyncio.Event()

        async def stubborn(_connection: Connection) -> None:
            with suppress(asyncio.CancelledError):
                waiting.set()
                await asyncio.Event().wait()
            await asyncio.Event().wait()

        monkeypatch.setattr(Connection, "open", stubborn)
        link = Link(settings(1, "one"), CLOCK)
        await link.start()
        await waiting.wait()
        await link.stop()

    run(test)
