"""Orders and results for people and programs: exact decimals, local times, nothing that a terminal would obey."""

import json
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders_support import DIGEST, FREEZE, ORDERS, RESULTS
from receiver_support import DAY_MS

from cloud_receiver.orders.lines import document_lines, order_line, result_lines
from cloud_receiver.orders.shown import contradiction, order_object, reply_object, result_object
from cloud_receiver.orders.values import exact, local, point_text
from profiles.points import POINTS
from wire.commands import Outcome, Reply
from wire.orders import Configure, ConfigureAction, Read, ReadDay, Resend, TellStatus, Verb
from wire.records import FreezeKind
from wire.results import (
    Configuration,
    ConfigurationState,
    DayRead,
    Figures,
    MeterRead,
    Result,
    SlotFactor,
    StoredFreeze,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
ESCAPE = "\x1b]0;owned\x07\n"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("energy_forward", 12_345_678, ("12.345678", "kWh")),
        ("energy_forward", 12_000_000, ("12", "kWh")),
        ("energy_reverse", -1, ("-0.000001", "kWh")),
        ("carbon_forward", 7_040_000_000_001, ("7.040000000001", "kg")),
        ("carbon_factor", 570_300, ("0.5703", "kg/kWh")),
        ("power", -3_500_000, ("-3.5", "kW")),
        ("voltage_a", 220_100, ("220.1", "V")),
        ("current_a", 0, ("0", "A")),
        ("frequency", 50_000, ("50", "Hz")),
        ("power_factor", 987_000, ("0.987", "")),
        ("temperature", 25_500, ("25.5", "°C")),
        ("reactive_power", 10**9, ("1000", "kvar")),
        ("meter_constant", 1600, ("1600", "imp/kWh")),
        ("serial_number", 112233445566, ("112233445566", "")),
        ("device_time", DAY_MS + 5, ("2026-07-01T00:00:00.005+08:00", "")),
        ("device_time", 2**62, (f"{2**62} ms", "")),
        ("a_point_of_one_profile", -7, ("-7", "")),
    ],
)
def test_a_value_is_exact_and_in_the_usual_unit(name: str, value: int, shown: tuple[str, str]) -> None:
    assert point_text(name, value, SHANGHAI) == shown


@given(st.sampled_from(sorted(POINTS)), st.integers(-(2**63), 2**63 - 1))
def test_every_value_of_every_point_is_shown(name: str, value: int) -> None:
    text, _ = point_text(name, value, SHANGHAI)
    assert text


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 12))
def test_nothing_is_rounded(value: int, digits: int) -> None:
    text = exact(value, digits)
    whole, _, fraction = text.partition(".")
    assert int(whole + fraction.ljust(digits, "0")) == value
    assert "e" not in text.lower()
    assert not fraction.endswith("0")


def test_a_time_that_no_calendar_has_is_shown_as_a_number() -> None:
    assert local(2**53, SHANGHAI) == f"{2**53} ms"
    assert local(DAY_MS, SHANGHAI) == "2026-07-01T00:00:00+08:00"


@pytest.mark.parametrize(
    ("order", "line"),
    [
        (Read("C01"), "meter C01"),
        (Read("C 01\n", ("power", "energy_forward")), "meter C 01\\n, points power, energy_forward"),
        (ReadDay("2026-07-01"), "day 2026-07-01"),
        (ReadDay("2026-07-01", ("C01",), from_meters=True), "day 2026-07-01, meters C01, from_meters"),
        (Resend(b"journal1", 2, 9), "journal 6a6f75726e616c31, first 2, last 9"),
        (TellStatus(), "-"),
        (Configure(ConfigureAction.ROLL_BACK), "action roll_back"),
        (
            Configure(ConfigureAction.SET, "a = 'é'", DIGEST, 60),
            f"action set, base {DIGEST.hex()}, trial_s 60, document of 8 bytes",
        ),
        (Configure(ConfigureAction.SET, "a = 1"), "action set, trial_s 300, document of 5 bytes"),
    ],
)
def test_an_order_in_one_line(order: Any, line: str) -> None:
    content = order_object(order)
    assert order_line(content) == line
    assert json.loads(json.dumps(content)) == content


def text_of(result: Result) -> str:
    content = result_object(result, SHANGHAI)
    assert json.loads(json.dumps(content)) == content
    return "\n".join(result_lines(content))


def test_a_read_of_a_meter() -> None:
    assert text_of(RESULTS[Verb.READ]) == (
        "meter C01 at 2026-07-01T00:00:00+08:00\n"
        "  energy_forward  12.345678  kWh\n"
        "not obtained:\n"
        "  voltage_a  no such register"
    )


