"""The MQTT link of a program: connects, renews its subscriptions after every break, and never gives up."""

import asyncio
import logging
import random
from collections.abc import Callable

from paho.mqtt.enums import MQTTProtocolVersion

from clock import Clock
from wire.connection import Connection, Received, Will
from wire.link_settings import LinkError, LinkSettings, read_password, tls_context
from wire.tasks import end

__all__ = ["Link", "LinkError", "LinkSettings", "Received", "Will"]

logger = logging.getLogger("wire.link")

# An accelerated clock must not turn the back-off into a busy loop.
_MIN_BACKOFF_S = 0.05


class Link:
    """An asyncio MQTT client that holds one connection to one broker for as long as it runs.

    MQTT 5 where the broker speaks it, 3.1.1 elsewhere. Messages are acknowledged by whoever received them. A publish
    that the broker has not acknowledged when the connection breaks fails with LinkError and is not sent again: the
    caller has it in a journal.
    """

    def __init__(
        self,
        settings: LinkSettings,
        clock: Clock,
        *,
        will: tuple[str, bytes, int, bool] | None = None,
        on_message: Callable[[Received], None] = lambda _: None,
        on_connect: Callable[[], None] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._will = None if will is None else Will(*will)
        self._on_message = on_message
        self._on_connect = on_connect
        self._jitter = jitter
        self._subscriptions: dict[str, int] = {}
        self._pending: set[asyncio.Future[None]] = set()
        self._connection: Connection | None = None
        older = settings.protocol == "3.1.1"
        self._protocol = MQTTProtocolVersion.MQTTv311 if older else MQTTProtocolVersion.MQTTv5
        self._stay = settings.protocol != "auto"
        self._task: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        self._told: set[str] = set()
        self.trouble: str | None = None  # why the last attempt to connect failed; None: it did not

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and it has not been seen to break."""
        return self._connection is not None and not self._connection.ended.done()

    async def start(self) -> None:
        """Begin to connect, and return at once; LinkError when the password or a TLS file can't be read."""
        if self._task is not None:
            raise LinkError("the link is already started")
        await asyncio.to_thread(read_password, self._settings)
        await asyncio.to_thread(tls_context, self._settings)
        self._task = asyncio.create_task(self._run(), name=f"link {self._settings.client_id}")

    async def stop(self) -> None:
        """Disconnect in good order: the will is not published."""
        task, self._task = self._task, None
        if task is not None:
            await end({task})
        connection, self._connection = self._connection, None
        self._up.clear()
        if connection is not None:
            await connection.close()

    async def wait_connected(self) -> None:
        """Wait until the connection stands and the broker has answered every subscription."""
        while True:
            await self._up.wait()
            if self._pending:
                await asyncio.wait(set(self._pending))
            if self.connected and not self._pending:
                return
            await asyncio.sleep(0)

    def subscribe(self, topic: str, qos: int) -> None:
        """Subscribe now, if connected, and after every reconnection; a refusal is logged."""
        self._subscriptions[topic] = qos
        if self._connection is not None and self.connected:
            self._send_subscriptions(self._connection, [(topic, qos)])

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
        """Send a message; the future is done at PUBACK (QoS 0: once sent) and raises LinkError if that can't come."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Callers who send live values don't look at the outcome, and shall not be told of it by the garbage collector.
        future.add_done_callback(_retrieved)
        if self._connection is None or not self.connected:
            future.set_exception(LinkError(f"not connected to {self._settings.host}:{self._settings.port}"))
        else:
            self._connection.publish(topic, payload, qos, future, retain=retain)
        return future

    async def _run(self) -> None:
        failures = 0
        while True:
            connection: Connection | None = None
            try:
                connection = Connection(self._settings, self._protocol, self._will, self._on_message)
                await connection.open()
            except LinkError as error:
                if connection is not None and connection.version_refused and self._other_version(connection):
                    continue
                self._tell(str(error))
            else:
                failures = 0
                self._opened(connection)
                reason = await asyncio.shield(connection.ended)
                self._connection = None
                self._up.clear()
                self._newest_again()
                logger.warning("connection to %s lost: %s", self._where, reason)
            failures += 1
            await asyncio.sleep(self._backoff_s(failures))

    def _other_version(self, connection: Connection) -> bool:
        """Change the version of MQTT after a refusal; return whether to try it at once."""
        if self._settings.protocol != "auto":
            return False
        newest = self._protocol == MQTTProtocolVersion.MQTTv5
        self._protocol = MQTTProtocolVersion.MQTTv311 if newest else MQTTProtocolVersion.MQTTv5
        self._stay = newest and connection.silent
        return newest

    def _newest_again(self) -> None:
        # What made the broker refuse MQTT 5 may be over; only where it was silent is asking again not worth the wait.
        if not self._stay:
            self._protocol = MQTTProtocolVersion.MQTTv5

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _opened(self, connection: Connection) -> None:
        self._told.clear()
        self.trouble = None
        version = "5" if self._protocol == MQTTProtocolVersion.MQTTv5 else "3.1.1"
        logger.info("connected to %s with MQTT %s", self._where, version)
        self._connection = connection
        self._send_subscriptions(connection, list(self._subscriptions.items()))
        self._up.set()
        if self._on_connect is not None:
            try:
                self._on_connect()
            except Exception:
                logger.exception("what was to follow the connection failed")

    def _send_subscriptions(self, connection: Connection, topics: list[tuple[str, int]]) -> None:
        future = connection.subscribe(topics)
        self._pending.add(future)
        future.add_done_callback(self._subscribed)

    def _subscribed(self, future: "asyncio.Future[None]") -> None:
        self._pending.discard(future)
        error = None if future.cancelled() else future.exception()
        if error is not None and self.connected:
            logger.error("%s", error)

    def _tell(self, reason: str) -> None:
        """Log each reason once until the next connection: a broker may be away for days."""
        self.trouble = reason
        if reason not in self._told:
            self._told.add(reason)
            logger.warning("%s; trying again until it works", reason)

    def _backoff_s(self, failures: int) -> float:
        """Return the next wait: doubling, and up to half of it random so that gateways don't return in one wave."""
        ceiling_ms = min(self._settings.reconnect_min_ms * 2 ** min(failures - 1, 16), self._settings.reconnect_max_ms)
        return max(self._clock.to_real_seconds(ceiling_ms * (1 - self._jitter() / 2)), _MIN_BACKOFF_S)


def _retrieved(future: "asyncio.Future[None]") -> None:
    if not future.cancelled():
        future.exception()
