"""DL/T 645-2007 against the package `dlt645` 3.2.0, over TCP, in both roles.

First what conforms, then its deviations from the standard, one test each: such a test shows what it does, so that it
fails when a newer version mends it. Its address is never reversed on the wire (the first deviation), so the tests of
everything else use the address as the standard would read it there.
"""

import queue
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from dlt645 import Demand, MeterClientService, MeterServerService

from diantan_core import (
    Dlt645Error,
    Dlt645Frame,
    Dlt645Message,
    Dlt645Parser,
    dlt645_build,
    dlt645_decode,
    dlt645_encode,
    dlt645_item,
    dlt645_matches,
    dlt645_parse,
)

SET = "112233445566"
"""What the package is told its address is."""
WIRE = "665544332211"
"""What that is on the wire."""
LIMIT_S = 20
PASSWORD = b"\x00\x00\x00\x00"


class Master:
    """Our codec as the client of a meter."""

    def __init__(self, port: int) -> None:
        self.line = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        self.parser = Dlt645Parser()

    def hear(self) -> Dlt645Frame:
        while True:
            octets = self.line.recv(1024)
            assert octets, "the meter hung up"
            for event in self.parser.feed(octets):
                assert isinstance(event, Dlt645Frame), event
                return event

    def ask(self, message: Dlt645Message, address: str = WIRE) -> Dlt645Message:
        self.line.sendall(dlt645_build(address, message).encode())
        reply = self.hear()
        assert reply.from_meter
        return dlt645_parse(reply)

    def read(self, di: int, address: str = WIRE) -> Dlt645Message:
        return self.ask({"kind": "read", "di": di}, address)


@pytest.fixture(scope="module")
def served() -> Iterator[MeterServerService]:
    service = MeterServerService.new_tcp_server("127.0.0.1", 0, 1.0)
    assert service.start()
    yield service
    assert service.stop()


@pytest.fixture
def meter(served: MeterServerService) -> MeterServerService:
    served.set_address(SET)
    served.time = None
    served.baud_rate = 9600
    return served


@pytest.fixture
def master(meter: MeterServerService) -> Iterator[Master]:
    master = Master(meter.server.port)
    with master.line:
        yield master


# Our client, its server: what conforms


@pytest.mark.parametrize(
    ("di", "value", "expected"),
    [
        (0x00010000, 123456.78, (12345678, -2)),
        (0x00000000, -50.25, (-5025, -2)),
        (0x00010400, 0.01, (1, -2)),
        (0x02010100, 220.3, (2203, -1)),
        (0x02020300, -5.123, (-5123, -3)),
        (0x02030000, -12.3456, (-123456, -4)),
        (0x02800002, 50.02, (5002, -2)),
    ],
)
def test_its_meter_is_read(
    meter: MeterServerService, master: Master, di: int, value: float, expected: tuple[int, int]
) -> None:
    assert (meter.set_00 if di >> 24 == 0 else meter.set_02)(di, value)
    reply = master.read(di)
    assert (reply["di"], reply["more"]) == (di, False)
    assert dlt645_decode(di, reply["data"]) == [expected]


def test_its_meter_tells_a_demand_and_when(meter: MeterServerService, master: Master) -> None:
    assert meter.set_01(0x01010000, Demand(12.3456, datetime(2026, 8, 25, 12, 15)))  # noqa: DTZ001  # a meter's clock
    demand, time = dlt645_decode(0x01010000, master.read(0x01010000)["data"])
    assert demand == (123456, -4)
    assert time == {"year": 26, "month": 8, "day": 25, "hour": 12, "minute": 15}


def test_its_meter_tells_parameters(meter: MeterServerService, master: Master) -> None:
    assert meter.set_04(0x04000101, "26082502")
    assert dlt645_decode(0x04000101, master.read(0x04000101)["data"]) == [
        {"year": 26, "month": 8, "day": 25, "weekday": 2}
    ]


def test_its_meter_says_what_it_does_not_have(master: Master) -> None:
    reply = master.read(0x02010400)
    assert (reply["error"], reply["reasons"]) == (0x02, ("no_such_data",))


def test_its_meter_takes_a_parameter_with_the_right_password_only(meter: MeterServerService, master: Master) -> None:
    assert meter.set_04(0x04000103, "15")
    write = {
        "kind": "write",
        "di": 0x04000103,
        "level": 0,
        "operator": bytes(4),
        "data": dlt645_encode(0x04000103, [(30, 0)]),
    }
    refused = master.ask(write | {"password": b"\x99\x99\x99"})
    assert (refused["error"], refused["reasons"]) == (0x04, ("not_authorised",))
    assert dlt645_decode(0x04000103, master.read(0x04000103)["data"]) == [(15, 0)]
    assert master.ask(write | {"password": PASSWORD[1:]}) == {"kind": "write", "reply": True}
    assert dlt645_decode(0x04000103, master.read(0x04000103)["data"]) == [(30, 0)]


