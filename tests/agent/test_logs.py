"""What the log looks like, and that repeats are held back and counted."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from agent import logs
from clock import ManualClock


@pytest.fixture
def clock() -> Iterator[ManualClock]:
    """Restore the root logger afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield ManualClock(1_767_196_800_000)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_human_line(clock: ManualClock) -> None:
    """Time, level, what it is about, text."""
    out = io.StringIO()
    logs.configure("human", clock, stream=out)
    logs.log.warning("no reply within %d s", 1, extra={"about": "meter-1"})
    assert out.getvalue() == "2025-12-31T16:00:00.000Z WARNING meter-1: no reply within 1 s\n"


def test_json_line_has_details_and_no_raw_line_breaks(clock: ManualClock) -> None:
    """A message with a line break stays one line."""
    out = io.StringIO()
    logs.configure("json", clock, stream=out)
    logs.log.error("first\nsecond", extra={"details": {"records": 3}})
    (line,) = out.getvalue().splitlines()
    assert json.loads(line) == {
        "time": "2025-12-31T16:00:00.000Z",
        "level": "error",
        "message": "first\nsecond",
        "records": 3,
    }


def test_repeats_are_held_back_and_counted(clock: ManualClock) -> None:
    """Once a minute for each thing; another meter and another kind of error are other things."""
    out = io.StringIO()
    logs.configure("json", clock, stream=out)
    for _ in range(10):
        logs.log.warning("no reply", extra={"about": "meter-1", "kind": "NoReply"})
    logs.log.warning("no reply", extra={"about": "meter-2", "kind": "NoReply"})
    logs.log.warning("no reply", extra={"about": "meter-1", "kind": "BadReply"})
    clock.elapsed_ms += logs.REPEAT_MS
    logs.log.warning("no reply", extra={"about": "meter-1", "kind": "NoReply"})
    entries = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(entry["about"], entry.get("repeated")) for entry in entries] == [
        ("meter-1", None),
        ("meter-2", None),
        ("meter-1", None),
        ("meter-1", 9),
    ]
