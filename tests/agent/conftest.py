"""A Modbus TCP responder that can misbehave, a small centre, and configurations for the tests of the agent."""

import asyncio
import struct
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cbor2
import pytest
from key_support import new_key

from clock import Clock, SimulatedClock, SystemClock
from wire import keys, topics
from wire.connection import LinkSettings, Received
from wire.envelope import KeyRing, Signer, open_envelope
from wire.link import Link
from wire.messages import Acknowledgement, Factors

# Tests are no packages (importmode=importlib): what they share beside fixtures is found by its directory.
sys.path.insert(0, str(Path(__file__).parent))

from gateway_support import Scene  # needs the path above

ORIGIN_MS = 1_767_196_800_000  # 2026-01-01T00:00:00+08:00, a local midnight

Fault = Callable[["Request", bytes], Awaitable[bytes | None]]


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    transaction: int
    unit: int
    function: int
    address: int
    count: int
    words: tuple[int, ...] = ()


@dataclass
class Responder:
    """Serves registers over Modbus TCP; `registers(unit, address)` gives each one, `fault` may spoil a reply."""

    registers: Callable[[int, int], int] = lambda _unit, address: address
    fault: Fault | None = None
    requests: list[Request] = field(default_factory=list)
    written: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it leaves."""
        self.connections += 1
        self.writers.add(writer)
        try:
            while True:
                header = await reader.readexactly(7)
                transaction, _, length, unit = struct.unpack(">HHHB", header)
                body = await reader.readexactly(length - 1)
                function, address, count = struct.unpack_from(">BHH", body)
                words: tuple[int, ...] = ()
                if function == 16:
                    words = struct.unpack(f">{count}H", body[6:])
                elif function == 6:
                    words = (count,)
                request = Request(transaction, unit, function, address, count, words)
                (self.written if words else self.requests).append(request)
                reply: bytes | None = self.reply(request)
                if self.fault is not None:
                    reply = await self.fault(request, reply)
                if reply is None:
                    continue
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    def reply(self, request: Request, **changes: int) -> bytes:
        """Return the right reply, or one of another unit, transaction, function or count."""
        unit = changes.get("unit", request.unit)
        function = changes.get("function", request.function)
        count = changes.get("count", request.count)
        if request.words:
            body = struct.pack(">BHH", function, request.address, request.count)
        else:
            values = [self.registers(request.unit, request.address + i) for i in range(count)]
            body = struct.pack(f">BB{count}H", function, 2 * count, *values)
        transaction = changes.get("transaction", request.transaction)
        return struct.pack(">HHHB", transaction, 0, len(body) + 1, unit) + body

    def exception(self, request: Request, code: int) -> bytes:
        """Return an exception reply."""
        return struct.pack(">HHHBBB", request.transaction, 0, 3, request.unit, request.function | 0x80, code)

    @asynccontextmanager
    async def listening(self) -> Any:
        """Listen on a free port of loopback, or again on the one it had."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in list(self.writers):
                writer.close()
            await server.wait_closed()
            await asyncio.sleep(0)


@pytest.fixture
def responder() -> Responder:
    """Return a responder whose registers hold their own addresses."""
    return Responder()


def meter_registers(clock: Clock, power_kw: int = 60) -> Callable[[int, int], int]:
    """Return registers of profile sim-carbon-meter for a constant power; each unit started with unit * 1000 kWh."""

    def register(unit: int, address: int) -> int:
        if address < 4:
            energy = unit * 10**9 + power_kw * 10**6 * (clock.now_ms() - ORIGIN_MS) // 3_600_000
            return energy >> 16 * (3 - address) & 0xFFFF
        return 0

    return register


