"""The driver of DL/T 698.45 against simulated meters and replies made by hand."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dlt698_support import NOW, ONE, TWO, ZONE, Meters, Site, apdu, by_hand, reply_to, run
from line_support import FarEnd, over_pty, over_tcp

from agent.drivers.base import Found
from agent.exchange import BadReplyError, NoReplyError, RefusedError, UnsupportedError
from diantan_core import Dlt698Frame, dlt698_decode_apdu, dlt698_encode_apdu
from firmware_sim.circuit import Circuit
from firmware_sim.curves import ConstantCurve
from firmware_sim.faces.dlt698 import Dlt698Face
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.multifunction import MultiFunctionSettings
from profiles import load
from profiles.dlt698.codec import quantise
from profiles.dlt698.model import ObjectPoint, Proxy
from profiles.dlt698.moments import date_time_s
from profiles.dlt698.plan import ObjectsBlock

START = int(datetime(2026, 4, 28, 12, tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)
LATER = START + 35 * 86_400_000 + 4321
FREQUENCY = 0x200F_0200
VALUE = ("data", ("long_unsigned", 5000))


# A whole meter


def simulated() -> Meter:
    settings = MeterSettings(resolution_mwh=10_000, multi_function=MultiFunctionSettings(), default_factor=570_300)
    return Meter(ConstantCurve(START, 6_600_000), Circuit(), settings)


async def everything(site: Site, name: str) -> None:
    """Read every point and row that a profile has, and write what it can be told."""
    profile, twin = load(name), simulated()
    shown = {**twin.values(LATER), "communication_address": int(TWO)}
    found: dict[str, int] = {}
    for block in profile.plan(profile.points.values(), ZONE):
        found |= block.decode(await site.driver.read(TWO, block))
    for point in profile.points.values():
        assert isinstance(point, ObjectPoint)
        value = shown.get(point.name)
        assert found.get(point.name) == (None if value is None else quantise(point, value)), point.name
    assert found["energy_forward"] > 0
    for table in profile.tables:
        for number in (1, 2):
            (block,) = profile.plan_row(table, number, ZONE)
            row = block.decode(await site.driver.read(TWO, block))
            assert {column: twin.row(table, number, LATER).get(column) for column in row} | row == row
            assert bool(row) == bool(twin.row(table, number, LATER))
    await site.driver.write(TWO, profile.command("clock", {"time": LATER - 90_000_000}, ZONE))
    (block,) = profile.plan([profile.points["device_time"]], ZONE)
    clock = block.decode(await site.driver.read(TWO, block))
    assert clock == {"device_time": (LATER - 90_000_000) // 1000 * 1000}
    counters = site.bus.counters
    assert (counters.timeout, counters.late, counters.foreign, counters.corrupt, counters.exception) == (0,) * 5


def whole_meter(name: str) -> FarEnd:
    face = Dlt698Face({"meter": (TWO, load(name), simulated())}, ZONE)
    return FarEnd(lambda data: [answer.octets for answer in face.feed(data, LATER)])


@pytest.mark.parametrize("name", ["dlt698-three-phase", "dlt698-carbon-meter"])
def test_everything_that_a_meter_has_comes_through(name: str) -> None:
    run(whole_meter(name), lambda site: everything(site, name))


@pytest.mark.parametrize("how", ["tcp", "pty"])
def test_everything_over_a_real_socket_and_a_real_terminal(how: str) -> None:
    async def main() -> None:
        far = whole_meter("dlt698-carbon-meter")
        async with over_tcp(far) if how == "tcp" else over_pty(far) as channel:
            site = Site(far, channel)
            site.timing = replace(site.timing, timeout_s=10.0)
            site.__post_init__()
            await site.bus.connect()
            await everything(site, "dlt698-carbon-meter")

    asyncio.run(main())


def test_a_poll_of_a_common_meter_is_one_exchange() -> None:
    meters = Meters()
    names = [
        "energy_forward",
        "energy_reverse",
        "power",
        "voltage_a",
        "voltage_b",
        "voltage_c",
        "current_a",
        "frequency",
    ]

    async def scenario(site: Site) -> None:
        block = meters.block(*names)
        values = block.decode(await site.driver.read(ONE, block))
        assert set(values) == set(names)
        assert len(site.sent()) == 1

    run(meters.far(), scenario)


# Which reply is the reply


@pytest.mark.parametrize(
    "changes",
    [
        {"piid": 2},
        {"address": TWO},
        {"client": 1},
        {"logical": 1},
        {"name": "set_response", "body": {"oad": FREQUENCY, "dar": 0}},
        {"name": "report_notification", "choice": "normal_list", "body": {"results": []}},
    ],
    ids=["piid", "address", "client", "logical", "service", "report"],
)
def test_only_the_reply_to_the_request_is_taken(changes: dict[str, Any]) -> None:
    meters = Meters()

    def answer(frame: Dlt698Frame, name: str, content: Any) -> Sequence[bytes]:
        if name != "get_request":
            return []
        piid = content[1]["piid"]
        body = {"piid_acd": changes.get("piid", piid), **changes.get("body", {"oad": FREQUENCY, "result": VALUE})}
        wrong = apdu(changes.get("name", "get_response"), changes.get("choice", "normal"), **body)
        settings = {key: changes[key] for key in ("address", "client", "logical") if key in changes}
        return [reply_to(frame, wrong, **settings)]

    async def scenario(site: Site) -> None:
        with pytest.raises((NoReplyError, BadReplyError)):
            await site.driver.read(ONE, meters.block("frequency"))
        assert site.bus.counters.ok == 0

    run(by_hand(answer), scenario)


@pytest.mark.parametrize(
    ("choice", "body"),
    [
        ("normal", {"oad": 0x2000_0200, "result": VALUE}),
        ("normal_list", {"results": [{"oad": FREQUENCY, "result": VALUE}]}),
        ("record", {"record": {"oad": FREQUENCY, "columns": [], "result": ("rows", [])}}),
    ],
)
def test_a_reply_about_something_else_is_refused(choice: str, body: dict[str, Any]) -> None:
    async def scenario(site: Site) -> None:
        with pytest.raises(BadReplyError):
            await site.driver.read(ONE, Meters().block("frequency"))
        assert site.bus.counters.corrupt == 1

    run(by_hand(lambda frame, *_: [reply_to(frame, apdu("get_response", choice, **body))]), scenario)


def test_a_report_and_a_time_tag_in_a_reply_are_no_trouble() -> None:
    report = ("normal_list", [{"oad": 0x4000_0200, "result": VALUE}])
    tag = {"sent": date_time_s(NOW, ZONE), "allowed_delay": {"unit": 1, "interval": 5}}
    body = {"piid_acd": 0x81, "oad": FREQUENCY, "result": VALUE, "follow_report": report, "time_tag": tag}

    async def scenario(site: Site) -> None:
        block = Meters().block("frequency")
        assert block.decode(await site.driver.read(ONE, block)) == {"frequency": 50_000}

    run(by_hand(lambda frame, *_: [reply_to(frame, apdu("get_response", "normal", **body))]), scenario)


def test_a_scrambled_reply_is_read() -> None:
    async def scenario(site: Site) -> None:
        block = Meters().block("frequency")
        assert block.decode(await site.driver.read(ONE, block)) == {"frequency": 50_000}

    body = apdu("get_response", "normal", oad=FREQUENCY, result=VALUE)
    run(by_hand(lambda frame, *_: [reply_to(frame, body, control=0xCB)]), scenario)


def test_octets_that_are_no_apdu_are_noise() -> None:
    async def scenario(site: Site) -> None:
        with pytest.raises(NoReplyError, match="no APDU"):
            await site.driver.read(ONE, Meters().block("frequency"))
        assert site.bus.counters.corrupt == 1

    run(by_hand(lambda frame, *_: [reply_to(frame, b"\x85\x01\x01")]), scenario)


# Refusals


@pytest.mark.parametrize(
    ("reply", "code", "text"),
    [
        (apdu("get_response", "normal", oad=FREQUENCY, result=("dar", 4)), 4, "object_undefined"),
        (apdu("error_response", "", error=2), 0x102, "ERROR-Response 2"),
    ],
)
def test_a_refusal_says_why(reply: bytes, code: int, text: str) -> None:
    async def scenario(site: Site) -> None:
        with pytest.raises(RefusedError, match=text) as caught:
            await site.driver.read(ONE, Meters().block("frequency"))
        assert (caught.value.code, caught.value.silent) == (code, False)
        assert ONE in str(caught.value)
        assert site.bus.counters.exception == 1

    run(by_hand(lambda frame, *_: [reply_to(frame, reply)]), scenario)


def test_one_refused_attribute_does_not_cost_the_others() -> None:
    results = [{"oad": 0x0010_0201, "result": ("dar", 6)}, {"oad": FREQUENCY, "result": VALUE}]

    async def scenario(site: Site) -> None:
        block = Meters().block("energy_forward", "frequency")
        assert block.decode(await site.driver.read(ONE, block)) == {"frequency": 50_000}

    run(by_hand(lambda frame, *_: [reply_to(frame, apdu("get_response", "normal_list", results=results))]), scenario)


def test_a_list_of_which_nothing_is_given_is_a_refusal() -> None:
    results = [{"oad": 0x0010_0201, "result": ("dar", 3)}, {"oad": FREQUENCY, "result": ("dar", 4)}]

    async def scenario(site: Site) -> None:
        with pytest.raises(RefusedError, match="DAR 3"):
            await site.driver.read(ONE, Meters().block("energy_forward", "frequency"))

    run(by_hand(lambda frame, *_: [reply_to(frame, apdu("get_response", "normal_list", results=results))]), scenario)


def test_a_refused_write_says_why() -> None:
    async def scenario(site: Site) -> None:
        with pytest.raises(RefusedError, match="set 40000200: refused, DAR 3"):
            await site.driver.time_sync(ONE, NOW, ZONE)

    run(by_hand(lambda frame, *_: [reply_to(frame, apdu("set_response", "normal", oad=0x4000_0200, dar=3))]), scenario)


def test_what_is_of_another_protocol_is_not_sent() -> None:
    modbus = load("sim-carbon-meter")
    (block,) = modbus.plan([modbus.points["power"]], ZONE)

    async def scenario(site: Site) -> None:
        with pytest.raises(UnsupportedError):
            await site.driver.read(ONE, block)
        with pytest.raises(UnsupportedError):
            await site.driver.write(ONE, modbus.command("clock", {"time": NOW}, ZONE))
        assert site.far.asked == 0

    run(Meters().far(), scenario)


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


def long_block(meters: Meters) -> ObjectsBlock:
    """Return a request that is longer than the meter's frames, and so is its reply."""
    block = Meters().block("energy_forward", "energy_forward_t1", "energy_reverse", "power", "power_a", "voltage_a")
    association = meters.profile.association
    return replace(block, wanted=block.wanted * 12, association=replace(association, apdu_size=1024))


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