def test_its_meter_finds_a_request_in_pieces_and_noise(meter: MeterServerService, master: Master) -> None:
    assert meter.set_02(0x02010100, 220.3)
    request = dlt645_build(WIRE, {"kind": "read", "di": 0x02010100}).encode()
    spoilt = request[:-2] + bytes([request[-2] ^ 1, request[-1]])
    # A frame with a bad checksum is discarded silently: the first reply is that of the second one.
    for octets in (b"\x00\x68\x11" + spoilt, *(bytes([octet]) for octet in request)):
        master.line.sendall(octets)
    reply = dlt645_parse(master.hear())
    assert dlt645_decode(0x02010100, reply["data"]) == [(2203, -1)]


def test_its_meter_tells_its_address(master: Master) -> None:
    assert master.ask({"kind": "read_address"}, "AAAAAAAAAAAA") == {
        "kind": "read_address",
        "reply": True,
        "address": WIRE,
    }


# Our client, its server: deviations


def test_deviation_the_meter_does_not_reverse_its_address(meter: MeterServerService, master: Master) -> None:
    assert "error" not in master.read(0x00010000, WIRE)
    assert master.read(0x00010000, SET)["error"] == 0x01
    assert bytes(meter.address) == bytes.fromhex(SET)


def test_deviation_a_meter_answers_for_others(master: Master) -> None:
    # On a line with several meters, all would answer every request.
    assert master.read(0x00010000, "000000000001") == {
        "kind": "read",
        "reply": True,
        "error": 0x01,
        "reasons": ("other",),
    }


def test_deviation_a_read_by_wildcard_is_answered_with_the_wildcard(master: Master) -> None:
    master.line.sendall(dlt645_build("AAAAAAAAAAAA", {"kind": "read", "di": 0x00010000}).encode())
    assert master.hear().address == "AAAAAAAAAAAA"


def test_deviation_a_shortened_address_is_refused(master: Master) -> None:
    shortened = "AAAAAAAA" + WIRE[-4:]
    assert dlt645_matches(shortened, WIRE)
    assert master.read(0x00010000, shortened)["error"] == 0x01


def test_deviation_the_time_is_expected_year_first(meter: MeterServerService, master: Master) -> None:
    time = {"year": 12, "month": 11, "day": 10, "hour": 9, "minute": 8, "second": 7}
    master.line.sendall(dlt645_build("999999999999", {"kind": "time_sync", "time": time}).encode())
    master.read(0x00010000)  # the broadcast is not answered, and was taken before this was
    assert meter.time == datetime(2007, 8, 9, 10, 11, 12)  # noqa: DTZ001  # a meter's clock


def test_deviation_the_freeze_is_expected_month_first(meter: MeterServerService, master: Master) -> None:
    hourly = {"month": 99, "day": 99, "hour": 99, "minute": 30}
    assert master.ask({"kind": "freeze", "time": hourly}) == {"kind": "freeze", "reply": True}
    assert meter.last_freeze_time == bytes.fromhex("30999999")  # it takes 30 for the month


def test_deviation_the_baud_words_are_others(meter: MeterServerService, master: Master) -> None:
    refused = master.ask({"kind": "change_baud", "baud": 9600})
    assert refused["reasons"] == ("baud_fixed",)
    theirs = {4800: 0x16, 9600: 0x32, 19200: 0x64}
    for baud, word in theirs.items():
        master.line.sendall(Dlt645Frame(WIRE, 0x17, bytes([word])).encode())
        echoed = master.hear()
        assert (echoed.control, echoed.data, meter.baud_rate) == (0x97, bytes([word]), baud)
        with pytest.raises(Dlt645Error):  # more than one bit is set
            dlt645_parse(echoed)


@pytest.mark.parametrize(
    ("di", "error"),
    [
        (0x05060101, 0x01),  # freezes
        (0x06000000, 0x01),  # load records
        (0x0001FF00, 0x02),  # blocks
        (0x0201FF00, 0x02),
    ],
)
def test_deviation_there_are_no_freezes_no_load_records_and_no_blocks(master: Master, di: int, error: int) -> None:
    assert dlt645_item(di) is not None
    assert master.read(di)["error"] == error


def test_deviation_follow_up_frames_are_not_known(master: Master) -> None:
    reply = master.ask({"kind": "read_next", "di": 0x00010000, "seq": 1})
    assert reply["kind"] == "read_next"
    assert reply["error"]


def test_deviation_a_power_factor_has_a_unit(meter: MeterServerService) -> None:
    item, ours = meter.get_data_item(0x02060000), dlt645_item(0x02060000)
    assert item is not None
    assert ours is not None
    assert (item.unit, ours.units) == ("kW", ("",))


# Its client, our server


