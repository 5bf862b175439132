"""Requests of Modbus found in a stream: in pieces, behind noise, between frames of other protocols."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim_support import dlt645_read, dlt698_get, mbap, read_pdu, rtu

from firmware_sim.faces.modbus_requests import MbapRequests, Request, RtuRequests, other_unit

WRITE = bytes((16, 0x40, 0, 0, 2, 4)) + bytes(4)
PDUS = [read_pdu(0, 60), bytes((6, 0x40, 0x20, 0, 1)), WRITE, bytes((17,)), bytes((43, 14, 1, 0)), read_pdu(1, 9, 3)]

pdus = st.sampled_from(PDUS)


@given(st.lists(st.tuples(st.sampled_from([1, 5, 247]), pdus), max_size=6), st.data())
def test_rtu_requests_are_found_however_they_are_cut(asked: list[tuple[int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(rtu(unit, pdu) for unit, pdu in asked)
    subject, found = RtuRequests([1, 5, 247]), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += subject.feed(stream[:size])
        stream = stream[size:]
    assert found == [Request(unit, pdu) for unit, pdu in asked]


@given(st.lists(st.tuples(st.binary(max_size=40), pdus), min_size=1, max_size=4))
def test_noise_and_other_protocols_hide_no_rtu_request(stream: list[tuple[bytes, bytes]]) -> None:
    subject = RtuRequests([1])
    for noise, pdu in stream:
        others = dlt645_read("112233445566", 0x00010000) + dlt698_get("112233445566", 0x00100200)
        found = subject.feed(noise + others + rtu(1, pdu))
        assert found[-1:] == [Request(1, pdu)]


def test_a_request_to_another_unit_is_not_ours() -> None:
    assert RtuRequests([1]).feed(rtu(2, read_pdu(0, 1))) == []


def test_a_broadcast_is_for_all() -> None:
    assert RtuRequests([1]).feed(rtu(0, WRITE)) == [Request(0, WRITE)]


def test_a_bad_check_is_no_request_and_costs_nothing_behind_it() -> None:
    subject = RtuRequests([1])
    frame = rtu(1, read_pdu(0, 60))
    assert subject.feed(frame[:-1] + bytes((frame[-1] ^ 1,))) == []
    assert subject.feed(frame) == [Request(1, read_pdu(0, 60))]


def test_an_unknown_function_ends_where_the_octets_end() -> None:
    pdu = bytes((0x65, 1, 2, 3))
    assert RtuRequests([1]).feed(rtu(1, pdu)) == [Request(1, pdu)]


def test_what_waits_is_bounded_and_given_up_on_silence() -> None:
    subject = RtuRequests([1])
    begun = bytes((1, 16, 0, 0, 0, 120, 240)) * 100
    assert subject.feed(begun) == []
    assert len(subject._buffer) < 256
    subject.flush()
    assert subject.feed(rtu(1, read_pdu(0, 1))) == [Request(1, read_pdu(0, 1))]


@given(st.lists(st.tuples(st.integers(0, 255), pdus, st.integers(0, 65535)), max_size=6), st.data())
def test_mbap_requests_are_found_however_they_are_cut(asked: list[tuple[int, bytes, int]], data: st.DataObject) -> None:
    stream = b"".join(mbap(unit, pdu, number) for unit, pdu, number in asked)
    subject, found = MbapRequests([1]), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        subject.flush()  # over TCP, silence means nothing
        found += subject.feed(stream[:size])
        stream = stream[size:]
    assert found == [Request(unit, pdu, number) for unit, pdu, number in asked]


@pytest.mark.parametrize(
    "garbage", [b"\0\1\0\1\0\6\1\3\0\0\0\1", b"\0\1\0\0\0\1\1", b"\0\1\0\0\0\xff\1\3", b"GET / HTTP/1.1\r\n"]
)
def test_what_is_no_mbap_frame_is_dropped(garbage: bytes) -> None:
    subject = MbapRequests([1])
    assert subject.feed(garbage) == []
    assert subject.feed(mbap(1, read_pdu(0, 1))) == [Request(1, read_pdu(0, 1), 1)]


def test_a_reply_bears_another_meters_unit() -> None:
    assert other_unit(1, [1, 7]) == 7
    assert other_unit(7, [1, 7]) == 1
    assert other_unit(9, [9]) == 10
    assert other_unit(247, [247]) == 1
    reply = bytes((4, 2, 0, 9))
    assert RtuRequests([1, 7]).misaddressed(rtu(1, reply)) == rtu(7, reply)
    assert MbapRequests([1, 7]).misaddressed(mbap(1, reply)) == mbap(7, reply)
