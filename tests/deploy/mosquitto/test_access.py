"""What the deployed broker lets a gateway, the centre and a stranger do, with a real Mosquitto."""

import asyncio
import inspect
import re
import socket
import ssl
import warnings
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from broker_support import DEPLOY, SecureBroker, connected, refused

from wire import topics
from wire.link import LinkError

pytestmark = pytest.mark.mosquitto

CENTRE = "_centre"
WAITING = 1200  # more than Mosquitto's default keeps for a client that is away


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


def test_a_gateway_and_the_centre_have_what_they_need(broker: SecureBroker) -> None:
    async def test() -> None:
        up = [topics.records("gw1"), topics.live("gw1"), topics.status("gw1"), topics.reply("gw1")]
        down = [topics.acknowledgement("gw1"), topics.command("gw1"), topics.factor("node1")]
        all_up = (topics.ALL_RECORDS, topics.ALL_LIVE, topics.ALL_STATUS, topics.ALL_REPLIES)
        async with (
            connected(broker.settings(CENTRE), *all_up) as centre,
            connected(broker.settings("gw1"), *down) as gateway,
        ):
            for topic in up:
                await gateway.link.publish(topic, b"up", 1)
                await centre.until(topic, b"up")
            for topic in down:
                await centre.link.publish(topic, b"down", 1)
                await gateway.until(topic, b"down")

    run(test())


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize(
    "topic",
    [
        topics.records("gw1"),
        topics.live("gw1"),
        topics.status("gw1"),
        topics.reply("gw1"),
        topics.acknowledgement("gw1"),
        topics.acknowledgement("gw2"),
        topics.command("gw1"),
        topics.command("gw2"),
        topics.factor("node1"),
        topics.GRID_FEED,
        "diantan/1/up/gw2/other",
        "diantan/1/up/gw2/records/more",
        "elsewhere",
    ],
)
def test_a_gateway_can_publish_nothing_but_its_own(topic: str, protocol: Any, broker: SecureBroker) -> None:
    """The centre's subscriptions, and gw1's, would show whatever came through; the message behind it comes."""

    async def test() -> None:
        own = topics.records("gw2")
        async with (
            connected(broker.settings(CENTRE), "diantan/1/up/+/records", "diantan/1/up/+/live", "#") as centre,
            connected(broker.settings("gw1"), "diantan/1/down/gw1/+", "diantan/1/factor/+") as other,
        ):
            async with connected(broker.settings("gw2", protocol=protocol)) as forger:
                publish = forger.link.publish(topic, b"forged", 1, retain=True)
                if protocol == "5":
                    with pytest.raises(LinkError, match="Not authorized"):
                        await publish
                else:
                    await publish  # MQTT 3.1.1 has no word for a refusal
            # A new connection, since Mosquitto 2.0.11 ends the one that it refused a message of MQTT 5.
            async with connected(broker.settings("gw2"), "diantan/1/down/gw2/+") as gateway:
                await gateway.link.publish(own, b"behind", 1)
                await centre.until(own, b"behind")
                await centre.link.publish(topics.acknowledgement("gw1"), b"behind", 1)
                await other.until(topics.acknowledgement("gw1"), b"behind")
                await centre.link.publish(topics.acknowledgement("gw2"), b"behind", 1)
                await gateway.until(topics.acknowledgement("gw2"), b"behind")
                seen = [*centre.inbox, *other.inbox, *gateway.inbox]
            assert b"forged" not in {payload for _, payload in seen}

    run(test())


def test_a_gateway_reads_nothing_of_another(broker: SecureBroker) -> None:
    everything = (
        "#",
        "diantan/1/up/+/records",
        f"$share/rx/{topics.ALL_RECORDS}",
        "diantan/1/up/gw1/status",
        "diantan/1/up/gw1/reply",
        "diantan/1/down/gw1/ack",
        "diantan/1/down/gw1/command",
        "$SYS/#",
    )

    async def test() -> None:
        async with (
            connected(broker.settings(CENTRE), topics.ALL_RECORDS, topics.ALL_REPLIES) as centre,
            connected(broker.settings("gw1"), topics.acknowledgement("gw1"), topics.command("gw1")) as victim,
        ):
            await victim.link.publish(topics.status("gw1"), b"retained", 1, retain=True)
            async with connected(broker.settings("gw2"), *everything, topics.acknowledgement("gw2")) as spy:
                await victim.link.publish(topics.records("gw1"), b"secret", 1)
                await victim.link.publish(topics.live("gw1"), b"secret", 0)
                await victim.link.publish(topics.reply("gw1"), b"secret", 1)
                await centre.until(topics.records("gw1"), b"secret")
                await centre.until(topics.reply("gw1"), b"secret")
                for topic in (topics.acknowledgement("gw1"), topics.command("gw1")):
                    await centre.link.publish(topic, b"secret", 1)
                    await victim.until(topic, b"secret")
                own = topics.acknowledgement("gw2")
                await centre.link.publish(own, b"behind", 1)
                await spy.until(own, b"behind")
                assert {topic for topic, _ in spy.inbox} == {own}

    run(test())


