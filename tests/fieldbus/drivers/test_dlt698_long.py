"""Requests and replies of DL/T 698.45 that are longer than a frame or an APDU."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from dlt698_support import NOW, ONE, ZONE, Meters, Site, apdu, by_hand, long_block, reply_to, run
from line_support import FarEnd

from diantan_core import Dlt698Frame, Dlt698Parser, dlt698_decode_apdu, dlt698_decode_data, dlt698_encode_apdu
from fieldbus.drivers.dlt698_framing import Dlt698Framing
from fieldbus.exchange import BadReplyError, NoReplyError
from profiles import Block, load
from profiles.dlt698.model import ObjectCommand
from profiles.dlt698.plan import RecordBlock

FREQUENCY = 0x200F_0200
VALUE = ("data", ("long_unsigned", 5000))


# Long requests and replies


def test_a_reply_in_blocks_is_joined() -> None:
    meters = Meters("dlt698-carbon-meter", parameters={"frame_size": 150, "connect": 0})
    block = Meters().block("energy_forward", "energy_forward_t1", "energy_reverse", "power", "power_a", "voltage_a")
    block = replace(block, association=meters.profile.association)
    block = replace(block, wanted=block.wanted * 4)

    async def scenario(site: Site) -> None:
        reply = await site.driver.read(ONE, block)
        assert "power" in block.decode(reply)
        assert site.services().count("get_request") >= 3

    run(meters.far(), scenario)


@pytest.mark.parametrize(
    ("numbers", "error"),
    [([0, 1, 3], "expected block 2, got 3"), ([0, 0], "expected block 1, got 0")],
)
def test_blocks_out_of_order_are_refused(numbers: list[int], error: str) -> None:
    following = iter(numbers)

    def answer(frame: Dlt698Frame, _: str, content: Any) -> Sequence[bytes]:
        items = ("normal_list", [{"oad": FREQUENCY, "result": VALUE}])
        body = {"piid_acd": content[1]["piid"], "last": False, "block": next(following), "result": items}
        return [reply_to(frame, apdu("get_response", "next", **body))]

    async def scenario(site: Site) -> None:
        with pytest.raises(BadReplyError, match=error):
            await site.driver.read(ONE, Meters().block("frequency", "power"))

    run(by_hand(answer), scenario)


def in_blocks(kind: str, *parts: list[dict[str, Any]]) -> FarEnd:
    """Return a meter that answers every GET in these blocks, and any other request with success."""

    def answer(frame: Dlt698Frame, name: str, content: Any) -> Sequence[bytes]:
        choice, body = content
        if name == "set_request":
            done = apdu("set_response", "normal", piid_acd=body["piid"], oad=body["oad"], dar=0)
            return [reply_to(frame, done)]
        number = body["block"] + 1 if choice == "next" else 0
        block = {"last": number + 1 == len(parts), "block": number, "result": (kind, parts[number])}
        return [reply_to(frame, apdu("get_response", "next", piid_acd=body["piid"], **block))]

    return by_hand(answer)


def test_blocks_of_another_kind_than_was_asked_for_are_refused() -> None:
    (daily,) = Meters().profile.plan_row("daily_freezes", 1, ZONE)
    assert isinstance(daily, RecordBlock)
    values = [{"oad": daily.table.oad, "result": VALUE}]
    records = [{"oad": FREQUENCY, "columns": [("oad", 0x2021_0200)], "result": ("rows", [])}]

    async def scenario(site: Site, block: Block, expected: str) -> None:
        with pytest.raises(BadReplyError, match=expected):
            await site.driver.read(ONE, block)

    run(in_blocks("normal_list", values), lambda site: scenario(site, daily, "expected blocks of record_list"))
    asked = Meters().block("frequency")
    run(in_blocks("record_list", records), lambda site: scenario(site, asked, "expected blocks of normal_list"))


def test_blocks_that_no_message_can_hold_are_given_up() -> None:
    part = [{"oad": FREQUENCY, "result": ("data", ("octet_string", bytes(15_900)))}]

    async def scenario(site: Site) -> None:
        block = Meters().block("frequency", "power")
        five = replace(block, wanted=block.wanted[:1] * 5)
        with pytest.raises(BadReplyError, match="too long a reply"):
            await site.driver.read(ONE, five)

    run(in_blocks("normal_list", *[part] * 5), scenario)


def test_what_is_kept_of_a_day_may_come_in_blocks() -> None:
    profile = load("dlt698-carbon-meter", {"factor_values": 24, "connect": 0})
    day = NOW - NOW % 86_400_000 - 8 * 3_600_000
    names = {f"carbon_factor_{number}": number * 100_000 for number in range(1, 25)}
    before = profile.command("factor_day", {"time": day, **names}, ZONE)
    command = profile.command("factor", {"time": day + 5 * 3_600_000, "carbon_factor": 3_000_000}, ZONE)
    assert isinstance(before, ObjectCommand)
    shown = [{"oad": before.oad, "result": ("data", dlt698_decode_data(before.data))}]

    async def scenario(site: Site) -> None:
        await site.driver.write(ONE, command)
        _, (_, body) = dlt698_decode_apdu(site.sent()[-1].user_data)
        _, (_, _, (_, factors)) = body["data"]
        assert [number for _, number in factors] == [*range(1000, 6000, 1000), *[30_000] * 19]

    run(in_blocks("normal_list", shown), scenario)


def test_blocks_without_end_are_given_up() -> None:
    blocks = iter(range(10_000))

    def answer(frame: Dlt698Frame, _: str, content: Any) -> Sequence[bytes]:
        items = ("normal_list", [{"oad": FREQUENCY, "result": ("data", ("octet_string", bytes(500)))}])
        body = {"piid_acd": content[1]["piid"], "last": False, "block": next(blocks), "result": items}
        return [reply_to(frame, apdu("get_response", "next", **body))]

    async def scenario(site: Site) -> None:
        with pytest.raises(BadReplyError, match="without end"):
            await site.driver.read(ONE, Meters().block("frequency", "power"))
        assert site.far.asked < 200

    run(by_hand(answer), scenario)


def test_fragments_in_both_directions() -> None:
    meters = Meters(parameters={"frame_size": 100}, association={"apdu_size": 4000})
    block = long_block(meters)

    async def scenario(site: Site) -> None:
        for _ in range(2):
            values = block.decode(await site.driver.read(ONE, block))
            assert meters.stores[ONE].read_out({"power": values["power"]})[0][0] == meters.stores[ONE].place("power")
        frames = site.sent()
        assert all(frame.is_fragment for frame in frames)
        assert all(len(frame.encode()) <= 100 for frame in frames)
        kinds = [frame.fragment()[1] for frame in frames]
        assert kinds.count("first") == 2
        assert kinds.count("confirm") >= 10
        counters = site.bus.counters
        assert (counters.late, counters.foreign, counters.corrupt, counters.timeout) == (0, 0, 0, 0)

    run(meters.far(), scenario)


def test_a_long_reply_has_time_for_each_of_its_fragments() -> None:
    meters = Meters(parameters={"frame_size": 100}, association={"apdu_size": 4000})
    block = replace(long_block(meters), association=replace(long_block(meters).association, send_size=1024))

    async def scenario(site: Site) -> None:
        values = block.decode(await site.driver.read(ONE, block))
        assert "power" in values
        assert len(site.sent()) > 10

    run(meters.far([0.25] * 100), scenario)  # each piece later than half the time-out


def first_again(frame: Dlt698Frame) -> bytes:
    whole = apdu("get_response", "normal", oad=FREQUENCY, result=("data", ("octet_string", bytes(400))))
    return Dlt698Frame.decode(reply_to(frame, whole)).split(100)[0].encode()


def report_again(frame: Dlt698Frame) -> bytes:
    report = apdu("report_notification", "normal_list", results=[{"oad": FREQUENCY, "result": VALUE}])
    return reply_to(frame, report, control=0x83)


@pytest.mark.parametrize("again", [first_again, report_again])
def test_a_meter_that_never_comes_to_an_end_does_not_keep_the_line(again: Callable[[Dlt698Frame], bytes]) -> None:
    parser = Dlt698Parser()

    def answer(data: bytes) -> Sequence[bytes]:
        return [again(frame) for frame in parser.feed(data) if isinstance(frame, Dlt698Frame)]

    async def scenario(site: Site) -> None:
        loop = asyncio.get_running_loop()
        asked = loop.time()
        with pytest.raises((NoReplyError, BadReplyError)):
            await site.driver.read(ONE, Meters().block("frequency"))
        assert loop.time() - asked < 3 * site.bus.timing.timeout_s
        assert len(site.sent()) > 1  # it was answered, and went on

    run(FarEnd(answer, delays=itertools.repeat(0.1)), scenario)


def test_a_fragment_that_is_not_confirmed_is_no_reply() -> None:
    meters = Meters(parameters={"frame_size": 100})

    async def scenario(site: Site) -> None:
        with pytest.raises(NoReplyError, match="fragment 0"):
            await site.driver.read(ONE, long_block(meters))
        assert len(site.sent()) == 1

    run(FarEnd(lambda _: []), scenario)


def test_a_message_without_end_is_given_up() -> None:
    numbers = iter(range(100_000))

    def answer(frame: Dlt698Frame) -> bytes:
        number = next(numbers)
        header = (number & 0xFFF) | (0xC000 if number else 0)
        return Dlt698Frame(0xE3, frame.address, frame.client, header.to_bytes(2, "little") + bytes(1000)).encode()

    far = FarEnd(lambda data: [answer(Dlt698Frame.decode(data))])

    async def scenario(site: Site) -> None:
        with pytest.raises(NoReplyError):
            await site.driver.read(ONE, Meters().block("frequency"))
        assert 60 <= site.far.asked <= 70

    run(far, scenario)


def test_two_long_requests_at_once_are_sent_one_after_the_other() -> None:
    meters = Meters(parameters={"frame_size": 100}, association={"apdu_size": 4000})
    block = long_block(meters)

    async def scenario(site: Site) -> None:
        replies = await asyncio.gather(*(site.driver.read(ONE, block) for _ in range(3)))
        assert all("power" in block.decode(reply) for reply in replies)
        assert site.bus.counters.timeout == 0

    run(meters.far(), scenario)


def test_a_login_from_anyone_is_not_remembered_for_ever() -> None:
    time = {"year": 2025, "month": 4, "day": 3, "weekday": 4, "hour": 0, "minute": 0, "second": 0, "milliseconds": 0}
    body = {"piid_acd": 0, "type": ("login", None), "heartbeat_s": 60, "time": time}
    login = dlt698_encode_apdu(("link_request", body))
    framing = Dlt698Framing(lambda: NOW, ZONE)
    for number in range(5000):
        framing.feed(Dlt698Frame(0x81, f"{number:012d}", 0, login).encode())
    assert 0 < len(framing.released) <= 4096
