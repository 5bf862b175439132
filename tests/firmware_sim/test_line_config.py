"""[[line]] of a station file."""

from typing import Any

import pytest
from pydantic import ValidationError

from firmware_sim.line_config import LineSection


def line(transport: str, **keys: Any) -> LineSection:
    return LineSection(**{"name": "l", "transport": transport, **keys})


def test_defaults_are_those_of_dlt_meters_and_fast() -> None:
    found = line("pty")
    assert (found.baud, found.parity, found.data_bits, found.stop_bits) == (9600, "even", 8, 1)
    assert (found.timed, found.turnaround_ms) == (False, (0, 0))


@pytest.mark.parametrize(
    ("transport", "absent", "answers"),
    [("modbus-tcp", None, True), ("modbus-tcp", "silent", False), ("tcp", None, False), ("pty", None, False)],
)
def test_only_a_gateway_answers_for_who_is_not_there(transport: str, absent: str | None, answers: bool) -> None:
    keys = {} if absent is None else {"absent": absent}
    assert line(transport, **keys).answers_for_absent == answers


@pytest.mark.parametrize(
    ("transport", "keys", "expected"),
    [
        ("pty", {"host": "h"}, "host: expected with transport modbus-tcp or tcp or dial-out, found pty"),
        ("tcp", {"path": "p"}, "path: expected with transport pty, found tcp"),
        ("tcp", {"device": "d"}, "device: expected with transport serial, found tcp"),
        ("tcp", {"absent": "exception"}, "absent: expected with transport modbus-tcp, found tcp"),
        ("tcp", {"heartbeat_seconds": 5}, "heartbeat_seconds: expected with transport dial-out, found tcp"),
        ("serial", {}, "device: expected a serial device, such as /dev/ttyUSB0, found nothing"),
        ("serial", {"device": "d", "timed": True}, "timed: expected no simulated speed on a serial device"),
        ("dial-out", {}, "port: expected the port that the meters call, found nothing"),
        ("pty", {"turnaround_ms": [5, 2]}, "turnaround_ms: expected 0 to 60000 ms, or .least, most."),
        ("pty", {"turnaround_ms": -1}, "turnaround_ms: expected 0 to 60000 ms"),
        ("pty", {"stop_bits": 3}, "Input should be 1 or 2"),
    ],
)
def test_a_key_of_another_transport_is_refused(transport: str, keys: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        line(transport, **keys)
