"""No late reply of a meter on DL/T 645-2007 is ever taken for the answer to another question."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from dlt645_support import (
    ENERGY,
    FREQUENCY,
    ONE,
    TIMING,
    TWO,
    VOLTAGE,
    Site,
    real,
    requests,
    run,
)
from line_support import FarEnd, Watch

from diantan_core import Dlt645Frame, Dlt645Parser, dlt645_build, dlt645_parse
from fieldbus.exchange import NoReplyError, RefusedError
from fieldbus.line_timing import LineTiming

STALLS = (0.5, 1.0, 1.5)
REFUSAL = dlt645_build(ONE, {"kind": "read", "reply": True, "error": 0x02}).encode()


class Counting:
    """Answers every read with the identifier and the number of the request, so that a value tells what it is."""

    def __init__(self, long: frozenset[int] = frozenset()) -> None:
        self.count = 0
        self._long = long  # identifiers whose data come in two frames

    def answer(self, data: bytes) -> list[bytes]:
        (frame,) = [event for event in Dlt645Parser().feed(data) if isinstance(event, Dlt645Frame)]
        message = dlt645_parse(frame)
        self.count += 1
        said: dict[str, Any] = {"kind": message["kind"], "reply": True}
        if message["kind"] == "read_address":
            said["address"] = frame.address
        else:
            di = message["di"]
            value = (
                int(frame.address[-4:], 16).to_bytes(2, "big") + di.to_bytes(4, "big") + self.count.to_bytes(4, "big")
            )
            more = message["kind"] == "read" and di in self._long
            said |= {"di": di, "data": value, "more": more}
            if message["kind"] == "read_next":
                said["seq"] = message["seq"]
        return [dlt645_build(frame.address, said).encode()]


def told(data: bytes) -> list[tuple[object, int]]:
    """Return (address and identifier, number of the request) for each frame's data."""
    parts = [data[start : start + 10] for start in range(0, len(data), 10)]
    return [((part[:2].hex(), int.from_bytes(part[2:6], "big")), int.from_bytes(part[6:], "big")) for part in parts]


async def stalled_reads(site: Site, watch: Watch, asked: Sequence[tuple[str, int]], long: frozenset[int]) -> None:
    for address, di in asked:
        if not site.bus.connected:
            await site.bus.connect()

        async def ask(address: str = address, di: int = di) -> list[tuple[object, int]]:
            return told(await site.driver.query(address, di))

        place = [(address[-4:], di)] * (2 if di in long else 1)
        await watch.read(site.far, f"{address} {di:08X}", ask, place)


def stalling(stall: float, source: random.Random) -> Iterator[float]:
    """Yield a link's delays: mostly none, now and then a stall, sometimes several in a row."""
    while True:
        yield stall if source.random() < 0.12 else source.choice([0.0, 0.0, 0.01, 0.29])


DIFFERENT = [(address, di) for di in (ENERGY, VOLTAGE, FREQUENCY, 0x04000401, 0x00020000) for address in (ONE, TWO)]
SCENARIOS = {
    "same identifier": [(ONE, ENERGY)],
    "same identifier of two meters": [(ONE, ENERGY), (TWO, ENERGY)],
    "different identifiers": [(address, di) for address, di in DIFFERENT if address == ONE],
    "different identifiers of two meters": DIFFERENT,
}


@pytest.mark.parametrize("stall", STALLS)
@pytest.mark.parametrize("kind", SCENARIOS)
@pytest.mark.parametrize("long", [frozenset[int](), frozenset({ENERGY, VOLTAGE})], ids=["short", "long"])
@pytest.mark.parametrize("replace_after", [0, 2])
def test_no_late_reply_is_ever_taken_for_another(
    stall: float, kind: str, long: frozenset[int], replace_after: int
) -> None:
    """Reads at a time-out of 0.3 s over a link that stalls: no value is of another place, none from before."""
    watch = Watch()
    late = 0
    for seed in range(8):
        source = random.Random(f"{stall}{kind}{seed}")
        asked = [source.choice(SCENARIOS[kind]) for _ in range(60)]
        far = FarEnd(Counting(long).answer, delays=stalling(stall, source))

        async def scenario(site: Site, asked: list[tuple[str, int]] = asked) -> int:
            await stalled_reads(site, watch, asked, long)
            return site.bus.counters.late

        timing = LineTiming(timeout_s=0.3, gap_s=0.05, replace_after=replace_after)
        late += run(far.answer, scenario, far, timing=timing)
    assert watch.wrong == []
    assert watch.old == []
    assert watch.right > 100
    assert late > 20


@pytest.mark.parametrize("transport", ["tcp", "pty"])
@pytest.mark.parametrize("asked", [[(ONE, ENERGY)] * 2, [(ONE, ENERGY), (ONE, VOLTAGE)]], ids=["same", "different"])
def test_no_late_reply_is_taken_for_another_on_a_real_line(transport: str, asked: list[tuple[str, int]]) -> None:
    watch = Watch()

    async def main() -> int:
        # Each stall is behind reads that go well, so that there is something to mistake it for.
        far = FarEnd(Counting().answer, delays=iter([0.0, *(d for stall in STALLS for d in (stall, 0.0, 0.0, 0.0))]))
        async with real(transport, far, TIMING) as site:
            for _ in range(100):  # rounds, until the stalls are over, however slow the machine is
                await stalled_reads(site, watch, asked * 2, frozenset())
                if watch.right >= 8 and site.bus.counters.late >= 3:
                    break
                await asyncio.sleep(0.1)  # a meter with nothing left to be asked is not asked: then no time passes
            return site.bus.counters.late

    late = asyncio.run(main())
    assert (watch.wrong, watch.old) == ([], [])
    assert watch.right >= 8
    assert watch.failed
    assert late >= 3


def test_an_unanswered_question_is_asked_again_behind_another_one() -> None:
    """The probe is what the meter has answered before; the late reply before it is told apart."""
    meters = Counting()

    async def scenario(site: Site) -> None:
        await site.driver.query(ONE, FREQUENCY)
        with pytest.raises(NoReplyError):
            await site.driver.query(ONE, ENERGY)
        assert told(await site.driver.query(ONE, ENERGY)) == [(("0001", ENERGY), 4)]
        assert [message["di"] for message in requests(site)] == [FREQUENCY, ENERGY, FREQUENCY, ENERGY]
        assert (site.bus.counters.probes, site.bus.counters.late) == (1, 1)

    far = FarEnd(meters.answer, delays=iter([0.0, 0.5]))
    run(far.answer, scenario, far)


def test_a_refusal_that_may_be_late_is_told_apart_by_reading_the_address() -> None:
    """A refusal names no identifier: the probe's is taken for that of the lost question before it, so ask otherwise."""
    dis: list[int | None] = []

    def answer(data: bytes) -> list[bytes]:
        (frame,) = Dlt645Parser().feed(data)
        message = dlt645_parse(frame)
        dis.append(message.get("di"))
        if message["kind"] == "read_address":
            return [dlt645_build(ONE, {"kind": "read_address", "reply": True, "address": ONE}).encode()]
        return [] if len(dis) == 1 else [REFUSAL]

    async def scenario(site: Site) -> None:
        with pytest.raises(NoReplyError):
            await site.driver.query(ONE, ENERGY)
        with pytest.raises(RefusedError):
            await site.driver.query(ONE, ENERGY)
        assert dis == [ENERGY, 0x04000401, None, ENERGY]

    run(answer, scenario)
