"""Time sync by DL/T 698.45, and meters found by their wildcard address."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from dlt698_support import NOW, ONE, TWO, ZONE, Meters, Site, apdu, by_hand, reply_to, run
from line_support import FarEnd

from diantan_core import Dlt698Frame
from fieldbus.drivers.base import Found, ScanLimitError

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


def test_what_a_meter_says_of_itself_in_blocks_is_left_out() -> None:
    meters = Meters()
    blocks = {"last": True, "block": 0, "result": ("normal_list", [])}

    def answer(frame: Dlt698Frame, _: str, content: Any) -> Sequence[bytes]:
        if content[1].get("oad") == 0x4001_0200:
            return meters.answer(frame.encode())
        return [reply_to(frame, apdu("get_response", "next", piid_acd=content[1]["piid"], **blocks))]

    (found,) = found_by(by_hand(answer))
    assert (found.address, found.details) == (ONE, {})


def test_a_meter_that_repeats_the_wildcard_is_found_by_what_it_says() -> None:
    meters = Meters()

    def answer(frame: Dlt698Frame, _: str, content: Any) -> Sequence[bytes]:
        if frame.kind != "wildcard":
            return meters.answer(frame.encode())
        told = ("data", ("octet_string", bytes.fromhex(ONE)))
        body = apdu("get_response", "normal", piid_acd=content[1]["piid"], oad=0x4001_0200, result=told)
        return [reply_to(frame, body, kind="wildcard")]

    (found,) = found_by(by_hand(answer))
    assert found.address == ONE
    assert found.details["model"] == meters.profile.model


def test_noise_does_not_keep_a_scan_busy_for_ever() -> None:
    far = FarEnd(lambda _: [bytes(20)])

    async def scenario(site: Site) -> None:
        with pytest.raises(ScanLimitError, match="after 300 requests"):
            assert [found async for found in site.driver.scan(most_requests=300)] == []

    run(far, scenario)
    assert far.asked == 300


def test_a_scan_of_an_empty_line_is_over_soon() -> None:
    far = FarEnd(lambda _: [])
    assert found_by(far) == []
    assert far.asked == 1
