"""One connection to an MQTT broker: paho's protocol code driven by the event loop, without paho's thread.

A connection is used once. paho keeps state over a reconnect that it then mishandles (its issues 492 and 698), so the
link makes a new client each time and what was unacknowledged is its caller's to send again.
"""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from wire.link_settings import LinkError, LinkSettings, read_password, reason_of, tls_context

__all__ = ["Connection", "LinkError", "LinkSettings", "Received", "Will"]

logger = logging.getLogger("wire.link")

CONNECT_TIMEOUT_S = 5.0  # TCP and TLS; then as much again for the broker's answer
# Some brokers of MQTT 3.1.1 (amqtt) take an MQTT 5 CONNECT for the beginning of a longer one and wait for the rest.
TRIAL_TIMEOUT_S = 2.0
CLOSE_TIMEOUT_S = 1.0
MAX_PACKET_BYTES = (1 << 20) + (1 << 16)  # an envelope of 1 MiB, its topic and properties
_REFUSED = 0x80  # reason codes from here on are failures (MQTT 5, 2.4)
_UNSUPPORTED_VERSION = 0x84
_MISC_PERIOD_S = 1.0
_READ_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes when this client vanishes."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass(frozen=True, slots=True)
class Received:
    """A message from the broker; call `ack` once it is stored, else the broker sends it again to a kept session."""

    topic: str
    payload: bytes
    retained: bool
    ack: Callable[[], None]


@dataclass(slots=True)
class _Publish:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    future: "asyncio.Future[None]"


