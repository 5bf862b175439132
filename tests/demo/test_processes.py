"""Commands of the demonstrations: run to their end, several at a time, their outputs in order, their errors told."""

import socket

import pytest

from demo.processes import DemoError, free_port, listens, output_of, outputs_of


def test_commands_give_their_outputs_in_order() -> None:
    """However many run at a time."""
    lines = [("-m", "calendar", str(year)) for year in range(2020, 2027)]
    assert [output.split()[0] for output in outputs_of(lines)] == [str(year) for year in range(2020, 2027)]
    assert output_of("-m", "calendar", "2026").split()[0] == "2026"


def test_a_command_that_fails_is_named_with_its_errors() -> None:
    """Among others that don't."""
    with pytest.raises(DemoError, match="`-m calendar 0 month` ended with 2: ") as raised:
        outputs_of([("-m", "calendar", "2026"), ("-m", "calendar", "0", "month")])
    assert "invalid" in str(raised.value)


def test_a_port_is_free_until_somebody_listens() -> None:
    """As the demonstrations wait for their broker."""
    port = free_port()
    assert not listens(port)
    with socket.create_server(("127.0.0.1", port)):
        assert listens(port)
