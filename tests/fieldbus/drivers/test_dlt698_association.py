"""How the driver of DL/T 698.45 comes to talk with a meter: associations, SECURITY, and terminals in front."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from dlt698_support import NOW, ONE, ZONE, Meters, Site, apdu, by_hand, carbon, long_block, reply_to, run

from diantan_core import Dlt698Frame, dlt698_decode_apdu, dlt698_encode_apdu
from fieldbus.exchange import BadReplyError, NoReplyError, RefusedError
from profiles.dlt698.model import Proxy
from profiles.dlt698.moments import date_time_s
from profiles.dlt698.plan import ObjectsBlock

# Associations


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


def test_a_terminal_may_be_named() -> None:
    """Where several dial in to one port, a wildcard would reach all of them."""
    meters = Meters(addresses=("111111111111", ONE))
    block = behind(meters)
    assert block.association.proxy is not None
    named = replace(block.association, proxy=replace(block.association.proxy, terminal="111111111111"))

    async def scenario(site: Site) -> None:
        values = block.decode(await site.driver.read(ONE, replace(block, association=named)))
        assert set(values) == {"power"}
        (frame,) = site.sent()
        assert (frame.address, frame.kind) == ("111111111111", "single")

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
