"""A simulated DL/T 698.45 meter and its client, for the tests of the face."""

from collections.abc import Mapping
from typing import Any

from diantan_core import Dlt698Frame, dlt698_decode_apdu, dlt698_encode_apdu
from firmware_sim.faces.base import PowerLostError
from firmware_sim.faces.dlt698 import Dlt698Face
from firmware_sim.meter import Row
from profiles import Profile, load

ZONE = "Asia/Shanghai"
ADDRESS = "123456789012"
NOW = 1_743_654_005_000  # 2025-04-03 12:20:05 in Shanghai
DAY = 1_743_609_600_000
REQUEST = 0x43


class Store:
    """A meter whose every value is its resolution times a number, with two frozen days."""

    def __init__(self, profile: Profile) -> None:
        self.applied: list[tuple[str, Row]] = []
        self.now: Row = {name: 1000 * point.resolution for name, point in profile.points.items()}
        self.refuses = self.is_dark = False
        self.measured = 0

    def values(self, now_ms: int) -> Row:
        self.measured += 1
        return {**self.now, "device_time": now_ms}

    def row(self, table: str, number: int, now_ms: int) -> Row:
        if number > 2:
            return {}
        return {
            "time": DAY - (number - 1) * 86_400_000,
            "energy_forward": number * 10_000,
            "energy_reverse": number * 20_000,
            "carbon_forward": number * 10**10,
            "carbon_reverse": 0,
        }

    def apply(self, write: str, fields: Row, now_ms: int) -> None:
        if self.refuses:
            raise ValueError("out of range")
        if self.is_dark:
            raise PowerLostError("the power went")
        self.applied.append((write, fields))


class Bench:
    """A face with one meter, and its client."""

    def __init__(
        self, name: str = "dlt698-three-phase", addresses: Mapping[str, str] | None = None, **parameters: int
    ) -> None:
        self.profile = load(name, parameters)
        self.store = Store(self.profile)
        meters = {key: (address, self.profile, self.store) for key, address in (addresses or {"m": ADDRESS}).items()}
        self.face = Dlt698Face(meters, ZONE)
        self.client = 0

    def send(self, frame: Dlt698Frame, now_ms: int = NOW) -> list[Dlt698Frame]:
        return [Dlt698Frame.decode(answer.octets) for answer in self.face.feed(frame.encode(), now_ms)]

    def frame(self, apdu: bytes, address: str = ADDRESS, **settings: Any) -> Dlt698Frame:
        return Dlt698Frame(settings.pop("control", REQUEST), address, self.client, apdu, **settings)

    def apdu(self, apdu: tuple[str, Any], now_ms: int = NOW) -> tuple[str, Any]:
        (reply,) = self.send(self.frame(dlt698_encode_apdu(apdu)), now_ms)
        assert reply.address == ADDRESS
        return dlt698_decode_apdu(reply.user_data)

    def ask(self, name: str, choice: str, now_ms: int = NOW, **body: Any) -> tuple[str, Any]:
        reply, content = self.apdu((name, (choice, {"piid": 5, "time_tag": None, **body})), now_ms)
        assert reply == name.replace("request", "response")
        assert content[1]["piid_acd"] == 5
        return content  # type: ignore[no-any-return]

    def get(self, oad: int) -> Any:
        choice, body = self.ask("get_request", "normal", oad=oad)
        assert (choice, body["oad"]) == ("normal", oad)
        return body["result"]

    def record(self, rows: Any, columns: list[int], oad: int = 0x5004_0200) -> Any:
        wanted = {"oad": oad, "rows": rows, "columns": [("oad", column) for column in columns]}
        choice, body = self.ask("get_request", "record", record=wanted)
        assert choice == "record"
        assert body["record"]["oad"] == oad
        return body["record"]

    def connect(self, now_ms: int = NOW, **settings: Any) -> dict[str, Any]:
        body = {
            "piid": 1,
            "version": 16,
            "protocol_conformance": b"\xff" * 8,
            "function_conformance": b"\xff" * 16,
            "send_size": 1024,
            "receive_size": 1024,
            "receive_window": 1,
            "apdu_size": 1024,
            "timeout_s": 100,
            "mechanism": ("none", None),
            "time_tag": None,
            **settings,
        }
        name, reply = self.apdu(("connect_request", body), now_ms)
        assert name == "connect_response"
        return reply  # type: ignore[no-any-return]


def wide(raw: int) -> tuple[str, int]:
    return "double_long_unsigned", raw
