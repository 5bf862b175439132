"""Modbus, DL/T 645 and DL/T 698.45 on one line that stalls and spoils: each driver gets its own, and nothing old."""

import itertools
import random
from collections.abc import Awaitable, Callable, Sequence

import pytest
from dlt698_support import Meters as Meters698
from line_support import FarEnd, MemoryChannel, Watch, run_virtual
from modbus_support import Meters, places, read_out

from clock import SystemClock
from diantan_core import Dlt645Frame, Dlt645Parser, dlt645_build, dlt645_parse
from fieldbus.bus import LineBus
from fieldbus.drivers.dlt645 import Dlt645Driver
from fieldbus.drivers.dlt698 import Dlt698Driver
from fieldbus.drivers.modbus import ModbusDriver
from fieldbus.exchange import LineCounters
from fieldbus.line_timing import LineTiming

TIMEOUT_S = 0.3
METER_645 = "000000000645"
METER_698 = "000000000698"
NOW_MS = 1_743_654_005_000
IDENTIFIERS = (0x0001_0000, 0x0201_0100)


class Station:
    """One line with a meter of each protocol; every value tells what it is and which request it answers."""

    def __init__(self) -> None:
        self.modbus = Meters()
        self.dlt698 = Meters698(addresses=(METER_698,))
        self.asked = 0
        self._of_698 = self.dlt698.far([]).answer
        for store in self.dlt698.stores.values():
            store.asked = lambda: self.asked

    def answer(self, data: bytes) -> Sequence[bytes]:
        """Let the meter that understands a request answer it."""
        self.asked += 1
        frames = [event for event in Dlt645Parser().feed(data) if isinstance(event, Dlt645Frame)]
        if frames:
            return [self._answer_645(frame) for frame in frames if frame.address == METER_645]
        if data.startswith((b"\xfe", b"\x68")):
            return self._of_698(data)
        self.modbus.seen[:] = [(0, b"")] * (self.asked - 1)  # its counter is the line's
        return self.modbus.answer(data)

    def _answer_645(self, frame: Dlt645Frame) -> bytes:
        message = dlt645_parse(frame)
        if message["kind"] == "read_address":
            return dlt645_build(METER_645, {"kind": "read_address", "reply": True, "address": METER_645}).encode()
        data = message["di"].to_bytes(4, "big") + self.asked.to_bytes(4, "big")
        reply = {"kind": "read", "reply": True, "di": message["di"], "data": data, "more": False}
        return dlt645_build(METER_645, reply).encode()


Ask = Callable[[], Awaitable[Sequence[tuple[object, int]]]]


async def poll(station: Station, far: FarEnd, reads: int) -> tuple[Watch, LineCounters]:
    """Read from each meter in turn, two things from each."""
    bus = LineBus(MemoryChannel(far), LineTiming(timeout_s=TIMEOUT_S, gap_s=0.1), SystemClock())
    modbus = ModbusDriver(bus)
    dlt645 = Dlt645Driver(bus)
    dlt698 = Dlt698Driver(bus, lambda: NOW_MS)
    store = station.dlt698.stores[METER_698]

    def registers(address: int) -> tuple[Ask, Sequence[object]]:
        async def ask() -> Sequence[tuple[object, int]]:
            return read_out(await modbus.read_registers(1, 3, address, 10))

        return ask, places(3, address, 10)

    def item(di: int) -> tuple[Ask, Sequence[object]]:
        async def ask() -> Sequence[tuple[object, int]]:
            data = await dlt645.query(METER_645, di)
            return [(int.from_bytes(data[:4], "big"), int.from_bytes(data[4:], "big"))]

        return ask, [di]

    def point(name: str) -> tuple[Ask, Sequence[object]]:
        block = station.dlt698.block(name)

        async def ask() -> Sequence[tuple[object, int]]:
            return store.read_out(block.decode(await dlt698.read(METER_698, block)))

        return ask, [store.place(name)]

    plan = [
        registers(0), item(IDENTIFIERS[0]), point("energy_forward"),
        registers(100), item(IDENTIFIERS[1]), point("energy_reverse"),
    ]  # fmt: skip
    watch = Watch()
    for ask, place in itertools.islice(itertools.cycle(plan), reads):
        await bus.connect()
        await watch.read(far, str(place), ask, place)
    return watch, bus.counters


@pytest.mark.parametrize("stall_s", [0.5, 1.0, 1.5])
def test_late_replies_of_one_protocol_are_no_noise_to_another(stall_s: float) -> None:
    """They are late, not corrupt, and no other meter loses an answer by them."""
    station = Station()
    far = FarEnd(station.answer, iter([0.0] * 7 + [stall_s, 0.0, 0.0, stall_s]))
    watch, counters = run_virtual(poll(station, far, 60))
    assert (watch.wrong, watch.old) == ([], [])
    assert watch.last_ok
    assert watch.right >= 40
    assert counters.corrupt == 0
    assert counters.late >= 2


def test_an_undisturbed_line_is_undisturbed() -> None:
    """Nothing is late, foreign or corrupt because several protocols listen."""
    station = Station()
    watch, counters = run_virtual(poll(station, FarEnd(station.answer), 60))
    assert (watch.right, watch.failed) == (60, [])
    assert (counters.late, counters.foreign, counters.corrupt, counters.probes) == (0, 0, 0, 0)


@pytest.mark.parametrize("seed", range(20))
def test_no_bad_line_ever_yields_a_wrong_or_old_value(seed: int) -> None:
    """Stalls, losses, cut frames and noise, at random."""
    source = random.Random(seed)

    def spoil(reply: bytes) -> list[tuple[float, bytes]]:
        where = source.randrange(len(reply))
        match source.randrange(10):
            case 0:
                return []
            case 1:
                return [(0.0, reply[:where]), (source.uniform(0, 0.8), reply[where:])]
            case 2:
                return [(0.0, source.randbytes(3) + reply + source.randbytes(2))]
            case 3:
                return [(0.0, reply[:where] + bytes((reply[where] ^ 4,)) + reply[where + 1 :])]
            case _:
                return [(0.0, reply)]

    delays = iter(lambda: source.choice((0.0, 0.0, 0.0, source.uniform(0, 2))), None)
    station = Station()
    watch, _ = run_virtual(poll(station, FarEnd(station.answer, delays, spoil), 60))
    assert (watch.wrong, watch.old) == ([], [])
    assert watch.right > 0
