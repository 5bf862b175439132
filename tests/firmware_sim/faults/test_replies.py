"""Every fault of a reply, as a master hears it: by the octets that come over a real socket or terminal."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sim_support import (
    DLT645,
    DLT698,
    HOUR,
    START,
    dlt645_read,
    dlt698_get,
    master_of,
    mbap,
    read_pdu,
    rtu,
    served,
    service_of,
)

from clock import ManualClock
from diantan_core import Dlt645Frame, Dlt645Noise, Dlt645Parser, Dlt698Frame, Dlt698Noise, Dlt698Parser
from firmware_sim.faults.model import parse_fault
from firmware_sim.serve import Service
from protocols.modbus.crc import crc16

ASK_A, ASK_B = rtu(1, read_pdu(0x12, 2)), rtu(2, read_pdu(0x12, 2))
REPLY_A = rtu(1, bytes((4, 4)) + (660_000).to_bytes(4, "big"))
REPLY_B = rtu(2, bytes((4, 4)) + (100).to_bytes(4, "big"))

Work = Callable[[Any, Service, ManualClock], Awaitable[None]]


def on_a_line(work: Work, *faults: dict[str, Any], **keys: Any) -> Service:
    """Serve meters a and b (units 1 and 2) with these faults, and work on them."""

    async def run() -> Service:
        clock = ManualClock(START)
        meters = (served("a", unit=1), served("b", unit=2, power_mw=1_000))
        service = service_of(*meters, clock=clock, faults=list(faults), **keys)
        async with master_of(service) as master:
            await work(master, service, clock)
        return service

    return asyncio.run(run())


def heard(count: int, *faults: dict[str, Any], asked: bytes = ASK_A + ASK_B, **keys: Any) -> bytes:
    """Return what comes after these requests: `count` octets, and then nothing but the reply to a last one."""
    octets = b""

    async def work(master: Any, service: Service, _: ManualClock) -> None:
        nonlocal octets
        master.send(asked)
        octets = await master.receive(count)
        service.book.clear(None, START)
        master.send(ASK_B)
        assert await master.receive(len(REPLY_B)) == REPLY_B

    on_a_line(work, *faults, **keys)
    return octets


@pytest.fixture(params=["tcp", "pty"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_without_faults_replies_are_right(transport: str) -> None:
    assert heard(18, transport=transport) == REPLY_A + REPLY_B


def test_silence(transport: str) -> None:
    assert heard(9, {"kind": "silent", "meter": "a"}, transport=transport) == REPLY_B


def test_a_late_reply_comes_when_the_master_has_gone_on(transport: str) -> None:
    async def work(master: Any, service: Service, clock: ManualClock) -> None:
        master.send(ASK_A)
        master.send(ASK_B)
        assert await master.receive(9) == REPLY_B
        # The neighbour's answer shows that the request was heard; only time brings the other one.
        await clock.advance(1_499)
        master.send(ASK_B)
        assert await master.receive(9) == REPLY_B
        await clock.advance(1)
        assert await master.receive(9) == REPLY_A
        assert service.book.counters["a"].as_json() == {"requests": 1, "answers": 1, "faults": {"late": 1}}

    on_a_line(work, {"kind": "late", "meter": "a", "delay_ms": 1_500}, transport=transport)


def test_late_replies_are_spread_and_keep_their_order() -> None:
    async def work(master: Any, _: Service, clock: ManualClock) -> None:
        master.send(ASK_A + rtu(1, read_pdu(0x13, 1)) + rtu(1, bytes((17,))))
        master.send(ASK_B)
        assert await master.receive(9) == REPLY_B
        await clock.advance(3_000)
        assert await master.receive(9) == REPLY_A
        assert (await master.receive(7))[:3] == bytes((1, 4, 2))
        assert (await master.receive(3))[:2] == bytes((1, 17))

    on_a_line(work, {"kind": "late", "meter": "a", "delay_ms": [100, 3_000], "seed": 5})


def test_a_reply_of_another_unit(transport: str) -> None:
    # The nearest other meter of the line is the one that seems to answer; the check is right.
    wrong = rtu(2, REPLY_A[1:-2])
    assert heard(18, {"kind": "wrong-address", "meter": "a"}, transport=transport) == wrong + REPLY_B


def test_a_bad_checksum(transport: str) -> None:
    octets = heard(18, {"kind": "bad-checksum", "meter": "a"}, transport=transport)
    assert octets[:7] == REPLY_A[:7]
    assert crc16(octets[:9]) != 0
    assert octets[9:] == REPLY_B


@pytest.mark.parametrize(("octets", "kept"), [(1, 1), (5, 5), (100, 8)])
def test_a_truncated_frame(octets: int, kept: int) -> None:
    fault = {"kind": "truncated", "meter": "a", "octets": octets}
    assert heard(kept + 9, fault) == REPLY_A[:kept] + REPLY_B


def test_frames_are_truncated_anywhere() -> None:
    lengths = set()
    for seed in range(30):
        fault = {"kind": "truncated", "meter": "a", "seed": seed, "count": 1}

        async def work(master: Any, _: Service, __: ManualClock) -> None:
            master.send(ASK_A + ASK_B)
            octets = b""
            while not octets.endswith(REPLY_B):
                octets += await master.receive(1)
            assert REPLY_A.startswith(octets[:-9])
            lengths.add(len(octets) - 9)

        on_a_line(work, fault)
    assert lengths <= set(range(1, 9))
    assert len(lengths) > 4


def test_merged_frames_come_in_one_burst() -> None:
    async def work(master: Any, service: Service, _: ManualClock) -> None:
        master.send(ASK_A)
        while service.book.counters["a"].requests == 0:  # noqa: ASYNC110 - nothing is heard of it
            await asyncio.sleep(0)
        assert service.book.counters["a"].answers == 0
        master.send(ASK_B)
        assert await master.burst() == REPLY_A + REPLY_B
        assert service.book.counters["a"].answers == 1

    on_a_line(work, {"kind": "merged", "meter": "a"})


def test_a_repeated_reply() -> None:
    assert heard(27, {"kind": "repeated", "meter": "a"}) == REPLY_A * 2 + REPLY_B


def test_an_echo_of_one_meters_requests(transport: str) -> None:
    async def work(master: Any, _: Service, __: ManualClock) -> None:
        master.send(ASK_A)
        assert await master.receive(17) == ASK_A + REPLY_A
        master.send(ASK_B)
        assert await master.receive(9) == REPLY_B

    on_a_line(work, {"kind": "echo", "meter": "a"}, transport=transport)


def test_a_line_echoes_everything_also_what_nobody_answers(transport: str) -> None:
    async def work(master: Any, _: Service, __: ManualClock) -> None:
        nobody = rtu(9, read_pdu(0, 1))
        master.send(nobody)
        assert await master.receive(8) == nobody
        master.send(ASK_A)
        assert await master.receive(17) == ASK_A + REPLY_A

    on_a_line(work, {"kind": "echo", "line": "bus"}, transport=transport)


@pytest.mark.parametrize(
    ("where", "expected"), [("before", b"\xaa\xbb" + REPLY_A), ("after", REPLY_A + b"\xaa\xbb"), ("inside", None)]
)
def test_noise(where: str, expected: bytes | None, transport: str) -> None:
    fault = {"kind": "noise", "meter": "a", "where": where, "hex": "AA BB"}
    octets = heard(20, fault, transport=transport)
    assert octets.endswith(REPLY_B)
    if expected is not None:
        assert octets[:11] == expected
    else:
        cut = octets.index(b"\xaa\xbb")
        assert 0 < cut < 9
        assert octets[:cut] + octets[cut + 2 : 11] == REPLY_A


def test_noise_is_random_and_repeats_with_the_seed() -> None:
    def noise(seed: int) -> bytes:
        return heard(9 + 6 + 9, {"kind": "noise", "meter": "a", "octets": 6, "seed": seed})[:6]

    assert noise(1) == noise(1) != noise(2)


def test_faults_add_up() -> None:
    faults = [
        {"kind": "noise", "meter": "a", "hex": "EE"},
        {"kind": "truncated", "meter": "a", "octets": 4},
        {"kind": "wrong-address", "meter": "a"},
    ]
    assert heard(5 + 9, *faults) == b"\xee" + rtu(2, REPLY_A[1:-2])[:4] + REPLY_B


def test_only_the_next_replies_are_hit_and_counted() -> None:
    async def work(master: Any, service: Service, _: ManualClock) -> None:
        master.send(ASK_A * 5)
        assert await master.receive(27) == REPLY_A * 3
        assert service.book.counters["a"].as_json() == {"requests": 5, "answers": 3, "faults": {"silent": 2}}
        assert service.requests == 5

    on_a_line(work, {"kind": "silent", "count": 2})


def test_a_fault_lasts_as_long_as_it_says() -> None:
    async def work(master: Any, _: Service, clock: ManualClock) -> None:
        master.send(ASK_A)
        assert await master.receive(9) == REPLY_A
        clock.wall_ms = START + HOUR
        master.send(ASK_A + ASK_B)
        assert await master.receive(9) == REPLY_B
        clock.wall_ms = START + HOUR + 60_000
        master.send(ASK_A)
        assert await master.receive(9) == REPLY_A

    on_a_line(work, {"kind": "silent", "meter": "a", "after_s": 3600, "duration_s": 60})


def test_modbus_tcp_has_the_same_faults_but_for_the_check() -> None:
    asked = mbap(1, read_pdu(0x12, 2), 7)
    reply = mbap(1, bytes((4, 4)) + (660_000).to_bytes(4, "big"), 7)

    async def work(master: Any, service: Service, _: ManualClock) -> None:
        for fault, expected in (
            ({"kind": "wrong-address"}, mbap(2, reply[7:], 7)),
            ({"kind": "repeated"}, reply * 2),
            ({"kind": "truncated", "octets": 7}, reply[:7]),
            ({"kind": "noise", "hex": "00"}, b"\0" + reply),
            ({"kind": "bad-checksum", "line": None}, None),
        ):
            document = {key: value for key, value in fault.items() if value is not None}
            if expected is None:
                with pytest.raises(ValueError, match="Modbus TCP has none"):
                    service.book.set(parse_fault(document), START)
                continue
            service.book.set(parse_fault(document), START)
            master.send(asked)
            assert await master.receive(len(expected)) == expected
            service.book.clear(None, START)

    on_a_line(work, transport="modbus-tcp")


def test_a_gateways_word_for_a_meter_that_is_not_there_is_a_reply_of_the_line() -> None:
    async def work(master: Any, service: Service, _: ManualClock) -> None:
        master.send(mbap(9, read_pdu(0, 1), 1))
        assert await master.receive(9) == mbap(9, bytes((0x84, 11)), 1)
        service.book.set(parse_fault({"kind": "repeated", "line": "bus"}), START)
        master.send(mbap(9, read_pdu(0, 1), 2))
        assert await master.receive(18) == mbap(9, bytes((0x84, 11)), 2) * 2

    on_a_line(work, transport="modbus-tcp")


@pytest.mark.parametrize("profile", [DLT645, DLT698])
@pytest.mark.parametrize("kind", ["wrong-address", "bad-checksum", "truncated", "repeated", "noise"])
def test_frames_of_dlt_meters_are_hit_as_well(profile: str, kind: str) -> None:
    address = "112233445566"
    ask = dlt645_read(address, 0x02800002) if profile == DLT645 else dlt698_get(address, 0x200F0200)
    parser = Dlt645Parser() if profile == DLT645 else Dlt698Parser()

    async def run() -> tuple[bytes, bytes]:
        service = service_of(served("m", profile, address=address), served("a", unit=1), transport="pty")
        async with master_of(service) as master:
            master.send(ask + ASK_A)
            right = b""
            while not right.endswith(REPLY_A):
                right += await master.receive(1)
            service.book.set(parse_fault({"kind": kind, "meter": "m", "seed": 3}), START)
            master.send(ask + ASK_A)
            wrong = b""
            while not wrong.endswith(REPLY_A):
                wrong += await master.receive(1)
        return right[:-9], wrong[:-9]

    right, wrong = asyncio.run(run())
    found = [*parser.feed(wrong), *parser.flush()]
    frames = [item for item in found if isinstance(item, Dlt645Frame | Dlt698Frame)]
    noise = [item for item in found if isinstance(item, Dlt645Noise | Dlt698Noise)]
    (whole,) = (type(parser)()).feed(right)
    assert isinstance(whole, Dlt645Frame | Dlt698Frame)
    assert whole.address == address
    if kind == "wrong-address":
        assert len(frames) == 1
        assert frames[0].address != address
        assert not noise
    elif kind == "repeated":
        assert frames == [whole, whole]
    elif kind == "noise":
        assert frames == [whole]
        assert wrong[4:] == right
    else:
        assert not frames
        assert noise
        assert (len(wrong) < len(right)) == (kind == "truncated")