class Meter:
    """Our codec as a meter on a line of its own; it keeps what it heard."""

    def __init__(self, address: str, values: dict[int, bytes]) -> None:
        self.address = address
        self.values = values
        self.heard: queue.Queue[Dlt645Frame] = queue.Queue()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(LIMIT_S)
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        line, _ = self.listener.accept()
        parser = Dlt645Parser()
        with line:
            line.settimeout(LIMIT_S)
            while octets := line.recv(1024):
                for event in parser.feed(octets):
                    if isinstance(event, Dlt645Frame) and dlt645_matches(event.address, self.address):
                        self.heard.put(event)
                        if (reply := self.reply(event)) is not None:
                            line.sendall(reply.encode(2))

    def reply(self, frame: Dlt645Frame) -> Dlt645Frame | None:
        if frame.address == "999999999999":
            return None
        try:
            asked = dlt645_parse(frame)
        except Dlt645Error:
            return dlt645_build(self.address, {"kind": "freeze", "reply": True, "error": 0x01})
        answer: Dlt645Message = {"kind": asked["kind"], "reply": True}
        match asked["kind"]:
            case "read":
                data = self.values.get(asked["di"])
                answer |= {"error": 0x02} if data is None else {"di": asked["di"], "data": data}
            case "read_address":
                answer |= {"address": self.address}
            case "write":
                self.values[asked["di"]] = asked["data"]
        return dlt645_build(self.address, answer)

    def stop(self) -> None:
        self.thread.join(LIMIT_S)
        assert not self.thread.is_alive()
        self.listener.close()


@pytest.fixture
def our_meter() -> Iterator[Meter]:
    demand = dlt645_encode(0x01010000, [(123456, -4), {"year": 26, "month": 8, "day": 25, "hour": 12, "minute": 15}])
    values = {
        0x00010000: dlt645_encode(0x00010000, [(12345678, -2)]),
        0x02010100: dlt645_encode(0x02010100, [(2203, -1)]),
        0x02030000: dlt645_encode(0x02030000, [(-123456, -4)]),
        0x01010000: demand,
        0x04000102: dlt645_encode(0x04000102, [{"hour": 12, "minute": 23, "second": 56}]),
    }
    meter = Meter(WIRE, values)
    yield meter
    meter.stop()


@pytest.fixture
def their_client(our_meter: Meter) -> Iterator[MeterClientService]:
    client = MeterClientService.new_tcp_client("127.0.0.1", our_meter.listener.getsockname()[1], LIMIT_S)
    assert client.set_address(SET)
    assert client.connect()
    yield client
    assert client.disconnect()


@pytest.mark.parametrize(
    ("read", "di", "value"),
    [
        (MeterClientService.read_00, 0x00010000, 123456.78),
        (MeterClientService.read_02, 0x02010100, 220.3),
        (MeterClientService.read_02, 0x02030000, -12.3456),
        (MeterClientService.read_04, 0x04000102, "122356"),
    ],
)
def test_its_client_reads_us(
    their_client: MeterClientService, read: Callable[[MeterClientService, int], object], di: int, value: object
) -> None:
    item = read(their_client, di)
    assert getattr(item, "value", None) == value


def test_its_client_takes_our_refusal(their_client: MeterClientService) -> None:
    assert their_client.read_00(0x00020000) is None


def test_its_client_writes_a_parameter_of_ours(their_client: MeterClientService, our_meter: Meter) -> None:
    their_client.write_04(0x04000103, "30", "00123456")
    asked = dlt645_parse(our_meter.heard.get(timeout=LIMIT_S))
    assert (asked["kind"], asked["di"], asked["level"], asked["password"]) == ("write", 0x04000103, 0, b"\x12\x34\x56")
    assert dlt645_decode(0x04000103, asked["data"]) == [(30, 0)]


def test_deviation_the_client_does_not_reverse_addresses(their_client: MeterClientService, our_meter: Meter) -> None:
    item = their_client.read_address()
    assert our_meter.heard.get(timeout=LIMIT_S).address == "AAAAAAAAAAAA"
    assert item is not None
    assert (our_meter.address, item.value) == (WIRE, SET)


def test_deviation_the_client_sends_the_time_year_first(their_client: MeterClientService, our_meter: Meter) -> None:
    assert their_client.broadcast_time_sync(datetime(2026, 8, 25, 12, 23, 56))  # noqa: DTZ001  # a meter's clock
    heard = our_meter.heard.get(timeout=LIMIT_S)
    assert (heard.address, heard.control, heard.data) == ("999999999999", 0x08, bytes.fromhex("260825122356"))
    with pytest.raises(Dlt645Error):  # 25 for the hour
        dlt645_parse(heard)


def test_deviation_the_client_sends_the_freeze_month_first(their_client: MeterClientService, our_meter: Meter) -> None:
    assert their_client.freeze(99, 99, 99, 30) is None  # refused
    heard = our_meter.heard.get(timeout=LIMIT_S)
    assert heard.data == bytes.fromhex("99999930")
    with pytest.raises(Dlt645Error):  # 30 for the month, below parts that are any
        dlt645_parse(heard)


def test_deviation_the_client_reads_the_time_of_a_demand_backwards(their_client: MeterClientService) -> None:
    item = their_client.read_01(0x01010000)  # of 2026-08-25 12:15; its own meter writes such a time as we do
    assert item is not None
    assert (item.value.value, item.value.time) == (12.3456, datetime(2015, 12, 25, 8, 26))  # noqa: DTZ001  # as above
