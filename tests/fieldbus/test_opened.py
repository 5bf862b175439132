"""Opening lines for commands."""

import asyncio
from typing import Any

import pytest

from fieldbus.exchange import LineDownError
from fieldbus.lines import DialInLine, Line, TcpLine
from fieldbus.opened import connect


class Bus:
    """Fails so many times, each after so long."""

    connected = False

    def __init__(self, failures: int, takes_s: float) -> None:
        self.failures = failures
        self.takes_s = takes_s
        self.asked = 0

    async def connect(self) -> None:
        self.asked += 1
        await asyncio.sleep(self.takes_s)
        if self.asked <= self.failures:
            raise LineDownError("nobody")
        self.connected = True


def dial_in(timeout_ms: int = 5000) -> DialInLine:
    return DialInLine(name="meters", transport="dial-in", port=5000, timeout_ms=timeout_ms)


def opened(bus: Any, line: Line, longest_s: float = 180) -> list[str]:
    said: list[str] = []
    asyncio.run(connect(bus, line, said.append, longest_s))
    return said


def test_a_meter_that_takes_its_time() -> None:
    bus = Bus(3, 0.02)
    assert opened(bus, dial_in(20)) == ["waiting for a meter to dial in to port 5000"]
    assert (bus.asked, bus.connected) == (4, True)


def test_it_is_not_waited_for_for_ever() -> None:
    bus = Bus(10_000, 0.02)
    with pytest.raises(LineDownError):
        opened(bus, dial_in(20), 0.1)
    assert 2 <= bus.asked < 100


def test_a_port_that_can_not_be_had_is_told_at_once() -> None:
    bus = Bus(10_000, 0)
    with pytest.raises(LineDownError):
        opened(bus, dial_in())
    assert bus.asked == 1


def test_other_lines_are_opened_once() -> None:
    bus = Bus(1, 0)
    with pytest.raises(LineDownError):
        opened(bus, TcpLine(name="bus", transport="tcp", host="h", port=1))
    assert bus.asked == 1