def test_a_will_on_the_topic_of_another_is_not_published(broker: SecureBroker) -> None:
    """A will is what the broker publishes for a client: it must be held to the same rules."""

    async def test() -> None:
        async with connected(broker.settings(CENTRE), topics.ALL_STATUS) as centre:
            for topic in (topics.status("gw1"), topics.status("gw2")):
                await vanish(broker, topic)
            await centre.until(topics.status("gw2"), b"will")
            assert centre.inbox == [(topics.status("gw2"), b"will")]

    run(test())


async def vanish(broker: SecureBroker, topic: str) -> None:
    """Connect as gw2 with a will, and break the connection; a CONNECT written by hand, since the link says goodbye."""
    context = ssl.create_default_context(cafile=broker.authority / "ca.crt")
    context.load_cert_chain(broker.authority / "gw2.crt", broker.authority / "gw2.key")
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port, ssl=context)

    def text(value: bytes) -> bytes:
        return len(value).to_bytes(2, "big") + value

    body = text(b"MQTT") + bytes([4, 0b0000_1110, 0, 60]) + text(b"gw2") + text(topic.encode()) + text(b"will")
    writer.write(bytes([0x10, len(body)]) + body)
    # Accepted, or refused at once because of the will: either is right.
    await reader.read(4)
    writer.transport.abort()
    await asyncio.sleep(0)


def test_a_client_id_does_not_take_the_session_of_another(broker: SecureBroker) -> None:
    """With the receiver's client id, a gateway would end the receiver's session and what waits in it."""

    async def test() -> None:
        async with (
            connected(broker.settings(CENTRE, client_id="diantan-receiver"), topics.ALL_RECORDS) as centre,
            connected(broker.settings("gw2", client_id="diantan-receiver"), topics.acknowledgement("gw2")) as gateway,
        ):
            await gateway.link.publish(topics.records("gw2"), b"one", 1)
            await centre.until(topics.records("gw2"), b"one")
            assert centre.link.connected
            assert gateway.link.connected

    run(test())


def test_without_a_certificate_or_with_a_foreign_one_nobody_connects(
    broker: SecureBroker, tmp_path: Path, issue: Callable[..., str]
) -> None:
    foreign = tmp_path / "foreign"
    issue("--directory", foreign, "ca")
    issue("--directory", foreign, "gateway", "gw1")

    async def test() -> None:
        await refused(broker.settings("gw1", authority=foreign))
        naked = broker.settings("gw1")
        await refused(type(naked)("127.0.0.1", broker.port, "gw1", ca_file=naked.ca_file, reconnect_min_ms=50))
        # Nor is a name and no certificate, or a connection without TLS, of any use.
        await refused(type(naked)("127.0.0.1", broker.port, "gw1", username="gw1", reconnect_min_ms=50))
        # The broker's own certificate is for a server.
        await refused(broker.settings("broker"))
        async with connected(broker.settings("gw1")):
            pass

    run(test())


def test_the_certificate_of_a_gateway_does_not_make_a_broker(
    start_broker: Callable[..., SecureBroker], authority: Path, caplog: pytest.LogCaptureFixture
) -> None:
    false = start_broker(certfile=f"certfile {authority}/gw2.crt", keyfile=f"keyfile {authority}/gw2.key")
    run(refused(false.settings("gw1")))
    assert "unsuitable certificate purpose" in caplog.text


def handshake(broker: SecureBroker, version: ssl.TLSVersion) -> str | None:
    """Shake hands with this version of TLS only; return what was agreed."""
    context = ssl.create_default_context(cafile=broker.authority / "ca.crt")
    context.load_cert_chain(broker.authority / "gw1.crt", broker.authority / "gw1.key")
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    context.set_ciphers("ALL:@SECLEVEL=0")  # else this side would refuse the old version by itself
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", broker.port), 5) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        return secured.version()


