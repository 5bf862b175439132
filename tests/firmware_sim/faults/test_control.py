"""The control socket: what it does, and what it says about requests that are none."""

import asyncio
import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from sim_support import LIMIT_S, START, served

from clock import ManualClock
from firmware_sim.faults.control import LONGEST_LINE
from firmware_sim.lines.port import PortError
from firmware_sim.serve import Service, Setup


def service_at(path: Path) -> Service:
    return Service([served("a", line=None), served("b", line=None)], ManualClock(START), Setup(control=path))


def asked(tmp_path: Path, *requests: Any) -> list[dict[str, Any]]:
    """Return the answers to requests on one connection; a request of bytes is sent as it is."""

    async def run() -> list[dict[str, Any]]:
        service = service_at(tmp_path / "control")
        await service.start()
        try:
            reader, writer = await asyncio.open_unix_connection(tmp_path / "control")
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


def test_a_fault_is_set_listed_and_cleared(tmp_path: Path) -> None:
    fault = {"kind": "stuck", "meter": "a", "point": "power", "value": "1 kW"}
    set_, listed, counted, cleared, empty = asked(
        tmp_path,
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


def test_all_faults_are_cleared(tmp_path: Path) -> None:
    *_, cleared = asked(
        tmp_path,
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
        ({"do": "set"}, "fault", "fault.(whole)", "Input should be a valid dictionary"),
        ({"do": "set", "fault": {"kind": "late"}}, "fault", "fault.delay_ms", "expected a value, found nothing"),
        ({"do": "set", "fault": {"kind": "silent", "meter": "z"}}, "fault", "fault.meter", "expected one of a, b"),
    ],
)
def test_a_mistake_is_told_with_its_key(tmp_path: Path, request_: Any, error: str, key: str, text: str) -> None:
    answer, after = asked(tmp_path, request_, {"do": "list"})
    assert (answer["ok"], answer["error"]) == (False, error)
    assert answer["problems"][0]["key"] == key
    assert text in answer["problems"][0]["text"]
    assert after["ok"]  # the connection goes on


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    (answer,) = asked(tmp_path, b"x" * (LONGEST_LINE + 1))
    assert answer["problems"] == [{"key": "(line)", "text": f"expected at most {LONGEST_LINE} bytes, found more"}]


def test_only_the_owner_may_ask_and_the_socket_goes_with_the_service(tmp_path: Path) -> None:
    path = tmp_path / "control"

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


def test_a_path_that_can_not_be_is_named(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("precious")
    for path, reason in ((taken, "something else is there"), (tmp_path / "no" / "where", "No such file")):
        expected = re.escape(f"--control: can't listen at {path}: {reason}")

        async def run(path: Path = path, expected: str = expected) -> None:
            with pytest.raises(PortError, match=expected):
                await service_at(path).start()

        asyncio.run(run())
    assert taken.read_text() == "precious"
