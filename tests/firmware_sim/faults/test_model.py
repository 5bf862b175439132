"""The keys of faults, and what is said about wrong ones."""

from typing import Any

import pytest
from pydantic import ValidationError

from firmware_sim.faults.model import Fault, Late, Noise, PowerCut, Stuck, parse_fault, points_of
from settings.problems import lines_of


def test_one_name_and_one_number_may_stand_for_a_list() -> None:
    fault = parse_fault({"kind": "late", "meter": "c01", "delay_ms": 800})
    assert isinstance(fault, Late)
    assert (fault.meter, fault.delay_ms) == (("c01",), (800, 800))
    assert parse_fault({"kind": "late", "meter": ["a", "b"], "delay_ms": [1, 9]}).meter == ("a", "b")


def test_defaults_are_harmless() -> None:
    cut = parse_fault({"kind": "power-cut"})
    assert isinstance(cut, PowerCut)
    assert (cut.outcome, cut.count, cut.dark_s) == ("none", 1, 5)
    noise = parse_fault({"kind": "noise"})
    assert isinstance(noise, Noise)
    assert (noise.where, noise.octets, noise.seed) == ("before", 4, 0)


def test_points_are_told() -> None:
    assert list(points_of(parse_fault({"kind": "stuck", "point": "power"}))) == ["power"]
    assert list(points_of(parse_fault({"kind": "rollover", "point": "energy_forward", "at": "9 kWh"}))) == [
        "energy_forward"
    ]
    assert list(points_of(parse_fault({"kind": "swapped-words"}))) == []
    assert list(points_of(parse_fault({"kind": "silent"}))) == []


def test_a_value_may_be_a_number() -> None:
    stuck = parse_fault({"kind": "stuck", "point": "power", "value": 0})
    assert isinstance(stuck, Stuck)
    assert stuck.value == "0"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"kind": "fire"}, "kind: expected one of 'late', 'silent', 'wrong-address', "),
        ({}, "kind: is missing"),
        ({"kind": "silent", "colour": "red"}, "colour: unknown key"),
        ({"kind": "late"}, "delay_ms: is missing"),
        ({"kind": "late", "delay_ms": [9, 1]}, "delay_ms: expected 1 to 3600000 ms"),
        ({"kind": "late", "delay_ms": "x"}, "delay_ms: expected a whole number of ms, or [least, most], got 'x'"),
        ({"kind": "late", "delay_ms": [1, 2, 3]}, "delay_ms: expected a whole number of ms, or [least, most]"),
        ({"kind": "late", "delay_ms": True}, "delay_ms: expected a whole number of ms, or [least, most]"),
        ({"kind": "late", "delay_ms": 0}, "delay_ms: expected 1 to 3600000 ms"),
        ({"kind": "silent", "probability": 2}, "probability: expected less than or equal to 1"),
        ({"kind": "silent", "count": 0}, "count: expected greater than or equal to 1"),
        (
            {"kind": "stuck", "point": "power", "count": 3},
            "count: a table of kind 'stuck' has no such key, one of 'late' or ",
        ),
        ({"kind": "silent", "begin": "2026-06-15", "after_s": 3}, "after_s: expected none beside begin"),
        ({"kind": "noise", "hex": "XY"}, "hex: expected octets such as FE FE 00, got 'XY'"),
        ({"kind": "noise", "hex": ""}, "hex: expected 1 to 4096 octets"),
        ({"kind": "noise", "where": "behind"}, "where: expected 'before', 'inside' or 'after'"),
        ({"kind": "stuck", "point": "power", "value": "3 kWh"}, "value: expected a unit of power"),
        ({"kind": "stuck", "point": "nonesuch", "value": "3"}, "point: expected one of the standard names"),
        ({"kind": "stuck", "point": []}, "point: expected at least 1 item"),
        ({"kind": "rollover", "point": "power", "at": "5 kW"}, "point: expected a register of energy or carbon"),
        ({"kind": "rollover", "point": "energy_forward", "at": "0"}, "at, left: expected both above 0"),
        (
            {"kind": "rollover", "point": "energy_forward", "at": "5 kWh", "left": "6 kWh"},
            "at, left: expected both above 0, and left no more than at",
        ),
        ({"kind": "clock-drift", "ppm": 10**6}, "ppm: expected less than or equal to 100000"),
        ({"kind": "power-cut", "outcome": "quarter"}, "outcome: expected 'whole', 'none' or 'half'"),
    ],
)
def test_a_mistake_is_named_with_its_key(document: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse_fault(document)
    assert expected in "\n".join(lines_of(document, caught.value, Fault))