def test_tls_before_1_2_is_refused(start_broker: Callable[..., SecureBroker]) -> None:
    broker = start_broker()
    with pytest.raises(ssl.SSLError):
        handshake(broker, ssl.TLSVersion.TLSv1_1)
    assert handshake(broker, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    assert handshake(broker, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    # It is the configuration that refuses: a broker that allows 1.1 shakes hands with the same client.
    lax = start_broker(tls_version="tls_version tlsv1.1", ciphers="ciphers ALL:@SECLEVEL=0")
    assert handshake(lax, ssl.TLSVersion.TLSv1_1) == "TLSv1.1"


def test_a_revoked_certificate_is_refused_after_a_restart_and_its_successor_is_not(
    start_broker: Callable[..., SecureBroker], authority: Path, issue: Callable[..., str]
) -> None:
    first = start_broker()

    async def works(broker: SecureBroker, name: str) -> None:
        async with connected(broker.settings(name)):
            pass

    run(works(first, "gw2"))
    former = authority.parent / "former"
    former.mkdir()
    for suffix in ("crt", "key"):
        (former / f"gw2.{suffix}").write_bytes((authority / f"gw2.{suffix}").read_bytes())
    issue("--directory", authority, "gateway", "gw2", "--renew")
    run(works(first, "gw2"))
    issue("--directory", authority, "revoke", "gw2", "--former")
    first.stop()
    second = start_broker()
    run(refused(second.settings("gw2", authority=former)))
    run(works(second, "gw2"))
    run(works(second, "gw1"))


def test_what_is_too_large_ends_its_sender_only(broker: SecureBroker) -> None:
    async def test() -> None:
        async with (
            connected(broker.settings(CENTRE), topics.ALL_RECORDS) as centre,
            connected(broker.settings("gw1")) as good,
            connected(broker.settings("gw2", protocol="3.1.1")) as bad,
        ):
            with pytest.raises(LinkError):
                await bad.link.publish(topics.records("gw2"), bytes(1_200_000), 1)
            largest = bytes(1 << 20)
            await good.link.publish(topics.records("gw1"), largest, 1)
            await centre.until(topics.records("gw1"), largest)
            assert [topic for topic, _ in centre.inbox] == [topics.records("gw1")]

    run(test())


def test_what_waits_for_the_centre_survives_the_broker(start_broker: Callable[..., SecureBroker]) -> None:
    async def before(broker: SecureBroker) -> None:
        kept = replace(broker.settings(CENTRE), clean_start=False, session_expiry_s=3600)
        async with connected(kept, topics.ALL_RECORDS):
            pass
        async with connected(broker.settings("gw1")) as gateway:
            sent = [
                gateway.link.publish(topics.records("gw1"), number.to_bytes(2, "big"), 1) for number in range(WAITING)
            ]
            await asyncio.gather(*sent)

    async def after(broker: SecureBroker) -> None:
        kept = replace(broker.settings(CENTRE), clean_start=False, session_expiry_s=3600)
        async with connected(kept, topics.ALL_RECORDS) as centre:
            await centre.until(topics.records("gw1"), (WAITING - 1).to_bytes(2, "big"))
            assert [int.from_bytes(payload, "big") for _, payload in centre.inbox] == list(range(WAITING))

    first = start_broker()
    run(before(first))
    first.stop()
    run(after(start_broker()))


def test_every_topic_of_the_wire_is_in_the_list() -> None:
    """A topic that is added to wire.topics and not to diantan.acl would be refused in the field."""
    text = (DEPLOY / "diantan.acl").read_text()
    rules = re.findall(r"^(topic|pattern) (read|write) (\S+)$", text, flags=re.MULTILINE)
    made = [
        function("gw1")
        for _, function in inspect.getmembers(topics, inspect.isfunction)
        if function.__module__ == topics.__name__ and inspect.signature(function).return_annotation is str
    ]
    found = [topic for topic in made if topic.startswith(topics.ROOT)]
    assert len(found) >= 5
    for topic in found:
        allowed = {
            (who, how)
            for who, how, rule in rules
            if re.fullmatch(re.escape(rule).replace(r"\+", "[^/]+").replace("%u", "gw1"), topic)
        }
        if topic.startswith(f"{topics.ROOT}/level/"):
            # Each child has a block of its own (test_child_access.py), and no gateway a pattern.
            assert allowed == {("topic", "read" if topic.endswith("/up") else "write")}, topic
            continue
        up = topic.startswith(f"{topics.ROOT}/up/")
        # A topic is the centre's rule, a pattern the gateways'.
        assert allowed == {("topic", "read" if up else "write"), ("pattern", "write" if up else "read")}, topic