@dataclass
class Site:
    """A gateway's directory: keys and configuration."""

    directory: Path
    config: Path
    centre_key: Any
    gateway_public: Any

    def write(self, text: str) -> Path:
        """Write the configuration."""
        self.config.write_text(text, "utf-8")
        return self.config

    def configure(
        self, *, broker_port: int, meter_ports: list[int], extra: str = "", poll: int = 60, polls_only: bool = True
    ) -> Path:
        """Write a configuration with one meter a line; `polls_only`: nothing beside the polls is asked for."""
        if polls_only:
            extra += "\n[freezes]\nread = false\n[meter_clocks]\ncheck_minutes = 0\n"
        lines = "".join(
            f'[[line]]\nname = "line-{i}"\ntransport = "modbus-tcp"\nhost = "127.0.0.1"\nport = {port}\n'
            f'[[line.meter]]\nid = "meter-{i}"\nunit = {i}\nprofile = "sim-carbon-meter"\npoll_seconds = {poll}\n'
            "rated_kw = 120\n"
            for i, port in enumerate(meter_ports, 1)
        )
        return self.write(
            '[gateway]\nid = "gw-1"\nstation = "station-1"\ndata_dir = "data"\nkey_file = "gateway.key"\n'
            '[centre]\nkey_file = "centre.pub"\n'
            f'[broker]\nhost = "127.0.0.1"\nport = {broker_port}\n'
            f'[factor]\nnode = "node-1"\n{extra}\n{lines}'
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Make keys of a gateway and a centre."""
    gateway, centre = new_key(), new_key()
    keys.save_private(gateway, tmp_path / "gateway.key")
    keys.save_public(centre.public_key(), tmp_path / "centre.pub")
    return Site(tmp_path, tmp_path / "agent.toml", centre, gateway.public_key())


@dataclass
class Centre:
    """Takes batches as a receiver does: verifies, keeps each sequence once, acknowledges; can lose what it sends."""

    site: Site
    port: int
    clock: Clock = field(default_factory=SystemClock)
    stored: dict[int, bytes] = field(default_factory=dict)  # sequence: the batch's payload that brought it first
    batches: list[tuple[int, int]] = field(default_factory=list)
    contexts: list[bytes] = field(default_factory=list)
    statuses: list[bytes] = field(default_factory=list)
    lives: list[bytes] = field(default_factory=list)
    deaf: bool = False  # loses what comes, as a crashed centre behind a broker would
    mute: bool = False  # stores, but its acknowledgements get lost
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.signer = Signer(self.site.centre_key)
        self.ring = KeyRing()
        self.ring.add(self.site.gateway_public, "gw-1")
        self.link = Link(
            LinkSettings("127.0.0.1", self.port, "centre", reconnect_min_ms=50, reconnect_max_ms=200),
            SystemClock(),
            on_message=self.take,
        )

    @asynccontextmanager
    async def running(self) -> Any:
        """Stay connected."""
        for topic in (topics.ALL_RECORDS, topics.ALL_STATUS):
            self.link.subscribe(topic, 1)
        self.link.subscribe(topics.ALL_LIVE, 0)
        await self.link.start()
        await self.link.wait_connected()
        try:
            yield self
        finally:
            await self.link.stop()

    def take(self, received: Received) -> None:
        """Store a message."""
        received.ack()
        payload = open_envelope(received.payload, received.topic, self.ring).payload
        self.changed.set()
        kind = topics.parse_up(received.topic)[1]
        if kind != "records":
            (self.statuses if kind == "status" else self.lives).append(payload)
            return
        if self.deaf:
            return
        value = cbor2.loads(payload)
        first, count, context = value[3], value[4], value[2]
        if context not in self.contexts:
            self.contexts.append(context)
        self.batches.append((first, count))
        for sequence in range(first, first + count):
            self.stored.setdefault(sequence, payload)
        if not self.mute:
            self.acknowledge()

    def acknowledge(self) -> None:
        """Tell the gateway what is stored."""
        up_to = 0
        while up_to + 1 in self.stored:
            up_to += 1
        missing, low = [], up_to + 1
        for sequence in sorted(sequence for sequence in self.stored if sequence > up_to):
            if sequence > low:
                missing.append((low, sequence - 1))
            low = sequence + 1
        highest = max(self.stored) if missing else 0
        message = Acknowledgement("gw-1", self.contexts[-1], up_to, tuple(missing), self.clock.now_ms(), highest)
        self.send(topics.acknowledgement("gw-1"), message.encode())

    def send(self, topic: str, payload: bytes, signer: Signer | None = None, *, retain: bool = False) -> None:
        """Sign and publish."""
        self.link.publish(topic, (signer or self.signer).sign(payload, topic), 1, retain=retain)

    def dispatch(self, start_ms: int, *factors: int | None, issued_ms: int = 1) -> None:
        """Publish factors of consecutive slots."""
        message = Factors("node-1", b"solve", issued_ms, 900_000, start_ms, factors)
        self.send(topics.factor("node-1"), message.encode(), retain=True)

    async def until(self, condition: Callable[[], bool], limit_s: float = 30) -> None:
        """Wait until something about what was received is true."""
        async with asyncio.timeout(limit_s):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def fast_clock() -> Iterator[SimulatedClock]:
    """Return a clock in which a quarter of an hour takes half a second."""
    return SimulatedClock(ORIGIN_MS, 1800, time.monotonic_ns() // 1_000_000)


@pytest.fixture
def make_centre(site: Site) -> Callable[..., Centre]:
    """Return a maker of centres for the site's keys."""
    return lambda port, **settings: Centre(site, port, **settings)


@pytest.fixture
def registers_of() -> Callable[..., Callable[[int, int], int]]:
    """Return the maker of a meter's registers."""
    return meter_registers


@pytest.fixture
def scene(mosquitto: Any, site: Any, responder: Any, fast_clock: Any, registers_of: Any) -> Scene:
    """Return a broker, keys, a responder that meters constant power, and a fast clock."""
    responder.registers = registers_of(fast_clock)
    return Scene(mosquitto, site, responder, fast_clock)
