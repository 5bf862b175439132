"""Host-built firmware in miniature: a whole electricity-carbon meter on the bench's sample stream, in plain Python.

    python host_firmware.py BENCH_HOST:PORT MODBUS_PORT

It connects to the sample stream (docs/inspection.md has the protocol), integrates the samples in whole numbers, gives
energy and carbon pulses, takes carbon factors (电碳因子), freezes at midnight (日冻结, UTC+8) and answers Modbus TCP as
host_firmware.toml says. Your own firmware replaces `Meter`; the rest is what it takes to put it on the bench.
"""

import asyncio
import struct
import sys
from array import array
from collections import deque
from itertools import accumulate
from operator import add, mul

HEAD, HELLO = struct.Struct("<4sI"), struct.Struct("<10Iq")
PJ_PER_MWH, QUARTER_MS, DAY_MS, ZONE_MS = 3_600_000_000_000, 900_000, 86_400_000, 28_800_000
NO_FACTOR, FREEZES, FACTOR, READ, WRITE, LENGTHS = 0xFFFF_FFFF, 0x1000, 0x4000, 4, 16, range(6, 255)


class Meter:
    """Registers, clock, pulses. Energy is kept in pJ times the sample rate, carbon in that times mg/kWh."""

    def __init__(self, hello: bytes) -> None:
        _, self.rate, self.phases, *_, constant, carbon_constant, _, self.start_ms = HELLO.unpack_from(hello)
        self.index, self.powered, self.factor, self.since = 0, True, NO_FACTOR, 0  # the index is the clock
        self.energy, self.carbon = [0, 0], [0, 0]  # forward, reverse
        self.coming: dict[int, int] = {}  # factors by the ms at which their slot begins
        self.freezes: deque[bytes] = deque(maxlen=30)
        self.recent: list[int] = []  # the last period, whose sum says which way the energy flows
        self.unit: int = self.rate * PJ_PER_MWH
        self.steps = {1: 10**6 * self.unit // constant if constant else 0}
        self.steps[2] = 10**12 * self.unit // carbon_constant if carbon_constant else 0
        self.due = dict(self.steps)  # at what sum the next pulse comes
        self.wanted = 3  # which pulses the bench waits for: 1 energy, 2 carbon

    def now_ms(self) -> int:
        """Return the time of the next sample in ms UTC."""
        return int(self.start_ms + self.index * 1000 // self.rate)

    def samples(self, octets: bytes) -> bytes:
        """Meter the samples of a frame; return the pulses in it."""
        values, width = array("i", octets), 2 * self.phases
        if sys.byteorder == "big":
            values.byteswap()
        power = list(map(mul, values[::width], values[1::width]))
        for place in range(2, width, 2):
            power = list(map(add, power, map(mul, values[place::width], values[place + 1 :: width])))
        self.recent = (self.recent + power)[-self.rate // 50 :]
        if reverse := sum(self.recent) < 0:
            power = [-value for value in power]
        pulses = self.pulses(1, sum(self.energy), power)
        self.energy[reverse] += sum(power)
        if self.factor != NO_FACTOR:
            weighed = [value * self.factor for value in power]
            pulses += self.pulses(2, sum(self.carbon), weighed)
            self.carbon[reverse] += sum(weighed)
        self.passed(len(power))
        return pulses

    def pulses(self, kind: int, before: int, added: list[int]) -> bytes:
        """Return a PULS frame for each step that is completed in these samples, where the bench waits for such."""
        found, near = b"", self.steps[kind] and before + max(added) * len(added) >= self.due[kind]
        for number, after in enumerate(accumulate(added, initial=before), -1) if near else ():
            while number >= 0 and after >= self.due[kind]:
                part = ((self.due[kind] - after + added[number]) << 32) // added[number]
                if kind & self.wanted:
                    found += HEAD.pack(b"PULS", 16)
                    found += struct.pack("<QII", self.index + number, kind, min(part, 2**32 - 1))
                self.due[kind] += self.steps[kind]
        return found

    def passed(self, count: int) -> None:
        """Let so many samples' time pass; a quarter of an hour begins at the earliest behind the last of them."""
        before_ms, self.index = self.now_ms(), self.index + count
        for start in sorted(start for start in self.coming if start <= self.now_ms()):
            factor = self.coming.pop(start)
            if start >= self.since:  # one that comes for a slot before that of the present one comes too late
                self.since, self.factor = start, factor
        day, into_day_ms = divmod(self.now_ms() + ZONE_MS, DAY_MS)
        if day > (before_ms + ZONE_MS) // DAY_MS:
            self.freezes.appendleft(struct.pack(">I4Q", (self.now_ms() - into_day_ms) // 1000, *self.totals()))

    def totals(self) -> tuple[int, ...]:
        """Return energies in mWh and carbons in ug."""
        return (*(value // self.unit for value in self.energy), *(value // self.unit // 1000 for value in self.carbon))

    def take_factor(self, start_ms: int, factor: int) -> bool:
        """Take the factor of a slot."""
        taken = start_ms % QUARTER_MS == 0 and -DAY_MS < start_ms - self.now_ms() <= 2 * DAY_MS
        self.coming |= {start_ms: factor} if taken else {}
        self.passed(0)  # that of the present slot is in force
        return taken

    def answer(self, pdu: bytes) -> bytes:
        """Return the answer to a Modbus request."""
        function, address, count = struct.unpack_from(">BHH", pdu)
        image = struct.pack(">4QIQ", *self.totals(), self.factor, self.now_ms())
        if address >= FREEZES:
            address, image = address - FREEZES, b"".join(self.freezes).ljust(30 * 36, b"\xff")
        octets = image[2 * address :][: 2 * count]
        if function == READ and 0 < 2 * count == len(octets):
            return bytes((READ, 2 * count)) + octets
        if function == WRITE and (address, count, len(pdu)) == (FACTOR - FREEZES, 4, 14):
            start_s, factor = struct.unpack_from(">II", pdu, 6)
            return pdu[:5] if self.take_factor(start_s * 1000, factor) else b"\x90\x03"
        return bytes((function | 0x80, 2 if function in (READ, WRITE) else 1))


async def serve(meter: Meter, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one Modbus TCP client, until it sends what is no request or stops in the middle of one."""
    try:
        while head := await reader.readexactly(1):
            async with asyncio.timeout(0.5):
                number, protocol, length, unit = struct.unpack(">HHHB", head + await reader.readexactly(6))
                if protocol or length not in LENGTHS:
                    return writer.close()
                pdu = await reader.readexactly(length - 1)
            if meter.powered and unit == 1:
                answer = meter.answer(pdu)
                writer.write(struct.pack(">HHHB", number, 0, len(answer) + 1, unit) + answer)
    except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):  # a time-out is an OSError
        writer.close()


async def run(host: str, port: int, modbus_port: int) -> None:
    """Meter what the bench sends until it hangs up."""
    reader, writer = await asyncio.open_connection(host, port)
    _, length = HEAD.unpack(await reader.readexactly(HEAD.size))
    meter = Meter(await reader.readexactly(length))
    await asyncio.start_server(lambda *ends: serve(meter, *ends), "127.0.0.1", modbus_port)
    writer.write(HEAD.pack(b"HELO", 12) + struct.pack("<3I", 1, 1, 7))  # version, SAMP, both pulses and power cuts
    while head := await reader.read(HEAD.size):
        letters, length = HEAD.unpack(head + await reader.readexactly(HEAD.size - len(head)))
        rest = await reader.readexactly(length)
        if letters == b"SAMP":
            meter.powered = True
            writer.write(meter.samples(rest[8:]))
        elif letters == b"PASS":
            _, count, meter.powered = struct.unpack("<QQ?3x", rest)
            meter.passed(count)
        elif letters == b"WANT":
            meter.wanted = int.from_bytes(rest[:4], "little")
        elif letters == b"FAIL":
            sys.exit(rest.decode())
        writer.write(HEAD.pack(b"ACK ", 8) + struct.pack("<Q", meter.index))
        await writer.drain()


if __name__ == "__main__":
    bench_host, _, bench_port = sys.argv[1].rpartition(":")
    asyncio.run(run(bench_host, int(bench_port), int(sys.argv[2])))
