"""DL/T 698.45 against the package `dlt698` 1.0.1, over TCP, in both roles, and its codec and object table against ours.

First what conforms, then its deviations, one test each: such a test shows what it does, so that it fails when a newer
version mends it. Its `ServerAddress` holds an address as the line does, the other way round than people write it.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dlt698 import Client, ClientOptions, ConnectionProfile, Data, Oad, Omd, Server, ServerOptions, codec, standard
from dlt698 import protocol as theirs
from dlt698.common.errors import Dlt698Error as TheirError
from dlt698.model import Selector9

from diantan_core import (
    Dlt698Error,
    Dlt698Frame,
    Dlt698Parser,
    Dlt698Reassembler,
    dlt698_dar_name,
    dlt698_decode_apdu,
    dlt698_encode_apdu,
    dlt698_object,
)

METER = "060504030201"
WIRE = bytes.fromhex("010203040506")
LIMIT_S = 20
ENERGY, VOLTAGE = 0x00100200, 0x20000200
ENERGIES = (123456, 12345, 23456, 34567, 53088)
VOLTAGES = (2203, 2211, 2198)
SEEDS = Path(__file__).parents[2] / "core" / "fuzz" / "seeds" / "dlt698.txt"

Apdu = tuple[str, Any]


def oad(number: int) -> Oad:
    return Oad(oi=number >> 16, attribute=number >> 8 & 0xFF, index=number & 0xFF)


def get(number: int, piid: int = 1) -> Apdu:
    return ("get_request", ("normal", {"piid": piid, "oad": number, "time_tag": None}))


CONNECT: Apdu = (
    "connect_request",
    {
        "piid": 0,
        "version": 0x0010,
        "protocol_conformance": b"\xff" * 8,
        "function_conformance": b"\xff" * 16,
        "send_size": 1024,
        "receive_size": 1024,
        "receive_window": 1,
        "apdu_size": 1024,
        "timeout_s": 100,
        "mechanism": ("none", None),
        "time_tag": None,
    },
)


# Our client, its server


class Master:
    """Our codec as a client."""

    def __init__(self, server: Server) -> None:
        self.line = socket.create_connection(("127.0.0.1", server.local_port), LIMIT_S)
        self.parser = Dlt698Parser()
        self.heard: list[Dlt698Frame] = []

    def hear(self) -> Dlt698Frame:
        while not self.heard:
            octets = self.line.recv(4096)
            assert octets, "the server hung up"
            for event in self.parser.feed(octets):
                assert isinstance(event, Dlt698Frame), event
                self.heard.append(event)
        return self.heard.pop(0)

    def send(self, frame: Dlt698Frame) -> None:
        self.line.sendall(b"\xfe\xfe\xfe\xfe" + frame.encode())

    def ask(self, apdu: Apdu, control: int = 0x43) -> Apdu:
        self.send(Dlt698Frame(control, METER, 0, dlt698_encode_apdu(apdu)))
        frame = self.hear()
        assert (frame.control & 0xC3, frame.address, frame.client) == (0xC3, METER, 0)
        return dlt698_decode_apdu(frame.user_data)

    def result(self, number: int) -> Apdu:
        kind, (choice, reply) = self.ask(get(number))
        assert (kind, choice, reply["oad"]) == ("get_response", "normal", number)
        result: Apdu = reply["result"]
        return result


@pytest.fixture
def serve() -> Iterator[Callable[[ConnectionProfile], Master]]:
    """Return what starts their server and connects to it."""
    opened: list[tuple[Server, Master]] = []

    def start(profile: ConnectionProfile) -> Master:
        options = ServerOptions()
        session = options.protocol
        session.server = theirs.link.ServerAddress(bytes=WIRE)
        options.protocol = session
        server = Server(options=options)
        server.set(oad(ENERGY), Data.array([Data.uint32(value) for value in ENERGIES]))
        server.set(oad(VOLTAGE), Data.array([Data.uint16(value) for value in VOLTAGES]))
        server.start_tcp("127.0.0.1", 0, profile)
        master = Master(server)
        opened.append((server, master))
        return master

    yield start
    for server, master in opened:
        master.line.close()
        server.close()


@pytest.fixture
def master(serve: Callable[[ConnectionProfile], Master]) -> Master:
    """Return a client with a preset association, as on RS-485."""
    return serve(ConnectionProfile.local_preset)


def test_its_server_is_read(master: Master) -> None:
    energies = [("double_long_unsigned", value) for value in ENERGIES]
    assert master.result(ENERGY) == ("data", ("array", energies))
    assert master.result(ENERGY | 2) == ("data", energies[1])
    assert master.result(VOLTAGE | 3) == ("data", ("long_unsigned", VOLTAGES[2]))


def test_its_server_says_what_it_does_not_have(master: Master) -> None:
    kind, dar = master.result(0xDEAD0200)
    assert (kind, dlt698_dar_name(dar)) == ("dar", "object_undefined")


def test_its_server_answers_a_list_item_by_item(master: Master) -> None:
    oads = [VOLTAGE | 1, ENERGY | 1, 0x50000200]
    kind, (choice, reply) = master.ask(("get_request", ("normal_list", {"piid": 5, "oads": oads, "time_tag": None})))
    assert (kind, choice, reply["piid_acd"]) == ("get_response", "normal_list", 5)
    assert [(item["oad"], item["result"]) for item in reply["results"]] == [
        (oads[0], ("data", ("long_unsigned", VOLTAGES[0]))),
        (oads[1], ("data", ("double_long_unsigned", ENERGIES[0]))),
        (oads[2], ("dar", 4)),
    ]


def test_its_server_refuses_to_be_written(master: Master) -> None:
    item = {"piid": 4, "oad": VOLTAGE, "data": ("array", []), "time_tag": None}
    kind, (choice, reply) = master.ask(("set_request", ("normal", item)))
    assert (kind, choice, dlt698_dar_name(reply["dar"])) == ("set_response", "normal", "refused")
    sync = {"piid": 4, "omd": 0x40007F00, "data": ("null", None), "time_tag": None}
    kind, (choice, reply) = master.ask(("action_request", ("normal", sync)))
    assert (kind, choice, dlt698_dar_name(reply["dar"])) == ("action_response", "normal", "object_undefined")


def test_its_server_answers_a_record_request(master: Master) -> None:
    record = {"oad": 0x50040200, "rows": ("last", 1), "columns": [("oad", ENERGY)]}
    kind, (choice, reply) = master.ask(("get_request", ("record", {"piid": 6, "record": record, "time_tag": None})))
    assert (kind, choice) == ("get_response", "record")
    assert reply["record"] == {"oad": 0x50040200, "columns": [("oad", ENERGY)], "result": ("dar", 4)}


def test_its_server_understands_scrambled_requests(master: Master) -> None:
    _, (_, reply) = master.ask(get(VOLTAGE | 1), control=0x4B)
    assert reply["result"] == ("data", ("long_unsigned", VOLTAGES[0]))


def test_its_server_finds_a_request_in_pieces_and_noise(master: Master) -> None:
    request = Dlt698Frame(0x43, METER, 0, dlt698_encode_apdu(get(VOLTAGE | 1))).encode()
    spoilt = request[:-3] + bytes([request[-3] ^ 1]) + request[-2:]
    for octets in (b"\x00\x68\x11" + spoilt, *(bytes([octet]) for octet in request)):
        master.line.sendall(octets)
    _, (_, reply) = dlt698_decode_apdu(master.hear().user_data)
    assert reply["result"] == ("data", ("long_unsigned", VOLTAGES[0]))


def test_its_server_takes_fragments(master: Master) -> None:
    oads = [VOLTAGE | 1, VOLTAGE | 2, VOLTAGE | 3]
    apdu = dlt698_encode_apdu(("get_request", ("normal_list", {"piid": 7, "oads": oads, "time_tag": None})))
    parts = Dlt698Frame(0x43, METER, 0, apdu).split(6)
    assert len(parts) == 3
    for number, part in enumerate(parts[:-1]):
        master.send(part)
        confirmed = master.hear()
        assert (confirmed.from_server, confirmed.fragment()) == (True, (number, "confirm", b""))
    master.send(parts[-1])
    kind, (choice, reply) = dlt698_decode_apdu(master.hear().user_data)
    assert (kind, choice, len(reply["results"])) == ("get_response", "normal_list", 3)


def test_its_server_is_connected_to(serve: Callable[[ConnectionProfile], Master]) -> None:
    master = serve(ConnectionProfile.local_public)
    kind, error = master.ask(get(VOLTAGE))
    assert (kind, error["error"]) == ("error_response", 2)  # no association yet
    kind, connected = master.ask(CONNECT)
    assert (kind, connected["version"], connected["result"]) == ("connect_response", 0x0010, 0)
    assert master.result(VOLTAGE | 1) == ("data", ("long_unsigned", VOLTAGES[0]))
    kind, released = master.ask(("release_request", {"piid": 2, "time_tag": None}))
    assert (kind, released["result"]) == ("release_response", 0)


def test_its_server_logs_in(serve: Callable[[ConnectionProfile], Master]) -> None:
    master = serve(ConnectionProfile.remote_public)
    frame = master.hear()
    kind, login = dlt698_decode_apdu(frame.user_data)
    assert (frame.control, kind, login["type"]) == (0x81, "link_request", ("login", None))
    time = login["time"]
    answer = {"piid": 0, "result": 0x80, "requested": time, "received": time, "responded": time}
    master.send(Dlt698Frame(0x01, frame.address, 0, dlt698_encode_apdu(("link_response", answer))))
    kind, connected = master.ask(CONNECT)
    assert (kind, connected["result"]) == ("connect_response", 0)
    assert master.result(VOLTAGE | 1) == ("data", ("long_unsigned", VOLTAGES[0]))


@pytest.mark.parametrize(
    ("kind", "address"),
    [("wildcard", "aaaaaaaaaaaa"), ("wildcard", "0605040302aa"), ("group", METER), ("broadcast", "aa")],
)
def test_deviation_the_server_answers_single_addresses_only(master: Master, kind: Any, address: str) -> None:
    # A meter answers a wildcard with its own address: that is how it is found. Nobody answers a group or a broadcast.
    apdu = dlt698_encode_apdu(get(VOLTAGE | 1, piid=1))
    master.line.sendall(Dlt698Frame(0x43, address, 0, apdu, kind=kind).encode())
    _, (_, reply) = master.ask(get(VOLTAGE | 2, piid=2))
    assert reply["piid_acd"] == 2  # the first answer on the line is that to the second request


def test_deviation_the_server_does_not_answer_security(master: Master) -> None:
    apdu = {"apdu": ("plain", dlt698_encode_apdu(get(VOLTAGE))), "verification": ("rn", bytes(16))}
    master.send(Dlt698Frame(0x43, METER, 0, dlt698_encode_apdu(("security_request", apdu))))
    _, (_, reply) = master.ask(get(VOLTAGE | 2, piid=2))
    assert reply["piid_acd"] == 2


# Its client, our server


class Meter:
    """Our codec as a server of one connection; it keeps what it heard."""

    def __init__(self, *, logs_in: bool) -> None:
        self.logs_in = logs_in
        self.heard: list[Apdu] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(LIMIT_S)
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        line, _ = self.listener.accept()
        parser, reassembler = Dlt698Parser(), Dlt698Reassembler()
        with line:
            line.settimeout(LIMIT_S)
            if self.logs_in:
                line.sendall(self._login().encode())
            while octets := line.recv(4096):
                for frame in parser.feed(octets):
                    assert isinstance(frame, Dlt698Frame), frame
                    whole: Any = frame
                    if frame.is_fragment:
                        _, whole = reassembler.feed(frame)
                        line.sendall(frame.confirmation().encode())
                    if isinstance(whole, Dlt698Frame):
                        self._answer(line, whole)

    def _login(self) -> Dlt698Frame:
        time = {
            "year": 2026,
            "month": 8,
            "day": 25,
            "weekday": 2,
            "hour": 12,
            "minute": 0,
            "second": 0,
            "milliseconds": 0,
        }
        login = {"piid_acd": 0, "type": ("login", None), "heartbeat_s": 60, "time": time}
        return Dlt698Frame(0x81, METER, 0, dlt698_encode_apdu(("link_request", login)))

    def _answer(self, line: socket.socket, frame: Dlt698Frame) -> None:
        apdu = dlt698_decode_apdu(frame.user_data)
        self.heard.append(apdu)
        if apdu[0] != "link_response":
            reply = dlt698_encode_apdu(self.reply(apdu))
            line.sendall(Dlt698Frame(0xC3, frame.address, frame.client, reply).encode())

    def reply(self, apdu: Apdu) -> Apdu:
        kind, content = apdu
        tail = {"follow_report": None, "time_tag": None}
        if kind == "connect_request":
            agreed = {key: value for key, value in content.items() if key not in ("piid", "mechanism", "time_tag")}
            factory = {
                "manufacturer": b"TEST", "software_version": b"0001", "software_date": b"260801",
                "hardware_version": b"0001", "hardware_date": b"260801", "extension": bytes(8),
            }  # fmt: skip
            made = {"piid_acd": content["piid"], "factory": factory, "result": 0, "security_data": None}
            return ("connect_response", agreed | made | tail)
        if kind == "release_request":
            return ("release_response", {"piid_acd": content["piid"], "result": 0} | tail)
        choice, asked = content
        head: dict[str, Any] = {"piid_acd": asked["piid"]}
        match kind, choice:
            case "get_request", "normal":
                head |= {"oad": asked["oad"], "result": self.result(asked["oad"])}
            case "get_request", "normal_list":
                head |= {"results": [{"oad": each, "result": self.result(each)} for each in asked["oads"]]}
            case "get_request", "record":
                record = asked["record"]
                rows = ("rows", [[("double_long_unsigned", value)] for value in ENERGIES[:2]])
                head |= {"record": {"oad": record["oad"], "columns": record["columns"], "result": rows}}
            case "set_request", "normal":
                head |= {"oad": asked["oad"], "dar": 0}
            case _:
                head |= {"omd": asked["omd"], "dar": 0, "data": None}
        return (kind.replace("request", "response"), (choice, head | tail))

    @staticmethod
    def result(number: int) -> Apdu:
        if number == ENERGY:
            return ("data", ("array", [("double_long_unsigned", value) for value in ENERGIES]))
        if number & ~0xFF == VOLTAGE and 1 <= number & 0xFF <= 3:
            return ("data", ("long_unsigned", VOLTAGES[(number & 0xFF) - 1]))
        return ("dar", 6)

    def stop(self) -> None:
        self.thread.join(LIMIT_S)
        assert not self.thread.is_alive()
        self.listener.close()


@pytest.fixture(
    params=[ConnectionProfile.local_preset, ConnectionProfile.local_public, ConnectionProfile.remote_public]
)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Client, Meter]]:
    meter = Meter(logs_in=request.param == ConnectionProfile.remote_public)
    options = ClientOptions()
    session = options.protocol
    session.server = theirs.link.ServerAddress(bytes=WIRE)
    options.protocol = session
    with Client(options) as client:
        client.connect_tcp("127.0.0.1", meter.listener.getsockname()[1], request.param)
        yield client, meter
    meter.stop()


def test_its_client_uses_our_server(pair: tuple[Client, Meter]) -> None:
    client, meter = pair
    energies = client.get(oad(ENERGY)).require_data()
    assert tuple(element.as_uint32() for element in energies.value) == ENERGIES
    assert client.get(oad(0x20010200)).dar == 6
    listed = client.get_list([oad(VOLTAGE | 1), oad(VOLTAGE | 3), oad(VOLTAGE | 4)])
    results = [item.result for item in listed.attributes]
    assert [results[0].as_uint16(), results[1].as_uint16(), results[2]] == [VOLTAGES[0], VOLTAGES[2], 6]
    assert client.set(oad(0x40000200), Data.date_time_s([0x07, 0xEA, 8, 25, 12, 0, 0])) == 0
    assert client.action(Omd(oi=0x4000, method=0x7F, mode=0), Data.null()).dar == 0
    kinds = [kind for kind, _ in meter.heard]
    assert kinds[-5:] == ["get_request"] * 3 + ["set_request", "action_request"]
    time = {"year": 2026, "month": 8, "day": 25, "hour": 12, "minute": 0, "second": 0}
    assert meter.heard[-2][1][1]["data"] == ("date_time_s", time)
    assert meter.heard[-1][1][1]["omd"] == 0x40007F00


def test_its_client_reads_records_of_ours(pair: tuple[Client, Meter]) -> None:
    client, meter = pair
    query = theirs.GetRecord(attribute=oad(0x50040200), rows=Selector9(previous=2), columns=[oad(ENERGY | 1)])
    record = client.get_record(query)
    assert [row[0].as_uint32() for row in record.result] == list(ENERGIES[:2])
    assert meter.heard[-1][1][1]["record"] == {"oad": 0x50040200, "rows": ("last", 2), "columns": [("oad", ENERGY | 1)]}


# Its codec and object table beside ours


def both_decoded() -> Iterator[tuple[str, object, object]]:
    for line in SEEDS.read_text().splitlines():
        if line.startswith("#"):
            continue
        octets = bytes.fromhex(line)
        ours: object
        peers: object
        try:
            if octets[0] in (0x68, 0xFE):
                frame = Dlt698Frame.decode(octets)
                ours = (frame.control, frame.client, frame.user_data)
            else:
                ours = dlt698_encode_apdu(dlt698_decode_apdu(octets))
        except Dlt698Error:
            ours = None
        try:
            if octets[0] in (0x68, 0xFE):
                other = codec.decode_frame(octets)
                peers = (other.control, other.client, other.payload)
            else:
                peers = codec.encode_apdu(codec.decode_apdu(octets))
        except TheirError:
            peers = None
        yield line, ours, peers


def test_both_codecs_read_and_write_the_same() -> None:
    compared = 0
    for line, ours, peers in both_decoded():
        if line[:2] in ("10", "90"):
            continue  # SECURITY: below
        assert ours == peers, line
        compared += ours is not None
    assert compared > 50


def test_deviation_security_has_a_call_of_its_own() -> None:
    inner = dlt698_encode_apdu(get(VOLTAGE))
    apdu = ("security_request", {"apdu": ("plain", inner), "verification": ("rn", bytes(range(16)))})
    octets = dlt698_encode_apdu(apdu)
    with pytest.raises(TheirError):
        codec.decode_apdu(octets)
    secured = codec.decode_security(octets)
    assert (secured.application, secured.encrypted, secured.verification.value) == (inner, False, bytes(range(16)))
    assert codec.encode_security(secured) == octets


def test_each_reassembler_takes_the_other_ones_fragments() -> None:
    apdu = dlt698_encode_apdu(("get_request", ("normal_list", {"piid": 7, "oads": [ENERGY] * 9, "time_tag": None})))
    whole = Dlt698Frame(0x43, METER, 0, apdu)
    reassembler = theirs.link.LinkReassembler(4096)
    for part in whole.split(10):
        step = reassembler.accept(theirs.link.decode_fragment(codec.decode_frame(part.encode()).payload))
    assert step.apdu == apdu
    fragmenter = theirs.link.LinkFragmenter(apdu, 10, 4096)
    ours = Dlt698Reassembler()
    state, found = "more", None
    while state == "more":
        fragment = fragmenter.current()
        state, found = ours.feed(Dlt698Frame(0x63, METER, 0, theirs.link.encode_fragment(fragment)))
        if state == "more":  # it lets the reply stand for the confirmation of the last one
            fragmenter.acknowledge(fragment.sequence)
    assert (state, found) == ("complete", whole)


UNITS = {
    6: "min", 9: "°C", 27: "W", 28: "kW", 29: "VA", 30: "kVA", 31: "var", 32: "kvar", 33: "kWh", 34: "kVAh",
    35: "kvarh", 36: "A", 38: "V", 47: "Hz", 51: "%", 255: "",
}  # fmt: skip
TYPES = {
    "int16": "long", "int32": "double_long", "int64": "long64", "uint8": "unsigned", "uint16": "long_unsigned",
    "uint32": "double_long_unsigned", "uint64": "long64_unsigned", "enumeration": "enum",
}  # fmt: skip


def test_both_tables_have_the_same_objects() -> None:
    compared = 0
    for definition in standard.objects():
        for attribute in definition.attributes:
            if definition.oi == 0xF100 and attribute.number > 2:
                continue  # ours has the serial number only
            found = dlt698_object(definition.oi << 16 | attribute.number << 8)
            if found is None:
                continue
            compared += 1
            where = f"{definition.oi:04X} attribute {attribute.number}"
            assert found.interface_class == definition.class_id, where
            assert found.array is (attribute.type.name == "array"), where
            name = (attribute.element_type or attribute.type).name
            if not attribute.record and found.data_type is not None:
                assert found.data_type == TYPES.get(name, name), where
            if attribute.scaling is not None:
                assert found.exponent == attribute.scaling.scaler, where
                assert found.unit == UNITS[attribute.scaling.unit], where
    assert compared > 400
