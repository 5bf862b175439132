"""The driver of DL/T 645-2007 against simulated meters, over memory in virtual time, real TCP sockets and ptys."""

import asyncio
from dataclasses import dataclass, field

import pytest
from dlt645_support import (
    ENERGY,
    NOW,
    ONE,
    TWO,
    VOLTAGE,
    ZONE,
    Site,
    face,
    meter,
    real,
    requests,
    run,
    served,
)
from line_support import FarEnd

from diantan_core import Dlt645Frame, Dlt645Parser, dlt645_build, dlt645_parse
from fieldbus.exchange import BadReplyError, LineError, NoReplyError, RefusedError
from fieldbus.line_timing import LineTiming
from firmware_sim.faces.dlt645 import Dlt645Face
from profiles import load
from profiles.dlt645.codec import quantise
from profiles.dlt645.model import Dlt645Command, ItemPoint, SyncStep
from profiles.dlt645.moments import to_moment


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


@pytest.mark.parametrize("kind", ["read_address", "write_address"])
def test_a_refusal_to_tell_or_change_the_address_is_told(kind: str) -> None:
    refusal = dlt645_build(ONE, {"kind": kind, "reply": True, "error": 0x04}).encode()

    async def scenario(site: Site) -> None:
        with pytest.raises(RefusedError, match="ERR 04H, not authorised"):
            await (site.driver.read_address() if kind == "read_address" else site.driver.write_address(TWO))
        assert site.bus.counters.exception == 1

    run(lambda _: [refusal], scenario)


def test_a_meter_that_repeats_the_wildcard_is_understood() -> None:
    """Vector 645-44: it echoes AA and tells its address in the data only."""
    deviating = dlt645_build("AAAAAAAAAAAA", {"kind": "read_address", "reply": True, "address": TWO}).encode()

    async def scenario(site: Site) -> None:
        assert await site.driver.read_address() == TWO

    run(lambda _: [deviating], scenario)


@pytest.mark.parametrize("address", ["999999999999", "123456789012"])
def test_an_address_of_other_digits_is_none(address: str) -> None:
    """A frame whose address field holds no decimal digits is right in all its checks."""
    octets = bytearray(dlt645_build(address, {"kind": "read_address", "reply": True, "address": address}).encode(0))
    for place, octet in ((5, 0xAB), (14, 0xCD + 0x33 & 0xFF)):
        octets[-2] = (octets[-2] + octet - octets[place]) & 0xFF
        octets[place] = octet

    async def scenario(site: Site) -> None:
        with pytest.raises(NoReplyError):
            await site.driver.read_address()
        assert (site.bus.counters.foreign, site.bus.counters.corrupt) == (1, 0)

    run(lambda _: [bytes(octets)], scenario)


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