class Connection:
    """One paho client on one socket, from CONNECT to its end."""

    def __init__(
        self,
        settings: LinkSettings,
        protocol: MQTTProtocolVersion,
        will: Will | None,
        on_message: Callable[[Received], None],
    ) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._accepted: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[str] = self._loop.create_future()  # why, in words
        self.version_refused = False  # the broker may speak an older MQTT only
        self.silent = False  # it did not answer CONNECT at all
        self._waiting: deque[_Publish] = deque()
        self._in_flight: dict[int, asyncio.Future[None]] = {}
        self._subscribing: dict[int, tuple[list[str], asyncio.Future[None]]] = {}
        self._window = settings.window
        self._socket: Any = None
        self._writing = False
        self._arrived = 0
        self._timer: asyncio.TimerHandle | None = None
        self._client = self._make_client(protocol, will)
        self._protocol = protocol

    def _make_client(self, protocol: MQTTProtocolVersion, will: Will | None) -> Client:
        settings = self._settings
        newest = protocol == MQTTProtocolVersion.MQTTv5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=None if newest else settings.clean_start,
            protocol=protocol,
            reconnect_on_failure=False,  # else paho reconnects inside a callback, blocking the event loop
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)  # the window is kept here, where it costs nothing per message
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        if settings.username is not None:
            client.username_pw_set(settings.username, read_password(settings))
        context = tls_context(settings)
        if context is not None:
            client.tls_set_context(context)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_message = self._received
        client.on_publish = self._published
        client.on_subscribe = self._subscribed
        client.on_socket_close = lambda *_: self._detach()
        client.on_socket_register_write = lambda *_: self._want_write()
        client.on_socket_unregister_write = lambda *_: self._stop_writing()
        return client

    async def open(self) -> None:
        """Connect and wait for the broker's answer; LinkError says why not."""
        settings = self._settings
        keywords: dict[str, Any] = {}
        if self._protocol == MQTTProtocolVersion.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho left it untyped
            properties.SessionExpiryInterval = settings.session_expiry_s
            properties.ReceiveMaximum = settings.receive_maximum
            properties.MaximumPacketSize = MAX_PACKET_BYTES
            keywords = {"clean_start": settings.clean_start, "properties": properties}
        connect = partial(self._client.connect, settings.host, settings.port, settings.keepalive_s, **keywords)
        # Name resolution, TCP and the TLS handshake block, so they run in a worker for as long as they take.
        connecting = self._loop.run_in_executor(None, connect)
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(self._abandon)
            raise
        except (OSError, ValueError) as error:
            raise LinkError(f"no connection to {settings.host}:{settings.port}: {reason_of(error)}") from error
        self._attach()
        trial = settings.protocol == "auto" and self._protocol == MQTTProtocolVersion.MQTTv5
        limit_s = TRIAL_TIMEOUT_S if trial else CONNECT_TIMEOUT_S
        try:
            await asyncio.wait_for(asyncio.shield(self._accepted), limit_s)
        except TimeoutError:
            self.version_refused = self.silent = True
            self._end("no answer to CONNECT")
            raise LinkError(f"{settings.host}:{settings.port} did not answer within {limit_s:g} s") from None
        except asyncio.CancelledError:
            self._end("stopped")
            raise

    def _abandon(self, connecting: "asyncio.Future[MQTTErrorCode]") -> None:
        if not connecting.cancelled() and connecting.exception() is None:
            self._attach()
            self._end("stopped")

    def _attach(self) -> None:
        self._socket = self._client.socket()
        # Else a message waits until the one before has reached the broker, and on a slow link that is what takes long.
        self._socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self._loop.add_reader(self._socket, self._read)
        self._timer = self._loop.call_later(_MISC_PERIOD_S, self._misc)
        self._want_write()

    def _detach(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._stop_writing()
            self._socket = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _want_write(self) -> None:
        # paho also calls from the worker that connects, before the socket is attached: `_attach` makes up for it.
        if self._socket is not None and not self._writing:
            self._writing = True
            self._loop.add_writer(self._socket, self._write)

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._socket)

    def _read(self) -> None:
        # paho reads one packet at a time, or as many as it has publishes on the way; going through the event loop for
        # each costs as much as a small packet. No more at once, though: whoever handles the messages needs his turn.
        start = self._arrived
        while self._arrived - start < _READ_AT_ONCE:
            before = self._arrived
            self._guarded(self._client.loop_read)
            if self._arrived == before:
                break
        # What TLS has already decrypted never makes the socket readable.
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            self._loop.call_soon(self._read_again)

    def _read_again(self) -> None:
        if self._socket is not None:
            self._read()

    def _write(self) -> None:
        self._guarded(self._client.loop_write)

    def _misc(self) -> None:
        self._timer = self._loop.call_later(_MISC_PERIOD_S, self._misc)
        self._guarded(self._client.loop_misc)

    def _guarded(self, step: Callable[[], MQTTErrorCode]) -> None:
        try:
            step()
        except Exception as error:  # whatever a hostile broker makes paho raise ends this connection, not the program
            self._end(f"protocol error: {reason_of(error)}")

    def _connected(
        self, _client: Client, _data: object, _flags: object, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.value >= _REFUSED:
            self.version_refused = reason.value == _UNSUPPORTED_VERSION
            self._end(f"refused: {reason}")
            return
        # A broker may allow less than the window (MQTT 5, 3.2.2.3.3).
        self._window = min(self._window, getattr(properties, "ReceiveMaximum", self._window))
        if not self._accepted.done():
            self._accepted.set_result(None)

    def _disconnected(
        self, _client: Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        if not self._accepted.done():
            # A broker that can't read an MQTT 5 CONNECT mostly just closes.
            self.version_refused = True
        self._end(str(reason))

    def _received(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self._arrived += 1
        try:
            topic = message.topic
        except UnicodeDecodeError:
            logger.warning("ignored a message whose topic is not UTF-8")
            self._ack(message.mid, message.qos)
            return
        received = Received(topic, bytes(message.payload), message.retain, partial(self._ack, message.mid, message.qos))
        try:
            self._on_message(received)
        except Exception:
            logger.exception("the handler of a message on %s failed; it stays unacknowledged", topic)

    def _ack(self, mid: int, qos: int) -> None:
        # After the connection's end the broker has forgotten the number and sends the message again.
        if qos and not self.ended.done():
            self._client.ack(mid, qos)

    def publish(self, topic: str, payload: bytes, qos: int, future: "asyncio.Future[None]", *, retain: bool) -> None:
        """Send, or queue while the window is full; the future ends at PUBACK (QoS 0: when handed to the system)."""
        self._waiting.append(_Publish(topic, payload, qos, retain, future))
        self._pump()

    def _pump(self) -> None:
        while self._waiting and len(self._in_flight) < self._window and not self.ended.done():
            item = self._waiting.popleft()
            if item.future.done():
                continue
            info = self._client.publish(item.topic, item.payload, item.qos, item.retain)
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._in_flight[info.mid] = item.future
            else:
                _fail(item.future, f"publish on {item.topic}: {info.rc.name}")

    def _published(self, _client: Client, _data: object, mid: int, reason: ReasonCode, _properties: object) -> None:
        future = self._in_flight.pop(mid, None)
        if future is not None:
            if reason.value >= _REFUSED:
                _fail(future, f"the broker refused a message: {reason}")
            elif not future.done():
                future.set_result(None)
        if self._waiting:
            # Not from here: paho holds a lock around this callback that publishing takes too.
            self._loop.call_soon(self._pump)

    def subscribe(self, topics: list[tuple[str, int]]) -> "asyncio.Future[None]":
        """Subscribe; the future ends when the broker has granted it, with LinkError when it has not."""
        future: asyncio.Future[None] = self._loop.create_future()
        future.add_done_callback(_retrieved)
        if not topics:
            future.set_result(None)
            return future
        code, mid = self._client.subscribe(topics)
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            _fail(future, f"subscribe: {code.name}")
        else:
            self._subscribing[mid] = ([topic for topic, _ in topics], future)
        return future

    def _subscribed(
        self, _client: Client, _data: object, mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        topics, future = self._subscribing.pop(mid, ([], None))
        if future is None or future.done():
            return
        refused = [
            f"{topic}: {reason}" for topic, reason in zip(topics, reasons, strict=False) if reason.value >= _REFUSED
        ]
        if refused:
            _fail(future, f"the broker refused a subscription: {'; '.join(refused)}")
        else:
            future.set_result(None)

    async def close(self) -> None:
        """Say goodbye, so that the broker keeps the will to itself, and end."""
        if not self.ended.done():
            self._client.disconnect()
            await asyncio.wait([self.ended], timeout=CLOSE_TIMEOUT_S)
        self._end("stopped")

    def _end(self, reason: str) -> None:
        socket = self._socket
        self._detach()
        if socket is not None:
            socket.close()
        if self.ended.done():
            return
        self.ended.set_result(reason)
        if not self._accepted.done():
            self._accepted.set_exception(LinkError(f"{self._settings.host}:{self._settings.port}: {reason}"))
            self._accepted.exception()
        futures = [*self._in_flight.values(), *(item.future for item in self._waiting)]
        futures += [future for _, future in self._subscribing.values()]
        self._in_flight.clear()
        self._waiting.clear()
        self._subscribing.clear()
        for future in futures:
            _fail(future, f"the link broke before the broker answered: {reason}")


def _retrieved(future: "asyncio.Future[None]") -> None:
    """Take note of an exception, so that a caller who doesn't care isn't told about it when the future is freed."""
    if not future.cancelled():
        future.exception()


def _fail(future: "asyncio.Future[None]", reason: str) -> None:
    if not future.done():
        future.set_exception(LinkError(reason))
