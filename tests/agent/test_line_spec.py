"""Lines that a command line describes."""

from pathlib import Path
from typing import Any

import pytest

from agent.commands.output import UsageError
from agent.line_spec import find_line, is_spec, parse_spec


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("serial:/dev/ttyUSB0", {"transport": "serial", "device": "/dev/ttyUSB0", "baud": 9600, "parity": "even"}),
        ("serial:/dev/ttyS1?baud=2400&parity=none&stop_bits=2", {"baud": 2400, "parity": "none", "stop_bits": 2}),
        ("tcp:10.0.0.7:8899", {"transport": "tcp", "host": "10.0.0.7", "port": 8899}),
        ("tcp:[::1]:8899?timeout_ms=2000", {"host": "::1", "port": 8899, "timeout_ms": 2000}),
        ("modbus-tcp:meter.local", {"transport": "modbus-tcp", "host": "meter.local", "port": 502}),
        ("modbus-tcp:[fe80::1]", {"host": "fe80::1", "port": 502}),
        ("modbus-tcp:10.0.0.7:1502", {"port": 1502}),
        ("dial-in:5000", {"transport": "dial-in", "port": 5000}),
        ("dial-in:127.0.0.1:5000", {"host": "127.0.0.1", "port": 5000}),
    ],
)
def test_descriptions(text: str, keys: dict[str, Any]) -> None:
    line = parse_spec(text)
    assert {key: getattr(line, key) for key in keys} == keys
    assert line.meter == []
    assert is_spec(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tcp:host", "port"),
        ("tcp:host:eleven", "'eleven'"),
        ("tcp:host:70000", "port"),
        ("serial:", "device"),
        ("serial:/dev/x?baud", "expected key=value"),
        ("serial:/dev/x?baud=fast", "baud"),
        ("serial:/dev/x?parity=mark", "parity"),
        ("serial:/dev/x?colour=red", "colour"),
        ("serial:/dev/x?partiy=even", "partiy: unknown key; did you mean 'parity'"),
        ("modbus-tcp:h?baud=9600", "one of 'tcp' or 'serial' has"),
    ],
)
def test_mistakes(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_spec(text)


def test_a_name_is_no_description(site: Any) -> None:
    """A line of the configuration comes with its meters, their profiles and the time zone."""
    path: Path = site.configure(broker_port=1, meter_ports=[1, 1])
    assert not is_spec("line-1")
    target = find_line("line-1", path)
    assert [meter.id for meter in target.line.meter] == ["meter-1"]
    assert target.profiles.keys() == {"meter-1"}
    assert target.timezone == "Asia/Shanghai"
    with pytest.raises(UsageError, match="no line 'line-9'; there are line-1, line-2"):
        find_line("line-9", path)