def test_freezes_and_factors_of_a_day() -> None:
    monthly = replace(FREEZE, kind=FreezeKind.MONTHLY, meter="G", reverse_total_mwh=-5)
    freezes = (StoredFreeze(0, FREEZE), StoredFreeze(17, monthly))
    factors = (SlotFactor(DAY_MS, 570_300, DAY_MS - 1, b"\x01\x02"), SlotFactor(DAY_MS + 900_000, None, DAY_MS, b"s"))
    assert text_of(DayRead(freezes, factors, {"C02": "does not answer"})).splitlines() == [
        "freezes (冻结), kWh and kgCO2: 2",
        "  time                       kind     meter  kWh fwd    kWh rev    kgCO2 fwd       kgCO2 rev    by     record",
        "  2026-07-01T00:00:00+08:00  daily    C01    12.345678  0.000000   7040.000000001  0.000000000  meter  -",
        "  2026-07-01T00:00:00+08:00  monthly  G      12.345678  -0.000005  7040.000000001  0.000000000  meter  17",
        "carbon factors (电碳因子), kgCO2/kWh: 2",
        "  slot                       factor     issued                         solve id",
        "  2026-07-01T00:00:00+08:00  0.5703     2026-06-30T23:59:59.999+08:00  0102",
        "  2026-07-01T00:15:00+08:00  undefined  2026-07-01T00:00:00+08:00      73",
        "not obtained:",
        "  C02  does not answer",
    ]


def test_a_day_of_which_nothing_is_there() -> None:
    assert text_of(DayRead((), (), {})).splitlines() == [
        "freezes (冻结), kWh and kgCO2: 0",
        "carbon factors (电碳因子), kgCO2/kWh: 0",
    ]


def test_what_is_sent_again() -> None:
    assert text_of(RESULTS[Verb.RESEND]) == "on their way again: 1-2, 4\nno longer in the journal: 3"


def test_figures() -> None:
    """By name, not as they travel: with the shortest names first."""
    figures = {"line.a.ok": 3, "line.b.ok": 4, "version": "1.0", "line.a.silent": 5}
    assert text_of(Figures(figures)) == (
        "  line.a.ok      3\n  line.a.silent  5\n  line.b.ok      4\n  version        1.0"
    )


def test_a_configuration_is_shown_as_a_file() -> None:
    result = Configuration(
        ConfigurationState.ON_TRIAL, DIGEST, DIGEST, f'a = 1\n\tb = "{ESCAPE}"', (f"line[0].id: {ESCAPE}",)
    )
    assert text_of(result).splitlines() == [
        f"# in force: on_trial, SHA-256 {DIGEST.hex()}",
        f"# a roll-back returns to {DIGEST.hex()}",
        r"# problem: line[0].id: \x1b]0;owned\x07\n",
        "a = 1",
        '\tb = "\\x1b]0;owned\\x07',
        '"',
    ]


def test_a_file_is_shown_as_it_is_but_for_what_a_terminal_obeys() -> None:
    document = "a = '全\u3000角\u00a0'\r\n\n\tb = '\x9b2J\u2028\u202e'\n"
    assert list(document_lines(document)) == ["a = '全\u3000角\u00a0'", "", "\tb = '\\x9b2J\\u2028\\u202e'"]
    assert list(document_lines("a = 1")) == ["a = 1"]


def test_nothing_in_a_reply_reaches_a_terminal() -> None:
    hostile = MeterRead(f"m{ESCAPE}", DAY_MS, {f"p{ESCAPE}": 1}, {f"q{ESCAPE}": f"why{ESCAPE}"})
    for result in (hostile, DayRead((StoredFreeze(1, replace(FREEZE, meter=f"m{ESCAPE}")),), (), {ESCAPE: ESCAPE})):
        assert all(line.isprintable() for line in text_of(result).splitlines())
        assert "\x1b" not in text_of(result)


@pytest.mark.parametrize("verb", list(Verb))
def test_a_reply_as_an_object(verb: Verb) -> None:
    content = reply_object(Reply("gw1", bytes(16), DAY_MS, Outcome.DONE, "说明", verb, RESULTS[verb]), SHANGHAI)
    assert content == {
        "time": "2026-07-01T00:00:00+08:00",
        "outcome": "done",
        "text": "说明",
        "result": result_object(RESULTS[verb], SHANGHAI),
    }
    assert reply_object(Reply("gw1", bytes(16), DAY_MS, Outcome.REFUSED), SHANGHAI)["result"] is None


def test_every_kind_of_result_and_order_is_shown() -> None:
    for verb in Verb:
        assert text_of(RESULTS[verb])
        assert order_line(order_object(ORDERS[verb]))


def test_values_of_what_was_not_asked_for_contradict_the_order() -> None:
    assert contradiction(Read("C01"), RESULTS[Verb.READ]) is None
    assert contradiction(Read("C02"), RESULTS[Verb.READ]) == ("meter C02 was to be read, and the values are of C01")
    assert contradiction(ReadDay("2026-07-01"), RESULTS[Verb.READ_DAY]) is None
    assert contradiction(ReadDay("2026-07-01", ("C01", "C02")), RESULTS[Verb.READ_DAY]) is None
    assert contradiction(ReadDay("2026-07-01", ("C02",)), RESULTS[Verb.READ_DAY]) == (
        "freezes of meters that were not asked for: C01"
    )
    assert contradiction(Read("C01"), None) is None
