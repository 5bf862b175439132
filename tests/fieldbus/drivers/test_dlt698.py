"""The driver of DL/T 698.45: whole meters, which reply is taken, refusals, and what is written."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dlt698_support import NOW, ONE, TWO, ZONE, Meters, Site, apdu, by_hand, carbon, reply_to, run
from line_support import FarEnd, over_pty, over_tcp

from diantan_core import Dlt698Frame
from fieldbus.exchange import BadReplyError, NoReplyError, RefusedError, UnsupportedError
from firmware_sim.circuit import Circuit
from firmware_sim.curves import ConstantCurve
from firmware_sim.faces.dlt698 import Dlt698Face
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.multifunction import MultiFunctionSettings
from profiles import load
from profiles.dlt698.codec import quantise
from profiles.dlt698.model import ObjectPoint
from profiles.dlt698.moments import date_time_s

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
