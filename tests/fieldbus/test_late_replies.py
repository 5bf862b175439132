"""The proof against late replies for Modbus: no read ever returns another register's value, or an old one.

A link stalls for 0.5, 1.0 and 1.5 s at a time-out of 0.3 s. Every register tells where it stands, and for which request
it was read.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from line_support import FarEnd, MemoryChannel, Watch, bad_delays, over_pty, over_tcp, run_virtual, spoilt
from modbus_support import Meters, places, read_out

from clock import SystemClock
from fieldbus.bus import LineBus
from fieldbus.channels.base import Channel
from fieldbus.drivers.modbus import ModbusDriver
from fieldbus.exchange import LineCounters
from fieldbus.line_timing import LineTiming

Kind = Literal["rtu", "tcp"]
Block = tuple[int, int, int]  # unit, address, registers

TIMEOUT_S = 0.3
STALLS_S = (0.5, 1.0, 1.5)
EQUAL: Sequence[Block] = ((1, 0, 10), (1, 100, 10), (1, 200, 10))
DIFFERENT: Sequence[Block] = ((1, 0, 10), (1, 100, 20), (1, 200, 60))
TWO_METERS: Sequence[Block] = ((1, 0, 10), (2, 0, 10), (1, 100, 10), (2, 100, 12))
BLOCKS = {"equal": EQUAL, "different": DIFFERENT, "two meters": TWO_METERS}


async def poll(
    channel: Channel, far: FarEnd, kind: Kind, blocks: Sequence[Block], reads: int
) -> tuple[Watch, LineCounters]:
    """Read the blocks in turn, as a line does: reconnecting when it must, going on after every failure."""
    bus = LineBus(channel, LineTiming(timeout_s=TIMEOUT_S, gap_s=0.1), SystemClock())
    driver = ModbusDriver(bus, framing=kind)
    watch = Watch()
    for unit, address, count in itertools.islice(itertools.cycle(blocks), reads):
        await bus.connect()

        async def ask(unit: int = unit, address: int = address, count: int = count) -> list[tuple[object, int]]:
            return read_out(await driver.read_registers(unit, 3, address, count))

        await watch.read(far, f"unit {unit}, {address}", ask, places(3, address, count))
    return watch, bus.counters


def proven(watch: Watch) -> None:
    """Fail unless every value was right, and new."""
    assert watch.wrong == []
    assert watch.old == []


@pytest.mark.parametrize("kind", ["rtu", "tcp"])
@pytest.mark.parametrize("blocks", BLOCKS)
@pytest.mark.parametrize("stall_s", STALLS_S)
def test_no_wrong_and_no_old_value_after_a_stall(kind: Kind, blocks: str, stall_s: float) -> None:
    """And the reads recover: once the link is quick again, one more may be lost and no more."""
    far = FarEnd(Meters(mbap=kind == "tcp", units=(1, 2)).answer, iter([0.0, stall_s, 0.0, 0.0, stall_s]))
    watch, counters = run_virtual(poll(MemoryChannel(far), far, kind, BLOCKS[blocks], 40))
    proven(watch)
    assert watch.right >= 25
    assert watch.last_ok
    assert counters.late >= 2
    assert counters.late + counters.foreign <= counters.timeout  # each comes once at most
    assert counters.ok == watch.right
    assert counters.timeout == len(watch.failed)


@pytest.mark.parametrize("blocks", BLOCKS)
def test_a_link_that_is_slow_for_good_yields_nothing_rather_than_old_values(blocks: str) -> None:
    """Every reply comes after its time-out; when that ends, so does the silence."""
    far = FarEnd(Meters(units=(1, 2)).answer, itertools.chain(itertools.repeat(0.35, 30), itertools.repeat(0.0)))
    watch, counters = run_virtual(poll(MemoryChannel(far), far, "rtu", BLOCKS[blocks], 80))
    proven(watch)
    assert watch.last_ok
    assert watch.right >= 30
    assert counters.late >= 20


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32),
    st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from((0, 50, 100, 150)), st.sampled_from((2, 4, 10, 10, 60))),
        min_size=1,
        max_size=6,
    ),
)
def test_no_bad_link_ever_yields_a_wrong_or_old_value(seed: int, blocks: list[Block]) -> None:
    """Any mixture of stalls, losses, noise and cut frames, on any plan of blocks."""
    source = random.Random(seed)
    far = FarEnd(Meters(units=(1, 2, 3)).answer, bad_delays(source), lambda reply: spoilt(source, reply, repeat=False))
    watch, _ = run_virtual(poll(MemoryChannel(far), far, "rtu", blocks, 60))
    proven(watch)


@asynccontextmanager
async def reached(how: str, far: FarEnd) -> Any:
    """Yield a real channel to the far end."""
    async with over_pty(far) if how == "serial" else over_tcp(far) as channel:
        yield channel


def test_in_real_time_over_real_sockets_and_a_real_terminal() -> None:
    """The figures of the issue, all at once: RTU over TCP, RTU on a serial line, Modbus TCP."""

    async def one(how: str, kind: Kind, blocks: Sequence[Block], stall_s: float) -> None:
        far = FarEnd(Meters(mbap=kind == "tcp").answer, iter([0.0, stall_s, 0.0, 0.0, 0.0, stall_s]))
        async with reached(how, far) as channel:
            watch, counters = await poll(channel, far, kind, blocks, 30)
        proven(watch)
        assert watch.right >= 10, (how, kind, stall_s)  # 20 and more on a machine that has nothing else to do
        assert counters.late >= 1

    async def everything() -> None:
        async with asyncio.TaskGroup() as group:
            for how, kind in (("tcp", "rtu"), ("serial", "rtu"), ("tcp", "tcp")):
                for blocks in (EQUAL, DIFFERENT):
                    for stall_s in STALLS_S:
                        group.create_task(one(how, kind, blocks, stall_s))  # type: ignore[arg-type]

    started = time.monotonic()
    asyncio.run(everything())
    assert time.monotonic() - started >= STALLS_S[-1]  # the stalls were real
