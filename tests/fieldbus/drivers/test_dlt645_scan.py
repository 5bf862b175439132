"""Meters of DL/T 645-2007 are found on a line, alone or in a crowd."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from dlt645_support import ONE, TWO, Site, face, run, served
from line_support import FarEnd

from diantan_core import Dlt645Frame, Dlt645Parser, dlt645_build, dlt645_parse
from fieldbus.drivers.base import ScanLimitError
from fieldbus.drivers.dlt645_scan import Progress
from fieldbus.line_timing import LineTiming


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


def test_a_number_that_is_none_does_not_keep_the_rest_back() -> None:
    subject = served(face(TWO))

    def line(data: bytes) -> Sequence[bytes]:
        asked = dlt645_parse(next(frame for frame in Dlt645Parser().feed(data) if isinstance(frame, Dlt645Frame)))
        if asked.get("di") != 0x04000402:
            return subject(data)
        reply = {"kind": "read", "reply": True, "di": 0x04000402, "data": b"\xff" * 6, "more": False}
        return [dlt645_build(TWO, reply).encode()]

    async def scenario(site: Site) -> None:
        (meter_found,) = [item async for item in site.driver.scan()]
        assert meter_found.details == {"meter_constant": "1000"}

    run(line, scenario)


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
