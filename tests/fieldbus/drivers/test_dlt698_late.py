"""The proof against late replies for DL/T 698.45: no read ever returns another object's value, or an old one.

A link stalls for 0.5, 1.0 and 1.5 s at a time-out of 0.3 s. Every value tells which point it is, and for which request
it was read.
"""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from dlt698_support import NOW, ONE, TWO, ZONE, Meters, Site, run
from hypothesis import given, settings
from hypothesis import strategies as st
from line_support import FarEnd, MemoryChannel, Watch, bad_delays, over_pty, over_tcp, run_virtual, spoilt

from clock import SystemClock
from fieldbus.bus import LineBus
from fieldbus.channels.base import Channel
from fieldbus.drivers.dlt698 import Dlt698Driver
from fieldbus.exchange import LineCounters, NoReplyError
from fieldbus.line_timing import LineTiming

TIMEOUT_S = 0.3
STALLS_S = (0.5, 1.0, 1.5)
Read = tuple[str, tuple[str, ...]]  # address, points
SAME: Sequence[Read] = ((ONE, ("energy_forward",)), (ONE, ("energy_reverse",)), (ONE, ("power_a",)))
EQUAL: Sequence[Read] = tuple((ONE, (f"energy_forward_{phase}", f"power_{phase}")) for phase in "abc")
DIFFERENT: Sequence[Read] = (
    (ONE, ("energy_forward",)),
    (ONE, ("energy_reverse", "power", "power_a")),
    (ONE, ("energy_forward_t1", "energy_forward_t2", "energy_forward_t3", "apparent_power")),
)
TWO_METERS: Sequence[Read] = ((ONE, ("power",)), (TWO, ("power",)), (ONE, ("power_b",)), (TWO, ("power", "power_c")))
READS = {"one object": SAME[:1], "equal": SAME, "equal lists": EQUAL, "different": DIFFERENT, "two meters": TWO_METERS}
KINDS = {
    "preset": Meters(addresses=(ONE, TWO)),
    "association": Meters(addresses=(ONE, TWO), association={"connect": True}),
    "fragments": Meters(addresses=(ONE, TWO), parameters={"frame_size": 64}, association={"apdu_size": 1024}),
}


def fresh(kind: str) -> Meters:
    meters = KINDS[kind]
    return Meters(meters.name, meters.addresses, meters.parameters, meters.association)


async def poll(
    channel: Channel, meters: Meters, far: FarEnd, reads: Sequence[Read], count: int
) -> tuple[Watch, LineCounters]:
    """Read in turn, as a line does: reconnecting when it must, going on after every failure."""
    bus = LineBus(channel, LineTiming(timeout_s=TIMEOUT_S, gap_s=0.1), SystemClock())
    driver = Dlt698Driver(bus, lambda: NOW, timezone=ZONE)
    watch = Watch()
    for address, names in itertools.islice(itertools.cycle(reads), count):
        await bus.connect()
        store = meters.stores[address]
        block = meters.block(*names)

        async def ask(address: str = address, block: object = block, store: object = store) -> list[tuple[object, int]]:
            return store.read_out(block.decode(await driver.read(address, block)))  # type: ignore[attr-defined,arg-type]

        await watch.read(far, f"{address} {names}", ask, sorted(store.place(name) for name in names))
    return watch, bus.counters


def proven(watch: Watch) -> None:
    """Fail unless every value was right, and new."""
    assert watch.wrong == []
    assert watch.old == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reads", READS)
@pytest.mark.parametrize("stall_s", STALLS_S)
def test_no_wrong_and_no_old_value_after_a_stall(kind: str, reads: str, stall_s: float) -> None:
    """And the reads recover at once when the link is quick again."""
    meters = fresh(kind)
    far = meters.far([0.0, 0.0, stall_s, 0.0, 0.0, 0.0, stall_s])
    watch, counters = run_virtual(poll(MemoryChannel(far), meters, far, READS[reads], 40))
    proven(watch)
    assert watch.right >= 25
    assert watch.last_ok
    assert counters.late >= 1
    assert counters.probes == 0  # a PIID that is not used again tells late replies apart