# Associations


def carbon(**parameters: Any) -> Meters:
    return Meters("dlt698-carbon-meter", parameters=parameters)


def test_a_meter_is_connected_to_once() -> None:
    meters = carbon()

    async def scenario(site: Site) -> None:
        for _ in range(3):
            await site.driver.read(ONE, meters.block("frequency"))
        assert site.services() == ["connect_request"] + ["get_request"] * 3
        assert {frame.client for frame in site.sent()} == {0xA0}
        await site.driver.release(ONE)
        await site.driver.release(ONE)
        await site.driver.read(ONE, meters.block("frequency"))
        assert site.services()[4:] == ["release_request", "connect_request", "get_request"]

    run(meters.far(), scenario)


@pytest.mark.parametrize("why", ["line", "power cut", "silence", "idle"])
def test_a_meter_is_connected_to_again(why: str) -> None:
    meters = carbon()

    async def scenario(site: Site) -> None:
        await site.driver.read(ONE, meters.block("frequency"))
        expected = ["connect_request", "get_request"]
        if why == "line":
            site.bus.close()
            await site.bus.connect()
        elif why == "power cut":
            meters.renew()
            expected = ["get_request", *expected]
        elif why == "silence":
            answer, site.far.answer = site.far.answer, lambda _: []
            with pytest.raises(NoReplyError):
                await site.driver.read(ONE, meters.block("frequency"))
            site.far.answer = answer
            expected = ["get_request", *expected]
        else:
            await site.clock.advance(meters.profile.association.timeout_s * 1000)
        values = meters.block("frequency").decode(await site.driver.read(ONE, meters.block("frequency")))
        assert set(values) == {"frequency"}
        assert site.services()[2:] == expected

    run(meters.far(), scenario)


