"""Which faults hit whom, when, and how often."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from firmware_sim.faults import book as module
from firmware_sim.faults.book import FaultBook, FaultError, Target
from firmware_sim.faults.model import parse_fault

NOW = int(datetime(2026, 6, 15, 8, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)
TARGETS = {
    "a": Target("bus", "modbus", True, frozenset({"power", "energy_forward"})),
    "b": Target("bus", "dlt645", True, frozenset({"power"})),
    "c": Target("tcp", "modbus", False, frozenset({"power"})),
}


def book() -> FaultBook:
    return FaultBook(TARGETS, "Asia/Shanghai")


@pytest.mark.parametrize(
    ("scope", "hit"),
    [
        ({}, ["a", "b", "c"]),
        ({"line": "bus"}, ["a", "b"]),
        ({"meter": "c"}, ["c"]),
        ({"meter": ["a", "c"], "line": "tcp"}, ["c"]),
    ],
)
def test_a_fault_hits_meters_lines_or_all(scope: dict[str, Any], hit: list[str]) -> None:
    subject = book()
    assert subject.hit_by(subject.set(parse_fault({"kind": "silent", **scope}), NOW)) == hit


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"kind": "silent", "meter": ["a", "x"]}, "meter: expected one of a, b, c; found 'x'"),
        ({"kind": "silent", "line": "x"}, "line: expected one of bus, tcp; found 'x'"),
        ({"kind": "silent", "meter": "a", "line": "tcp"}, "meter: expected meters of the line 'tcp', found none"),
        ({"kind": "stuck", "point": "energy_forward", "meter": "b"}, "point: expected a point of b; found 'energy_fo"),
        ({"kind": "bad-checksum", "line": "tcp"}, "kind: expected a line whose frames have a check"),
        ({"kind": "swapped-words", "meter": "b"}, "kind: expected a meter on Modbus"),
    ],
)
def test_a_fault_that_can_hit_nothing_is_refused(document: dict[str, Any], expected: str) -> None:
    subject = book()
    with pytest.raises(FaultError, match=expected):
        subject.set(parse_fault(document), NOW)
    assert list(subject) == []


def test_a_fault_lasts_from_its_begin_to_its_end() -> None:
    fault = book().set(parse_fault({"kind": "silent", "begin": "2026-06-15T09:00:00", "duration_s": 60}), NOW)
    begin = NOW + 3_600_000  # local time of the station
    assert (fault.begin_ms, fault.end_ms) == (begin, begin + 60_000)
    assert [fault.state(begin + offset) for offset in (-1, 0, 59_999, 60_000)] == [
        "waiting",
        "active",
        "active",
        "over",
    ]
    assert [fault.strikes(begin + offset) for offset in (-1, 0, 60_000)] == [False, True, False]
    assert fault.applied == 1


def test_what_should_have_begun_in_the_past_begins_now() -> None:
    subject = book()
    fault = subject.set(parse_fault({"kind": "silent", "begin": "2026-06-15T07:00:00+08:00"}), NOW)
    assert fault.begin_ms == NOW
    early = subject.set(parse_fault({"kind": "silent", "begin": "2026-06-15T07:00:00"}), NOW, earliest_ms=0)
    assert early.begin_ms == NOW - 3_600_000
    later = subject.set(parse_fault({"kind": "silent", "after_s": "1.5"}), NOW)
    assert later.begin_ms == NOW + 1_500


def test_only_the_next_requests_are_struck() -> None:
    fault = book().set(parse_fault({"kind": "silent", "count": 2}), NOW)
    assert [fault.strikes(NOW) for _ in range(4)] == [True, True, False, False]
    assert fault.state(NOW) == "over"


def test_probability_is_drawn_from_the_seed() -> None:
    def strikes(seed: int) -> list[bool]:
        fault = book().set(parse_fault({"kind": "silent", "probability": "0.3", "seed": seed}), NOW)
        return [fault.strikes(NOW) for _ in range(1000)]

    assert strikes(1) == strikes(1) != strikes(2)
    assert 230 < sum(strikes(1)) < 370


def test_faults_are_cleared_one_by_one_or_all() -> None:
    subject = book()
    one, two, three = (subject.set(parse_fault({"kind": kind}), NOW) for kind in ("silent", "power-cut", "merged"))
    assert subject.on_replies == [one, three]
    assert subject.on_meter("a") == [two]
    assert subject.clear(two.number, NOW) == [two.number]
    assert subject.on_meter("a") == []
    assert subject.clear(None, NOW + 1) == [one.number, three.number]
    assert list(subject) == subject.on_replies == []
    assert not one.strikes(NOW + 1)
    with pytest.raises(FaultError, match="id: expected one of none, found 1"):
        subject.clear(1, NOW)


def test_faults_that_are_over_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FAULTS", 2)
    subject = book()
    spent = subject.set(parse_fault({"kind": "silent", "duration_s": 1}), NOW)
    subject.set(parse_fault({"kind": "silent"}), NOW)
    third = subject.set(parse_fault({"kind": "merged"}), NOW + 2_000)
    assert spent not in list(subject)
    with pytest.raises(FaultError, match="fault: expected at most 2 of them: clear some"):
        subject.set(parse_fault({"kind": "echo"}), NOW + 2_000)
    assert third in list(subject)


def test_a_fault_is_told_as_it_was_set() -> None:
    fault = book().set(parse_fault({"kind": "late", "meter": "a", "delay_ms": [5, 9], "probability": "0.5"}), NOW)
    assert fault.as_json(NOW) == {
        "id": 1,
        "state": "active",
        "applied": 0,
        "begin_ms": NOW,
        "end_ms": None,
        "fault": {"kind": "late", "meter": ["a"], "delay_ms": [5, 9], "probability": "0.5"},
    }


def test_counts_of_nobody_are_not_kept() -> None:
    subject = book()
    subject.count("", "silent")
    subject.count("a", "silent")
    assert subject.counters["a"].as_json() == {"requests": 0, "answers": 0, "faults": {"silent": 1}}
    assert "" not in subject.counters
