"""DL/T 698.45 against the package `dlt698` 1.0.1, over TCP: our codec as a server of its client."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from dlt698 import Client, ClientOptions, ConnectionProfile, Data, Omd
from dlt698 import protocol as theirs
from dlt698.model import Selector9
from peer_dlt698_support import ENERGIES, ENERGY, LIMIT_S, METER, VOLTAGE, VOLTAGES, WIRE, Apdu, oad

from diantan_core import (
    Dlt698Frame,
    Dlt698Parser,
    Dlt698Reassembler,
    dlt698_decode_apdu,
    dlt698_encode_apdu,
)


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