def test_a_meter_that_takes_no_association_is_asked_once_each_time() -> None:
    def answer(frame: Dlt698Frame, name: str, _: Any) -> Sequence[bytes]:
        return [reply_to(frame, apdu("error_response", "", error=255))]

    async def scenario(site: Site) -> None:
        with pytest.raises(RefusedError, match="CONNECT"):
            await site.driver.read(ONE, carbon().block("frequency"))
        assert site.services() == ["connect_request"]

    run(by_hand(answer), scenario)


def test_an_object_that_is_refused_is_no_reason_to_connect_again() -> None:
    meters = carbon()
    block = Meters().block("temperature")
    block = replace(block, association=meters.profile.association)

    async def scenario(site: Site) -> None:
        for _ in range(2):
            with pytest.raises(RefusedError, match="DAR 4"):
                await site.driver.read(ONE, block)
        assert site.services().count("connect_request") == 1

    run(meters.far(), scenario)


def test_a_meter_that_ends_its_association_is_connected_to_again() -> None:
    meters = carbon()
    clock = date_time_s(NOW, ZONE)
    gone = apdu("release_notification", "", connected=clock, released=clock)
    notice = Dlt698Frame(0x83, ONE, 0xA0, gone).encode()

    async def scenario(site: Site) -> None:
        await site.driver.read(ONE, meters.block("frequency"))
        meters.renew()
        site.far.deliver(notice)
        await site.driver.read(ONE, meters.block("frequency"))
        assert site.services()[2:] == ["connect_request", "get_request"]

    run(meters.far(), scenario)


