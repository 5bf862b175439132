"""DL/T 698.45 against the package `dlt698` 1.0.1, over TCP: our codec as a client of its server.

First what conforms, then its deviations, one test each: such a test shows what it does, so that it fails when a newer
version mends it.
"""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dlt698 import ConnectionProfile, Data, Server, ServerOptions
from dlt698 import protocol as theirs
from peer_dlt698_support import ENERGIES, ENERGY, LIMIT_S, METER, VOLTAGE, VOLTAGES, WIRE, Apdu, get, oad

from diantan_core import (
    Dlt698Frame,
    Dlt698Parser,
    dlt698_dar_name,
    dlt698_decode_apdu,
    dlt698_encode_apdu,
)

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
