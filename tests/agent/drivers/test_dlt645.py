"""The driver of DL/T 645-2007 against simulated meters, over memory in virtual time, real TCP sockets and ptys."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest
from line_support import FarEnd, MemoryChannel, Watch, over_pty, over_tcp, run_virtual

from agent.bus import LineBus
from agent.channels.base import Channel
from agent.drivers.dlt645 import Dlt645Driver
from agent.drivers.dlt645_scan import Progress, ScanLimitError
from agent.exchange import BadReplyError, LineError, NoReplyError, RefusedError
from agent.line_timing import LineTiming
from clock import ManualClock
from diantan_core import Dlt645Frame, Dlt645Parser, dlt645_build, dlt645_parse
from firmware_sim.circuit import Circuit
from firmware_sim.curves import ConstantCurve
from firmware_sim.faces.dlt645 import Dlt645Face
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.multifunction import MultiFunctionSettings
from profiles import load
from profiles.dlt645.codec import quantise
from profiles.dlt645.model import Dlt645Command, ItemPoint, SyncStep
from profiles.dlt645.moments import to_moment

T = TypeVar("T")
ZONE = "Asia/Shanghai"
START = int(datetime(2026, 4, 28, 12, tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)
NOW = START + 35 * 86_400_000 + 4321  # 2026-06-02T12:00:04
ONE, TWO = "000000000001", "123456789012"
TIMING = LineTiming(timeout_s=0.3, gap_s=0.05, replace_after=0)
ENERGY, VOLTAGE, FREQUENCY = 0x00010000, 0x02010100, 0x02800002
STALLS = (0.5, 1.0, 1.5)


def meter(**changes: Any) -> Meter:
    settings = MeterSettings(resolution_mwh=10_000, multi_function=MultiFunctionSettings(), **changes)
    return Meter(ConstantCurve(START, 6_600_000), Circuit(), settings)


def face(*addresses: str, profile: str = "dlt645-three-phase", **options: Any) -> Dlt645Face:
    model = load(profile)
    return Dlt645Face({address: (address, model, meter()) for address in addresses}, ZONE, **options)


def served(subject: Dlt645Face) -> Callable[[bytes], Sequence[bytes]]:
    return lambda data: [answer.octets for answer in subject.feed(data, NOW)]


@dataclass
class Site:
    """A line with a driver at one end and meters at the other."""

    far: FarEnd
    channel: Channel
    timing: LineTiming = TIMING
    preamble: int = 4
    bus: LineBus = field(init=False)
    driver: Dlt645Driver = field(init=False)

    def __post_init__(self) -> None:
        self.bus = LineBus(self.channel, self.timing, ManualClock(NOW))
        self.driver = Dlt645Driver(self.bus, preamble=self.preamble)


def run(
    answer: Callable[[bytes], Sequence[bytes]],
    scenario: Callable[[Site], Awaitable[T]],
    far: FarEnd | None = None,
    **options: Any,
) -> T:
    """Run a scenario in virtual time."""

    async def main() -> T:
        end = far or FarEnd(answer)
        site = Site(end, MemoryChannel(end), **options)
        await site.bus.connect()
        return await scenario(site)

    return run_virtual(main())


def requests(site: Site) -> list[dict[str, Any]]:
    parser = Dlt645Parser()
    frames = [frame for data in site.far.requests for frame in parser.feed(data)]
    return [dlt645_parse(frame) for frame in frames if isinstance(frame, Dlt645Frame)]


async def everything(site: Site, name: str, address: str) -> None:
    """Read every point and row that a profile has, and set the clock."""
    profile, twin = load(name), meter()
    shown = twin.values(NOW)
    found: dict[str, int] = {}
    for block in profile.plan(profile.points.values(), ZONE):
        found |= block.decode(await site.driver.read(address, block))
    for point in profile.points.values():
        assert isinstance(point, ItemPoint)
        value = int(address) if point.name == "communication_address" else shown[point.name]
        assert found.get(point.name) == (None if value is None else quantise(point, value)), point.name
    assert found["energy_forward"] > 0
    for table in profile.tables:
        for number in (1, 2):
            row = twin.row(table, number, NOW)
            (block,) = profile.plan_row(table, number, ZONE)
            assert block.decode(await site.driver.read(address, block)) == {
                column: row[column] for column in ("time", "energy_forward", "energy_reverse")
            }
    if profile.writes:
        await site.driver.write(address, profile.command("clock", {"time": NOW - 90_000_000}, ZONE))
        (block,) = profile.plan([profile.points["device_time"]], ZONE)
        clock = block.decode(await site.driver.read(address, block))
        assert clock == {"device_time": (NOW - 90_000_000) // 1000 * 1000}
    counters = site.bus.counters
    assert (counters.timeout, counters.exception, counters.foreign, counters.corrupt, counters.late) == (0, 0, 0, 0, 0)


@asynccontextmanager
async def real(transport: str, far: FarEnd, timing: LineTiming) -> AsyncIterator[Site]:
    opened = over_tcp(far) if transport == "tcp" else over_pty(far, baud=9600, parity="even")
    async with opened as channel:
        site = Site(far, channel, timing)
        await site.bus.connect()
        yield site


@pytest.mark.parametrize("transport", ["tcp", "pty"])
@pytest.mark.parametrize("profile", ["dlt645-three-phase", "dlt645-dc-charger"])
def test_a_whole_meter_over_a_real_line(transport: str, profile: str) -> None:
    async def main() -> None:
        far = FarEnd(served(face(ONE, TWO, profile=profile, most_data=16)))
        async with real(transport, far, LineTiming(timeout_s=5.0)) as site:
            for address in (ONE, TWO):
                await everything(site, profile, address)

    asyncio.run(main())


def test_a_request_has_the_preamble_that_is_configured() -> None:
    for count in (0, 1, 4):

        async def scenario(site: Site) -> bytes:
            await site.driver.query(1, ENERGY)
            return site.far.requests[0]

        octets = run(served(face(ONE)), scenario, preamble=count)
        assert octets == dlt645_build(ONE, {"kind": "read", "di": ENERGY}).encode(count)


# What is no answer


def reply(di: int, data: bytes = b"\x01\x02\x03\x04", address: str = ONE, *, more: bool = False) -> bytes:
    return dlt645_build(address, {"kind": "read", "reply": True, "di": di, "data": data, "more": more}).encode()


def follow(di: int, seq: int, *, more: bool) -> bytes:
    message = {"kind": "read_next", "reply": True, "di": di, "seq": seq, "data": bytes([seq]), "more": more}
    return dlt645_build(ONE, message).encode()


REFUSAL = dlt645_build(ONE, {"kind": "read", "reply": True, "error": 0x02}).encode()


@pytest.mark.parametrize(
    ("octets", "counter", "error"),
    [
        (b"", "timeout", NoReplyError),
        (reply(ENERGY, address=TWO), "foreign", NoReplyError),
        (reply(ENERGY, address="AAAAAAAAAAAA"), "foreign", NoReplyError),
        (reply(VOLTAGE), "foreign", BadReplyError),
        (follow(ENERGY, 1, more=False), "foreign", BadReplyError),
        (dlt645_build(ONE, {"kind": "write", "reply": True, "error": 4}).encode(), "foreign", BadReplyError),
        (reply(ENERGY)[:-2] + b"\x00\x16", "corrupt", NoReplyError),
        (reply(ENERGY)[:-3], "corrupt", NoReplyError),
        (Dlt645Frame(ONE, 0x81, b"\x10\x90\x01\x00\x00\x00").encode(), "corrupt", NoReplyError),  # of 1997
    ],
)
def test_only_address_function_and_identifier_together_are_an_answer(
    octets: bytes, counter: str, error: type[LineError]
) -> None:
    async def scenario(site: Site) -> None:
        with pytest.raises(error):
            await site.driver.query(ONE, ENERGY)
        assert getattr(site.bus.counters, counter) == 1
        assert site.bus.counters.ok == 0

    run(lambda _: [octets] if octets else [], scenario)


def test_a_right_answer_behind_wrong_ones_is_taken() -> None:
    async def scenario(site: Site) -> None:
        assert await site.driver.query(ONE, ENERGY) == b"\x01\x02\x03\x04"
        assert (site.bus.counters.ok, site.bus.counters.foreign) == (1, 2)

    run(lambda _: [reply(ENERGY, address=TWO), reply(VOLTAGE), b"\x16\x68" + reply(ENERGY)], scenario)


def test_our_own_echo_is_no_answer() -> None:
    subject = served(face(ONE))

    async def scenario(site: Site) -> None:
        for _ in range(3):
            assert len(await site.driver.query(ONE, ENERGY)) == 4
        assert (site.bus.counters.echo, site.bus.counters.ok, site.bus.counters.foreign) == (3, 3, 0)

    run(lambda data: [data, *subject(data)], scenario)


def test_a_refusal_is_told_with_its_bits_and_not_asked_again() -> None:
    async def scenario(site: Site) -> None:
        with pytest.raises(RefusedError, match="meter 000000000001, read 00D10000: refused, ERR 02H, no such data"):
            await site.driver.query(ONE, 0x00D10000)
        assert site.far.asked == 1
        assert (site.bus.counters.exception, site.bus.counters.timeout) == (1, 0)
        profile = load("dlt645-three-phase", {"password": 1})
        with pytest.raises(RefusedError, match="write 04000102: refused, ERR 04H, not authorised") as caught:
            await site.driver.write(ONE, profile.command("clock", {"time": NOW}, ZONE))
        assert (caught.value.code, caught.value.silent) == (4, False)
        assert site.far.asked == 2  # the date is not written either

    run(served(face(ONE)), scenario)


# Follow-up frames


def test_follow_up_frames_are_read_in_order() -> None:
    async def scenario(site: Site) -> None:
        assert len(await site.driver.query(ONE, 0x0001FF00)) == 20
        kinds = [(message["kind"], message.get("seq")) for message in requests(site)]
        assert kinds == [("read", None), ("read_next", 1), ("read_next", 2)]

    run(served(face(ONE, most_data=12)), scenario)


def test_a_meter_that_never_ends_is_given_up() -> None:
    def answer(data: bytes) -> list[bytes]:
        (frame,) = Dlt645Parser().feed(data)
        message = dlt645_parse(frame)
        return [reply(ENERGY, more=True) if message["kind"] == "read" else follow(ENERGY, message["seq"], more=True)]

    async def scenario(site: Site) -> None:
        with pytest.raises(BadReplyError, match="more than 64 follow-up frames"):
            await site.driver.query(ONE, ENERGY)

    run(answer, scenario)


def test_a_follow_up_frame_of_another_number_is_no_answer() -> None:
    async def scenario(site: Site) -> None:
        with pytest.raises(BadReplyError):
            await site.driver.query(ONE, ENERGY)

    run(lambda data: [reply(ENERGY, more=True) if data[12] == 0x11 else follow(ENERGY, 2, more=False)], scenario)


# Late replies


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
            await stalled_reads(site, watch, asked * 10, frozenset())
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


# What is not reading


def test_the_clock_of_one_meter_is_set_and_read_back() -> None:
    subject = face(ONE, TWO)

    async def scenario(site: Site) -> None:
        await site.driver.time_sync(ONE, NOW - 200_000_000, ZONE)
        kinds = [message["kind"] for message in requests(site)]
        assert kinds == ["time_sync", "read", "read"]
        await site.driver.time_sync(None, NOW - 100_000_000, ZONE)
        profile = load("dlt645-three-phase")
        (block,) = profile.plan([profile.points["device_time"]], ZONE)
        for address in (ONE, TWO):
            clock = block.decode(await site.driver.read(address, block))
            assert clock["device_time"] == (NOW - 100_000_000) // 1000 * 1000

    run(served(subject), scenario)


def test_a_meter_that_does_not_take_the_time_is_told() -> None:
    subject = face(ONE)

    def deaf(data: bytes) -> list[bytes]:
        return [] if data[12] == 0x08 else [answer.octets for answer in subject.feed(data, NOW)]

    async def scenario(site: Site) -> None:
        with pytest.raises(RefusedError, match="its clock says"):
            await site.driver.time_sync(ONE, NOW + 3_600_000, ZONE)

    run(deaf, scenario)


def test_a_profile_may_set_the_clock_by_broadcast() -> None:
    moment = {part: value for part, value in to_moment(NOW, ZONE).items() if part != "weekday"}

    async def scenario(site: Site) -> None:
        await site.driver.write(ONE, Dlt645Command("clock", (SyncStep(moment),)))
        await asyncio.sleep(0.01)
        assert site.far.requests == [dlt645_build("9" * 12, {"kind": "time_sync", "time": moment}).encode()]

    run(lambda _: [], scenario)


def test_a_freeze_is_answered_by_one_and_obeyed_by_all() -> None:
    async def scenario(site: Site) -> None:
        await site.driver.freeze(ONE)
        energy = await site.driver.query(ONE, 0x0001FF00)
        assert await site.driver.query(ONE, 0x05010101) == energy
        with pytest.raises(RefusedError):
            await site.driver.query(TWO, 0x05010101)
        await site.driver.freeze(None)
        assert await site.driver.query(TWO, 0x05010101)
        with pytest.raises(RefusedError):
            await site.driver.freeze(ONE, {"month": 99, "day": 99, "hour": 0, "minute": 0})

    run(served(face(ONE, TWO)), scenario)


def test_addresses_are_read_and_written() -> None:
    async def scenario(site: Site) -> None:
        assert await site.driver.read_address() == ONE
        assert await site.driver.read_address("AAAAAAAAAA01") == ONE
        await site.driver.write_address(TWO)
        assert await site.driver.read_address() == TWO
        await site.driver.write_address(ONE, TWO)
        assert await site.driver.read_address(ONE) == ONE
        with pytest.raises(NoReplyError):
            await site.driver.read_address("AAAAAAAAAA77")
        assert site.bus.counters.foreign == 0

    run(served(face(ONE)), scenario)


def test_a_meter_that_repeats_the_wildcard_is_understood() -> None:
    """Vector 645-44: it echoes AA and tells its address in the data only."""
    deviating = dlt645_build("AAAAAAAAAAAA", {"kind": "read_address", "reply": True, "address": TWO}).encode()

    async def scenario(site: Site) -> None:
        assert await site.driver.read_address() == TWO

    run(lambda _: [deviating], scenario)


# Speed


@dataclass
class Port:
    """Our side of a line whose meters hear one speed only."""

    subject: Dlt645Face
    rates: list[int] = field(default_factory=list)

    def switch(self, rate: int) -> None:
        self.rates.append(rate)
        self.subject.rate = rate


def test_the_speed_changes_on_both_sides() -> None:
    subject = face(ONE, rate=2400)
    port = Port(subject)

    async def scenario(site: Site) -> None:
        await site.driver.change_baud(ONE, 9600, 2400, port.switch)
        assert port.rates == [9600]
        assert await site.driver.query(ONE, ENERGY)

    run(served(subject), scenario)


def test_a_meter_that_says_yes_and_stays_is_found_where_it_was() -> None:
    subject = face(ONE, rate=2400)
    port = Port(subject)

    def answer(data: bytes) -> list[bytes]:
        if data[12] == 0x17:
            return [dlt645_build(ONE, {"kind": "change_baud", "reply": True, "baud": 9600}).encode()]
        # This meter never left 2400 Bd.
        return [answer.octets for answer in subject.feed(data, NOW)] if subject.rate == 2400 else []

    async def scenario(site: Site) -> None:
        with pytest.raises(RefusedError, match="it stays at 2400 Bd"):
            await site.driver.change_baud(ONE, 9600, 2400, port.switch)
        assert port.rates == [9600, 2400]
        assert await site.driver.query(ONE, ENERGY)

    run(answer, scenario)


def test_a_lost_confirmation_is_no_failure_when_the_meter_has_changed() -> None:
    subject = face(ONE, rate=2400)
    port = Port(subject)

    def answer(data: bytes) -> list[bytes]:
        replies = [answer.octets for answer in subject.feed(data, NOW)]
        return [] if data[12] == 0x17 else replies

    async def scenario(site: Site) -> None:
        await site.driver.change_baud(ONE, 9600, 2400, port.switch)
        assert port.rates == [9600]

    run(answer, scenario)


def test_a_refusal_or_silence_leaves_our_side_where_it_was() -> None:
    refusing = dlt645_build(ONE, {"kind": "change_baud", "reply": True, "error": 8}).encode()
    port = Port(face(ONE))

    async def refused(site: Site) -> None:
        with pytest.raises(RefusedError, match="baud fixed"):
            await site.driver.change_baud(ONE, 9600, 2400, port.switch)
        assert port.rates == []

    async def silent(site: Site) -> None:
        with pytest.raises(NoReplyError):
            await site.driver.change_baud(ONE, 9600, 2400, port.switch)
        assert port.rates[-1] == 2400

    run(lambda _: [refusing], refused)
    run(lambda _: [], silent)


# Scan


def found_by(
    answer: Callable[[bytes], Sequence[bytes]], far: FarEnd | None = None, **options: Any
) -> tuple[list[str], list[Progress], Site]:
    seen: list[Progress] = []
    addresses: list[str] = []

    async def scenario(site: Site) -> Site:
        addresses.extend([str(item.address) async for item in site.driver.scan(progress=seen.append, **options)])
        return site

    timing = LineTiming(timeout_s=0.3, gap_s=0.05, replace_after=3)  # a scan is silence for the most part
    return addresses, seen, run(answer, scenario, far, timing=timing)


def test_an_empty_line_has_no_meters_after_two_questions() -> None:
    addresses, seen, _ = found_by(lambda _: [])
    assert addresses == []
    assert [item.address for item in seen] == ["AAAAAAAAAAAA"] * 2


def test_one_meter_tells_its_address_and_what_it_is() -> None:
    async def scenario(site: Site) -> None:
        (meter_found,) = [item async for item in site.driver.scan()]
        assert (meter_found.protocol, meter_found.address) == ("dlt645", TWO)
        assert meter_found.details == {"meter_number": "000000000000", "meter_constant": "1000"}
        assert site.far.asked < 10

    run(served(face(TWO)), scenario)


def test_one_that_does_not_answer_the_address_request_is_found_by_reading() -> None:
    subject = served(face(TWO))
    addresses, _, _ = found_by(lambda data: [] if data[12] == 0x13 else subject(data))
    assert addresses == [TWO]


@pytest.mark.parametrize(
    "addresses",
    [
        (ONE, TWO),
        ("000000000001", "000000000101", "000000010101", "010101010101"),
        ("112233445566", "212233445566"),  # the same but for the highest digit
        tuple(f"{number:012d}" for number in range(11, 20)),
    ],
)
def test_meters_that_disturb_each_other_are_found_by_shortened_addresses(addresses: tuple[str, ...]) -> None:
    found, seen, _ = found_by(served(face(*addresses)))
    assert sorted(found) == sorted(addresses)
    assert seen[-1].found in (len(addresses), len(addresses) - 1)
    assert len(seen) < 800


def test_meters_that_answer_one_after_the_other_are_all_found() -> None:
    """A serial server may have several ports, or the meters different delays: the first is not the only one."""
    faces = [served(face(address)) for address in (ONE, TWO, "000000000201")]
    found, _, _ = found_by(lambda data: [octets for one in faces for octets in one(data)])
    assert sorted(found) == sorted((ONE, TWO, "000000000201"))


def test_a_reply_that_was_lost_is_asked_for_in_the_other_way() -> None:
    subject = served(face(ONE, TWO))
    wildcard_read = dlt645_build("AAAAAAAAAA12", {"kind": "read", "di": 0x04000401}).encode()
    found, _, _ = found_by(lambda data: [] if data == wildcard_read else subject(data))
    assert sorted(found) == [ONE, TWO]


def test_noise_does_not_keep_a_scan_busy_for_ever() -> None:
    with pytest.raises(ScanLimitError, match="after 300 requests"):
        found_by(lambda _: [b"\x68\x01\x02"], most_requests=300)


def test_a_louder_meter_may_hide_another_from_all_but_a_thorough_scan() -> None:
    loud, quiet = served(face(ONE)), served(face(TWO))

    def line(data: bytes) -> Sequence[bytes]:
        return loud(data) or quiet(data)

    assert found_by(line)[0] == [ONE]
    assert sorted(found_by(line, thorough=True)[0]) == [ONE, TWO]