def test_the_meter_gets_no_longer_frames_than_it_agreed_to() -> None:
    meters = carbon(frame_size=100)
    mine = carbon()
    block = replace(long_block(mine), association=mine.profile.association)

    async def scenario(site: Site) -> None:
        await site.driver.read(ONE, block)
        assert all(len(frame.encode()) <= 100 for frame in site.sent()[1:])

    run(meters.far(), scenario)


def test_the_first_request_knows_the_meters_profile() -> None:
    meters = carbon()

    async def scenario(site: Site) -> None:
        await site.driver.time_sync(ONE, NOW, ZONE)
        assert site.services() == ["connect_request", "set_request"]
        assert meters.stores[ONE].applied == [("clock", {"time": NOW})]

    run(meters.far(), scenario, options={"profiles": {ONE: meters.profile}})


def test_security_in_its_plain_form() -> None:
    meters = Meters()
    plain = replace(meters.profile.association, plain_security=True)
    block = replace(meters.block("frequency"), association=plain)

    async def scenario(site: Site) -> None:
        assert set(block.decode(await site.driver.read(ONE, block))) == {"frequency"}
        (frame,) = site.sent()
        name, body = dlt698_decode_apdu(frame.user_data)
        assert (name, body["verification"]) == ("security_request", ("rn", b"r" * 16))

    run(meters.far(), scenario, options={"random": lambda count: b"r" * count})


@pytest.mark.parametrize("kind", [("dar", 22), ("ciphered", b"?")])
def test_security_that_refuses_or_hides(kind: tuple[str, Any]) -> None:
    def answer(frame: Dlt698Frame, *_: Any) -> Sequence[bytes]:
        return [reply_to(frame, dlt698_encode_apdu(("security_response", {"apdu": kind, "verification": None})))]

    async def scenario(site: Site) -> None:
        with pytest.raises((RefusedError, BadReplyError), match=r"esam_failure|takes keys"):
            await site.driver.read(ONE, Meters().block("frequency"))

    run(by_hand(answer), scenario)


# A terminal in front


def behind(meters: Meters) -> ObjectsBlock:
    proxy = Proxy(0xF201_0201, 6, 2, 10, 100)
    association = meters.profile.association
    return replace(meters.block("power"), association=replace(association, proxy=proxy))


def test_a_meter_behind_a_terminal() -> None:
    meters = Meters(addresses=("111111111111", ONE))

    async def scenario(site: Site) -> None:
        block = behind(meters)
        values = block.decode(await site.driver.read(ONE, block))
        assert meters.stores[ONE].read_out(values) == [(meters.stores[ONE].place("power"), 1)]
        (frame,) = site.sent()
        assert (frame.address, frame.kind) == ("aaaaaaaaaaaa", "wildcard")
        assert site.bus.counters.ok == 1

    run(meters.far(), scenario)


def test_a_terminal_that_does_not_reach_the_meter() -> None:
    meters = Meters(addresses=("111111111111",))

    async def scenario(site: Site) -> None:
        for _ in range(2):
            with pytest.raises(RefusedError, match="terminal in front: refused, DAR 33") as caught:
                await site.driver.read(ONE, behind(meters))
            assert caught.value.silent
        assert site.bus.counters.exception == 2

    run(meters.far(), scenario)


