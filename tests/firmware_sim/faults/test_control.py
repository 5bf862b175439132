"""The control socket: what it does, and what it says about requests that are none."""

import asyncio
import json
import re
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from sim_support import LIMIT_S, START, served

from clock import ManualClock
from firmware_sim.faults.control import LONGEST_LINE
from firmware_sim.lines.port import PortError
from firmware_sim.serve import Service, Setup

CONTROL = Path("control")


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The name of a Unix socket has at most 107 bytes, and those of test directories are long.
    monkeypatch.chdir(tmp_path)


def service_at(path: Path) -> Service:
    return Service([served("a", line=None), served("b", line=None)], ManualClock(START), Setup(control=path))


def asked(*requests: Any) -> list[dict[str, Any]]:
    """Return the answers to requests on one connection; a request of bytes is sent as it is."""

    async def run() -> list[dict[str, Any]]:
        service = service_at(CONTROL)
        await service.start()
        try:
            reader, writer = await asyncio.open_unix_connection(CONTROL)
            answers = []
            async with asyncio.timeout(LIMIT_S):
                for request in requests:
                    writer.write(request if isinstance(request, bytes) else json.dumps(request).encode() + b"\n")
                    answers.append(json.loads(await reader.readline()))
            writer.close()
            return answers
        finally:
            await service.stop()

    return asyncio.run(run())


def test_a_fault_is_set_listed_and_cleared() -> None:
    fault = {"kind": "stuck", "meter": "a", "point": "power", "value": "1 kW"}
    set_, listed, counted, cleared, empty = asked(
        {"do": "set", "fault": fault},
        {"do": "list"},
        {"do": "counters"},
        {"do": "clear", "id": 1},
        {"do": "list"},
    )
    told = {
        "id": 1,
        "state": "active",
        "applied": 0,
        "begin_ms": START,
        "end_ms": None,
        "fault": {"kind": "stuck", "meter": ["a"], "point": ["power"], "value": "1 kW"},
    }
    # It has begun by itself when the answer comes: nobody needs to read the meter for that.
    assert set_ == {"ok": True, "fault": {**told, "applied": 1}}
    assert listed == {"ok": True, "now_ms": START, "faults": [{**told, "applied": 1}]}
    nothing = {"requests": 0, "answers": 0, "faults": {}}
    assert counted == {"ok": True, "meters": {"a": {**nothing, "faults": {"stuck": 1}}, "b": nothing}}
    assert cleared == {"ok": True, "cleared": [1]}
    assert empty == {"ok": True, "now_ms": START, "faults": []}


def test_all_faults_are_cleared() -> None:
    *_, cleared = asked(
        {"do": "set", "fault": {"kind": "silent"}},
        {"do": "set", "fault": {"kind": "merged"}},
        {"do": "clear"},
    )
    assert cleared == {"ok": True, "cleared": [1, 2]}


@pytest.mark.parametrize(
    ("request_", "error", "key", "text"),
    [
        (b"{\n", "request", "(line)", "expected a JSON object"),
        (b"\xff\n", "request", "(line)", "expected a JSON object"),
        (b"[" * 50_000 + b"\n", "request", "(line)", "expected a JSON object"),
        ([1], "request", "(line)", "expected a JSON object, found something else"),
        ({}, "request", "do", "expected one of set, clear, list, counters; found None"),
        ({"do": "explode"}, "request", "do", "expected one of set, clear, list, counters; found 'explode'"),
        ({"do": "list", "all": True}, "request", "all", "unknown key"),
        ({"do": "clear", "id": "1"}, "request", "id", "expected the number of a fault, found '1'"),
        ({"do": "clear", "id": 7}, "fault", "id", "expected one of none, found 7"),
        ({"do": "set"}, "fault", "fault.(whole)", "expected a table"),
        ({"do": "set", "fault": {"kind": "late"}}, "fault", "fault.delay_ms", "is missing"),
        ({"do": "set", "fault": {"kind": "silent", "meter": "z"}}, "fault", "fault.meter", "expected one of a, b"),
    ],
)
def test_a_mistake_is_told_with_its_key(request_: Any, error: str, key: str, text: str) -> None:
    answer, after = asked(request_, {"do": "list"})
    assert (answer["ok"], answer["error"]) == (False, error)
    assert answer["problems"][0]["key"] == key
    assert text in answer["problems"][0]["text"]
    assert after["ok"]  # the connection goes on


def test_a_line_without_end_is_refused() -> None:
    (answer,) = asked(b"x" * (LONGEST_LINE + 1))
    assert answer["problems"] == [{"key": "(line)", "text": f"expected at most {LONGEST_LINE} bytes, found more"}]


def test_only_the_owner_may_ask_and_the_socket_goes_with_the_service() -> None:
    path = CONTROL

    async def run() -> int:
        service = service_at(path)
        await service.start()
        mode = path.stat().st_mode
        await service.stop()
        return mode

    mode = asyncio.run(run())
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert not path.exists()


def test_a_path_that_can_not_be_is_named() -> None:
    taken = Path("file")
    taken.write_text("precious")
    for path, reason in ((taken, "something else is there"), (Path("no/where"), "No such file")):
        expected = re.escape(f"--control: can't listen at {path}: {reason}")

        async def run(path: Path = path, expected: str = expected) -> None:
            with pytest.raises(PortError, match=expected):
                await service_at(path).start()

        asyncio.run(run())
    assert taken.read_text() == "precious"


def test_the_socket_of_a_running_simulator_is_left_alone_and_that_of_a_dead_one_replaced() -> None:
    async def run() -> None:
        first = service_at(CONTROL)
        await first.start()
        with pytest.raises(PortError, match="--control: can't listen at control: another simulator does"):
            await service_at(CONTROL).start()
        _, writer = await asyncio.open_unix_connection(CONTROL)
        writer.close()
        await first.stop()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(CONTROL))
        second = service_at(CONTROL)
        await second.start()
        await second.stop()

    asyncio.run(run())
