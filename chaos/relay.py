"""A bad link: a TCP relay before the broker that knows where MQTT packets begin and end.

TCP keeps the order of octets, so what a link does to messages is done here to whole packets: a dropped PUBLISH is
acknowledged in the receiver's name, which is how brokers lose messages of QoS 1.
"""

import asyncio
import random
from dataclasses import dataclass

PUBLISH = 3
_TELLING = (PUBLISH, 4)  # PUBACK too: what is held back, and a client can still connect and subscribe
_QOS = 0b0110
_DUPLICATE = 0b1000
_MORE = 0x80  # in a remaining length: another octet follows (MQTT 5, 1.5.5)
_LENGTH_OCTETS = 4
_STOP_S = 5.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to packets, as probabilities of each PUBLISH; a delay of up to `delay_s` concerns every packet."""

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    cut: float = 0.0  # the connection ends in the middle of the packet
    delay_s: float = 0.0


@dataclass(slots=True)
class Counts:
    """What the relay has done."""

    dropped: int = 0
    duplicated: int = 0
    reordered: int = 0
    cut: int = 0


class Relay:
    """Passes connections on to a port of loopback, as well as it is told to."""

    def __init__(self, target_port: int, chance: random.Random) -> None:
        self.port = 0
        self.trouble = Trouble()
        self.silent = False  # connections stand and bring nothing
        self.held: list[str] | None = None  # topics of what the client published since `hold`, nothing of it passed on
        self.withheld: str | None = None  # how the topics of messages end that are dropped, each and every one
        self.counts = Counts()
        self._target_port = target_port
        self._chance = chance
        self._refusing = False
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen on a free port of loopback, `port`."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End every connection and listen no more."""
        if self._server is not None:
            self._server.close()
        self.break_connections()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_S)

    def cut(self) -> None:
        """Break what stands and refuse what comes."""
        self._refusing = True
        self.break_connections()

    def break_connections(self) -> None:
        """End the connections that stand."""
        for task in self._tasks:
            task.cancel()

    def hold(self) -> None:
        """From now on keep the client's messages and acknowledgements from the broker."""
        self.held = []

    def heal(self) -> None:
        """Work well again; connections that have lost octets end first, as they can't go on."""
        if self.silent or self.held is not None:
            self.break_connections()
        self._refusing = self.silent = False
        self.held = self.withheld = None
        self.trouble = Trouble()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._connection(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            if self._refusing:
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
            writers.append(back)
            ways = {
                asyncio.ensure_future(self._pass(reader, writer, back, is_client=True)),
                asyncio.ensure_future(self._pass(there, back, writer, is_client=False)),
            }
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass  # the broker is away: so is the link
        except asyncio.CancelledError:
            pass  # broken on purpose; nobody waits for this task but `stop`
        finally:
            for each in writers:
                each.transport.abort()

    async def _pass(
        self, source: asyncio.StreamReader, back: asyncio.StreamWriter, sink: asyncio.StreamWriter, *, is_client: bool
    ) -> None:
        late: list[bytes] = []  # overtaken by the packet that comes next
        try:
            while True:
                packet = await _packet(source)
                if self.silent:
                    continue
                if is_client and self.held is not None and packet[0] >> 4 in _TELLING:
                    if packet[0] >> 4 == PUBLISH:
                        self.held.append(_topic(packet))
                    continue
                if is_client and self._withholds(packet):
                    back.write(b"\x40\x02" + _number(packet))  # PUBACK
                    continue
                if self.trouble.delay_s:
                    await asyncio.sleep(self._chance.random() * self.trouble.delay_s)
                for each in self._spoilt(packet, back, late):
                    sink.write(each)
                await sink.drain()
        except _CutError as cut:
            sink.write(cut.rest)
            await sink.drain()
        except (OSError, EOFError):
            pass

    def _withholds(self, packet: bytes) -> bool:
        if self.withheld is None or packet[0] >> 4 != PUBLISH or not packet[0] & _QOS:
            return False
        return _topic(packet).endswith(self.withheld)

    def _spoilt(self, packet: bytes, back: asyncio.StreamWriter, late: list[bytes]) -> list[bytes]:
        """Return what is passed on now."""
        trouble, chance = self.trouble, self._chance.random
        overtaken = late[:]
        late.clear()
        if packet[0] >> 4 != PUBLISH or not packet[0] & _QOS:
            return [packet, *overtaken]
        if chance() < trouble.cut:
            self.counts.cut += 1
            raise _CutError(packet[: len(packet) // 2])
        if chance() < trouble.drop:
            self.counts.dropped += 1
            back.write(b"\x40\x02" + _number(packet))  # PUBACK
            return overtaken
        if chance() < trouble.reorder:
            self.counts.reordered += 1
            late.append(packet)
            return overtaken
        if chance() < trouble.duplicate:
            self.counts.duplicated += 1
            return [packet, bytes([packet[0] | _DUPLICATE]) + packet[1:], *overtaken]
        return [packet, *overtaken]


class _CutError(Exception):
    def __init__(self, rest: bytes) -> None:
        super().__init__("cut in the middle of a packet")
        self.rest = rest


async def _packet(source: asyncio.StreamReader) -> bytes:
    """Return the next MQTT packet whole; EOFError at the end."""
    head = await source.readexactly(1)
    length = 0
    for place in range(_LENGTH_OCTETS):
        octet = await source.readexactly(1)
        head += octet
        length |= (octet[0] & ~_MORE) << 7 * place
        if not octet[0] & _MORE:
            break
    return head + await source.readexactly(length)


def _topic_at(packet: bytes) -> tuple[int, int]:
    """Return where the topic of a PUBLISH begins and ends."""
    start = 1
    while packet[start] & _MORE:
        start += 1
    start += 1
    return start + 2, start + 2 + int.from_bytes(packet[start : start + 2], "big")


def _topic(packet: bytes) -> str:
    first, end = _topic_at(packet)
    return packet[first:end].decode()


def _number(packet: bytes) -> bytes:
    _, end = _topic_at(packet)
    return packet[end : end + 2]