@pytest.mark.parametrize("passed", [b"nothing", b""])
def test_a_terminal_that_passes_nonsense_on(passed: bytes) -> None:
    body = apdu("proxy_response", "transparent", port=0xF201_0201, result=("answer", passed))

    async def scenario(site: Site) -> None:
        with pytest.raises(NoReplyError):
            await site.driver.read(ONE, behind(Meters()))
        assert site.bus.counters.corrupt == 1

    run(by_hand(lambda frame, *_: [reply_to(frame, body, address="111111111111")]), scenario)


# Factors


def test_a_factor_leaves_what_the_day_had_before() -> None:
    meters = carbon(factor_values=24)
    day, hour = NOW - NOW % 86_400_000 - 8 * 3_600_000, 3_600_000

    async def scenario(site: Site) -> None:
        for number, factor in [(0, 100_000), (5, 200_000), (6, 300_000)]:
            fields = {"time": day + number * hour, "carbon_factor": factor}
            await site.driver.write(ONE, meters.profile.command("factor", fields, ZONE))
        applied = [fields["carbon_factor"] for _, fields in meters.stores[ONE].applied[-96:]]
        assert applied == [100_000] * 20 + [200_000] * 4 + [300_000] * 72

    run(meters.far(), scenario)


def test_a_meter_that_does_not_show_its_factors_is_told_the_day() -> None:
    meters = carbon(factor_values=24)
    day = NOW - NOW % 86_400_000 - 8 * 3_600_000

    async def scenario(site: Site) -> None:
        fields = {"time": day + 5 * 3_600_000, "carbon_factor": 200_000}
        await site.driver.write(ONE, meters.profile.command("factor", fields, ZONE))
        assert site.services() == ["connect_request", "get_request", "set_request"]
        assert len(meters.stores[ONE].applied) == 96

    run(meters.far(), scenario)


# Time, and finding meters


def test_time_is_set_in_one_meter_or_in_all() -> None:
    meters = Meters(addresses=(ONE, TWO))

    async def scenario(site: Site) -> None:
        await site.driver.time_sync(ONE, NOW + 999, ZONE)
        assert [len(meters.stores[address].applied) for address in (ONE, TWO)] == [1, 0]
        await site.driver.time_sync(None, NOW, ZONE)
        await asyncio.sleep(0.1)
        assert meters.stores[TWO].applied == [("clock", {"time": NOW})]
        broadcast = site.sent()[-1]
        assert (broadcast.address, broadcast.kind) == ("aa", "broadcast")
        assert broadcast.user_data.hex(" ") == "07 01 00 40 00 7f 00 1c 07 e9 04 03 0c 14 05 00"

    run(meters.far(), scenario)


def found_by(far: FarEnd) -> list[Found]:
    async def scenario(site: Site) -> list[Found]:
        return [found async for found in site.driver.scan()]

    return run(far, scenario)


@pytest.mark.parametrize("meters", [Meters(), Meters("dlt698-carbon-meter")], ids=["preset", "association"])
def test_a_scan_finds_the_one_meter(meters: Meters) -> None:
    (found,) = found_by(meters.far())
    assert (found.protocol, found.address) == ("dlt698", ONE)
    assert found.details["model"] == meters.profile.model


def collide(replies: list[bytes]) -> list[bytes]:
    """Return what a bus carries when several speak at once: here, the wires' AND."""
    if len(replies) < 2:
        return replies
    length = max(map(len, replies))
    padded = [reply.ljust(length, b"\xff") for reply in replies]
    mixed = bytearray(padded[0])
    for reply in padded[1:]:
        for place, octet in enumerate(reply):
            mixed[place] &= octet
    return [bytes(mixed)]


def test_a_scan_tells_meters_apart_that_answer_at_once() -> None:
    addresses = ("202600000017", "202600000018", "202600000027", "999999999999")
    meters = Meters(addresses=addresses)
    far = meters.far()
    far.answer = lambda data: collide(meters.answer(data))
    assert sorted(str(found.address) for found in found_by(far)) == sorted(addresses)


def test_a_scan_of_an_empty_line_is_over_soon() -> None:
    far = FarEnd(lambda _: [])
    assert found_by(far) == []
    assert far.asked == 1
