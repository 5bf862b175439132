"""Wrong and old values after late replies: the agent's driver and plain pymodbus on the same link that stalls.

Modbus RTU over TCP, the usual serial server, at a time-out of 0.3 s. Run alone with `python -m bench.late_replies`.
"""

import asyncio
import itertools
import logging
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.framer.rtu import FramerRTU

from clock import SystemClock
from fieldbus.bus import LineBus
from fieldbus.channels.tcp import TcpChannel
from fieldbus.drivers.modbus import ModbusDriver
from fieldbus.exchange import LineError
from fieldbus.line_timing import LineTiming

TIMEOUT_S = 0.3
STALLS_S = (0.5, 1.0, 1.5)
READS = 30
_STALLED = (2, 10)  # which replies

EQUAL = ((0, 10), (100, 10), (200, 10))
DIFFERENT = ((0, 10), (100, 20), (200, 60))

Read = Callable[[int, int], Awaitable[Sequence[int] | None]]
"""Takes address and number of registers; returns what they hold, or None for a failure."""


@dataclass
class Meter:
    """Answers over a stalling link: register pairs hold their address and the number of the request they answer."""

    stall_s: float
    asked: int = 0
    port: int = 0
    _free_at: float = 0.0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Meter"]:
        """Listen; every reply goes to the newest connection."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in self._writers:
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        loop = asyncio.get_running_loop()
        try:
            while True:
                unit, function, address, count = struct.unpack(">BBHHxx", await reader.readexactly(8))
                self.asked += 1
                words = [at if at % 2 == 0 else self.asked for at in range(address, address + count)]
                reply = struct.pack(f">BBB{count}H", unit, function, 2 * count, *words)
                reply += FramerRTU.compute_CRC(reply).to_bytes(2, "big")
                stall_s = self.stall_s if self.asked in _STALLED else 0.0
                self._free_at = max(self._free_at + 1e-4, loop.time() + stall_s)  # in order, whatever comes
                loop.call_at(self._free_at, self._send, reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._writers.remove(writer)
            writer.close()

    def _send(self, reply: bytes) -> None:
        if self._writers:
            self._writers[-1].write(reply)


@dataclass
class Tally:
    """What became of the reads."""

    right: int = 0
    wrong: int = 0
    old: int = 0
    failed: int = 0

    async def poll(self, meter: Meter, blocks: Sequence[tuple[int, int]], read: Read) -> None:
        """Read the blocks in turn."""
        for address, count in itertools.islice(itertools.cycle(blocks), READS):
            before = meter.asked
            words = await read(address, count)
            if words is None:
                self.failed += 1
            elif list(words[::2]) != list(range(address, address + count, 2)):
                self.wrong += 1
            elif min(words[1::2]) <= before:
                self.old += 1
            else:
                self.right += 1

    def text(self, who: str) -> str:
        """Return the tally as a line of text."""
        return (
            f"  {who:<9} {self.wrong:3} wrong, {self.old:3} old values; {self.right:3} right, "
            f"{self.failed:3} reads without a value"
        )

    def add(self, other: "Tally") -> None:
        """Take in another's."""
        self.right += other.right
        self.wrong += other.wrong
        self.old += other.old
        self.failed += other.failed


async def _agent(blocks: Sequence[tuple[int, int]], stall_s: float) -> Tally:
    tally = Tally()
    async with Meter(stall_s).serving() as meter:
        bus = LineBus(TcpChannel("127.0.0.1", meter.port, 5.0), LineTiming(timeout_s=TIMEOUT_S), SystemClock())
        driver = ModbusDriver(bus)

        async def read(address: int, count: int) -> Sequence[int] | None:
            try:
                await bus.connect()
                data = await driver.read_registers(1, 4, address, count)
            except LineError:
                return None
            return struct.unpack(f">{count}H", data)

        await tally.poll(meter, blocks, read)
        bus.close()
    return tally


async def _peer(blocks: Sequence[tuple[int, int]], stall_s: float) -> Tally:
    tally = Tally()
    async with Meter(stall_s).serving() as meter:
        client = AsyncModbusTcpClient(
            "127.0.0.1", port=meter.port, framer=FramerType.RTU, timeout=TIMEOUT_S, retries=0, reconnect_delay=0.05
        )
        await client.connect()

        async def read(address: int, count: int) -> Sequence[int] | None:
            try:
                if not client.connected:
                    await client.connect()
                reply = await client.read_input_registers(address, count=count, device_id=1)
            except ModbusException:
                return None
            return None if reply.isError() or not reply.registers else reply.registers

        await tally.poll(meter, blocks, read)
        client.close()
    return tally


async def _all(
    one: Callable[[Sequence[tuple[int, int]], float], Awaitable[Tally]], blocks: Sequence[tuple[int, int]]
) -> Tally:
    total = Tally()
    for tally in await asyncio.gather(*(one(blocks, stall_s) for stall_s in STALLS_S)):
        total.add(tally)
    return total


def run() -> list[str]:
    """Return the result as lines of text."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    lines = [f"late replies: RTU over TCP, time-out {TIMEOUT_S} s, stalls of {STALLS_S} s, {READS} reads each"]
    for name, blocks in (("blocks of equal length", EQUAL), ("blocks of different lengths", DIFFERENT)):
        agent, peer = asyncio.run(_all(_agent, blocks)), asyncio.run(_all(_peer, blocks))
        lines += [name, agent.text("agent"), peer.text("pymodbus")]
    return lines


if __name__ == "__main__":
    print("\n".join(run()))
