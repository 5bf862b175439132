"""Simulated DL/T 698.45 meters against the client of the package `dlt698` 1.0.1, over TCP."""

import socket
import threading
from collections.abc import Iterator

import pytest
from dlt698 import Client, ClientOptions, ConnectionProfile, Data, Oad, Omd
from dlt698 import protocol as theirs
from dlt698.model import Selector9

from firmware_sim.faces.dlt698 import Dlt698Face
from firmware_sim.meter import Row
from profiles import Profile, load

METER = "060504030201"
WIRE = bytes.fromhex("010203040506")  # it holds an address as the line does
ZONE = "Asia/Shanghai"
NOW = 1_743_654_005_000  # 2025-04-03 12:20:05 in Shanghai
DAY = 1_743_609_600_000
LIMIT_S = 20


class Values:
    def __init__(self, profile: Profile) -> None:
        self.applied: list[tuple[str, Row]] = []
        self._row: Row = {name: 1000 * point.resolution for name, point in profile.points.items()}

    def values(self, now_ms: int) -> Row:
        return self._row

    def row(self, table: str, number: int, now_ms: int) -> Row:
        return {"time": DAY - (number - 1) * 86_400_000, "energy_forward": number * 10_000, "energy_reverse": 0}

    def apply(self, write: str, fields: Row, now_ms: int) -> None:
        self.applied.append((write, fields))


class Site:
    """A meter that serves one connection."""

    def __init__(self, connection: ConnectionProfile) -> None:
        connect = int(connection != ConnectionProfile.local_preset)
        profile = load("dlt698-carbon-meter", {"connect": connect, "client": 0})
        self.values = Values(profile)
        self.face = Dlt698Face({"meter": (METER, profile, self.values)}, ZONE)
        self.logs_in = connection == ConnectionProfile.remote_public
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(LIMIT_S)
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        line, _ = self.listener.accept()
        with line:
            line.settimeout(LIMIT_S)
            for answer in self.face.opened(NOW) if self.logs_in else ():
                line.sendall(answer.octets)
            while octets := line.recv(4096):
                for answer in self.face.feed(octets, NOW):
                    line.sendall(answer.octets)

    def stop(self) -> None:
        self.thread.join(LIMIT_S)
        assert not self.thread.is_alive()
        self.listener.close()


@pytest.fixture(
    params=[ConnectionProfile.local_preset, ConnectionProfile.local_public, ConnectionProfile.remote_public],
    ids=["preset", "association", "dials in"],
)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Client, Site]]:
    site = Site(request.param)
    options = ClientOptions()
    session = options.protocol
    session.server = theirs.link.ServerAddress(bytes=WIRE)
    options.protocol = session
    with Client(options) as client:
        client.connect_tcp("127.0.0.1", site.listener.getsockname()[1], request.param)
        yield client, site
    site.stop()


def oad(number: int) -> Oad:
    return Oad(oi=number >> 16, attribute=number >> 8 & 0xFF, index=number & 0xFF)


def test_its_client_reads_our_meter(pair: tuple[Client, Site]) -> None:
    client, _ = pair
    energies = client.get(oad(0x0010_0200)).require_data()
    assert [element.as_uint32() for element in energies.value] == [1000] * 5
    assert client.get(oad(0x1234_0200)).dar == 4
    listed = client.get_list([oad(0x2000_0201), oad(0x2000_0204), oad(0x200F_0200)])
    results = [item.result for item in listed.attributes]
    assert [results[0].as_uint16(), results[1], results[2].as_uint16()] == [1000, 6, 1000]


def test_its_client_sets_our_meter(pair: tuple[Client, Site]) -> None:
    client, site = pair
    assert client.set(oad(0x4000_0200), Data.date_time_s([0x07, 0xE9, 4, 3, 12, 20, 5])) == 0
    assert client.set(oad(0x0010_0200), Data.null()) == 3
    assert client.action(Omd(oi=0x4000, method=0x7F, mode=0), Data.date_time_s([0x07, 0xE9, 4, 3, 12, 20, 5])).dar == 0
    assert site.values.applied == [("clock", {"time": NOW})] * 2


def test_its_client_reads_our_freezes(pair: tuple[Client, Site]) -> None:
    client, _ = pair
    query = theirs.GetRecord(attribute=oad(0x5004_0200), rows=Selector9(previous=2), columns=[oad(0x0010_0201)])
    record = client.get_record(query)
    assert [row[0].as_uint32() for row in record.result] == [2]
