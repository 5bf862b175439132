"""What a line's configuration makes of its bus and drivers."""

import asyncio

import pytest
from dlt645_support import NOW, ONE, face, served
from line_support import FarEnd, over_tcp
from pydantic import ValidationError

from clock import ManualClock
from fieldbus.channels.tcp import TcpChannel
from fieldbus.connection import connection
from fieldbus.drivers.dlt645 import Dlt645Driver
from fieldbus.lines import TcpLine
from profiles import load


def line(port: int, **changes: object) -> TcpLine:
    return TcpLine.model_validate({"name": "bus", "transport": "tcp", "host": "127.0.0.1", "port": port, **changes})


@pytest.mark.parametrize(("changes", "count"), [({}, 4), ({"preamble": 0}, 0), ({"preamble": 8}, 8)])
def test_a_dlt645_meter_is_woken_as_its_line_says(changes: dict[str, object], count: int) -> None:
    async def main() -> bytes:
        far = FarEnd(served(face(ONE)))
        async with over_tcp(far) as channel:
            port = int(channel.name.rpartition(":")[2])
            members = {"dlt645": {ONE: load("dlt645-three-phase")}}
            made = connection(line(port, **changes), members, ManualClock(NOW))
            driver = made.drivers["dlt645"]
            assert isinstance(driver, Dlt645Driver)
            await made.bus.connect()
            assert await driver.read_address(ONE) == ONE
            made.bus.close()
        return far.requests[0]

    octets = asyncio.run(main())
    assert octets.startswith(b"\xfe" * count + b"\x68")


def test_a_preamble_has_an_end() -> None:
    with pytest.raises(ValidationError, match="preamble"):
        line(1, preamble=33)


@pytest.mark.parametrize(("timeout_ms", "seconds"), [(200, 4.0), (1000, 4.0), (9000, 9.0)])
def test_a_connection_has_time_for_two_lost_syns(
    timeout_ms: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    class Seen(TcpChannel):
        def __init__(self, host: str, port: int, connect_timeout_s: float) -> None:
            given.append(connect_timeout_s)
            super().__init__(host, port, connect_timeout_s)

    monkeypatch.setattr("fieldbus.connection.TcpChannel", Seen)
    connection(line(1, timeout_ms=timeout_ms), {}, ManualClock(NOW))
    assert given == [seconds]
