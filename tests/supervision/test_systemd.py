"""Notifications on a real datagram socket, and a watchdog that is not fed when something is stuck."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervision.systemd import READY, STOPPING, WATCHDOG, Movement, Notifier, feed


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def heard(listening: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(listening.recv(4096).decode())
        except BlockingIOError:
            return found


def test_what_is_told_arrives_as_datagrams(systemd: socket.socket) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": systemd.getsockname()})
    notifier.tell(READY, "STATUS=two lines")
    notifier.tell(STOPPING)
    assert heard(systemd) == ["READY=1\nSTATUS=two lines", "STOPPING=1"]
    assert notifier.watchdog_s is None


def test_an_abstract_socket_is_reached() -> None:
    name = f"diantan-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.setblocking(False)
        Notifier(f"@{name}").tell(READY)
        assert heard(listening) == ["READY=1"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "7"}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "often"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_the_one_meant_for_this_process(environment: dict[str, str], expected: float | None) -> None:
    assert Notifier.from_environment(environment, pid=7).watchdog_s == expected


def test_nobody_there_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Notifier().tell(READY)
    assert caplog.text == ""
    Notifier(str(tmp_path / "gone")).tell(READY)
    assert "systemd was not told READY=1" in caplog.text


def test_the_watchdog_is_fed_only_without_trouble(systemd: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    troubles = iter([None, "stuck", "stuck", None, "stuck"])
    slept: list[float] = []
    fed: list[int] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        fed.append(len(heard(systemd)))
        if len(slept) == 5:
            raise asyncio.CancelledError

    notifier = Notifier(systemd.getsockname(), 20.0)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(feed(notifier, lambda: next(troubles), sleep=sleep))
    assert fed == [1, 0, 0, 1, 0]
    assert slept == [5.0] * 5
    assert caplog.text.count("the watchdog is not fed: stuck") == 2
    assert WATCHDOG == "WATCHDOG=1"


def test_without_a_watchdog_nothing_is_fed(systemd: socket.socket) -> None:
    asyncio.run(feed(Notifier(systemd.getsockname()), lambda: None))
    assert heard(systemd) == []


def test_a_movement_that_stops_is_noticed_when_patience_is_over() -> None:
    movement = Movement(60)
    assert movement.lasts(1, 100)
    assert movement.lasts(1, 160)
    assert not movement.lasts(1, 160.1)
    assert movement.lasts(2, 160.2)
    assert movement.lasts(2, 220.2)
    assert not movement.lasts(2, 221)