@pytest.mark.parametrize("reads", READS)
def test_a_link_that_is_slow_for_good_yields_nothing_rather_than_old_values(reads: str) -> None:
    """Every reply comes after its time-out; when that ends, so does the silence."""
    meters = fresh("preset")
    far = meters.far(itertools.chain(itertools.repeat(0.35, 30), itertools.repeat(0.0)))
    watch, counters = run_virtual(poll(MemoryChannel(far), meters, far, READS[reads], 80))
    proven(watch)
    assert watch.last_ok
    assert watch.right >= 30
    assert counters.late >= 20


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from(sorted(KINDS)),
    st.lists(st.sampled_from([read for reads in READS.values() for read in reads]), min_size=1, max_size=5),
)
def test_no_bad_link_ever_yields_a_wrong_or_old_value(seed: int, kind: str, reads: list[Read]) -> None:
    """Any mixture of stalls, losses, repetitions, noise and cut frames, on any plan of reads."""
    source = random.Random(seed)
    meters = fresh(kind)
    far = meters.far(bad_delays(source), spoil=lambda reply: spoilt(source, reply))
    watch, _ = run_virtual(poll(MemoryChannel(far), meters, far, reads, 60))
    proven(watch)


@asynccontextmanager
async def reached(how: str, far: FarEnd) -> AsyncIterator[Channel]:
    """Yield a real channel to the far end."""
    async with over_pty(far) if how == "serial" else over_tcp(far) as channel:
        yield channel


def test_in_real_time_over_real_sockets_and_a_real_terminal() -> None:
    """The figures of the issue, all at once."""

    async def one(how: str, kind: str, reads: str, stall_s: float) -> None:
        meters = fresh(kind)
        far = meters.far([0.0, 0.0, stall_s, 0.0, 0.0, 0.0, stall_s])
        async with reached(how, far) as channel:
            watch, counters = await poll(channel, meters, far, READS[reads], 24)
        proven(watch)
        assert watch.right >= 10, (how, kind, reads, stall_s)
        assert watch.last_ok
        assert counters.late >= 1

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for how in ("serial", "tcp"):
                for reads in ("equal", "different"):
                    for stall_s in STALLS_S:
                        group.create_task(one(how, "preset", reads, stall_s))
            group.create_task(one("tcp", "association", "equal lists", 1.0))
            group.create_task(one("serial", "fragments", "equal lists", 1.0))

    asyncio.run(main())


def test_every_piid_is_used_before_one_is_used_again() -> None:
    """With all 64 out, nothing is asked that could not be told apart; when the meter answers, everything goes on."""
    meters = fresh("preset")
    far = meters.far()
    answer, far.answer = far.answer, lambda _: []
    block = meters.block("power")

    async def scenario(site: Site) -> None:
        for _ in range(64):
            with pytest.raises(NoReplyError, match="no reply within"):
                await site.driver.read(ONE, block)
        piids = [frame.user_data[2] for frame in site.sent()]
        assert sorted(piids) == list(range(64))
        with pytest.raises(NoReplyError, match="so it was not asked"):
            await site.driver.read(ONE, block)
        assert len(site.sent()) == 64
        assert site.bus.counters.probes == 0
        far.answer = answer
        await asyncio.sleep(60)  # of virtual time
        await site.driver.read(TWO, meters.block("power"))  # which shows that the line is alive
        await asyncio.sleep(60)
        await site.driver.read(ONE, block)

    run(far, scenario)


def test_the_probe_of_a_meter_uses_a_piid_of_its_own() -> None:
    meters = fresh("preset")

    async def scenario(site: Site) -> None:
        request = site.driver._requests.make(
            site.driver._meter(ONE), "get_request", ("normal", {"oad": 0x2004_0200}), lambda *_: None, "power"
        )[0]
        assert request.probe is not None
        taken = {(piid, "get_response", 0, 0) for piid in range(64) if piid != 40}
        probe = request.probe(frozenset(taken))
        assert probe is not None
        assert probe.signature == (40, "get_response", 0, 0)
        heard = await site.bus.exchange(probe)
        assert heard is not None
        assert request.probe(frozenset(taken | {probe.signature})) is None

    run(meters.far(), scenario)
