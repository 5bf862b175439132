"""`diantan-receiver edits`, and the report that shows estimates beside what is measured."""

import csv
import io
import json
from pathlib import Path

import pytest
from store_support import Centre, configuration, records
from validation_support import Bench

from cloud_receiver.cli import main

SPAN = ["--from", "2026-07-01T10:00+08:00", "--to", "2026-07-01T12:00+08:00"]
WHY = ["--reason", "no network", "--by", "Li Ming"]


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    return configuration(tmp_path)


@pytest.fixture
def gap(centre: Centre, bench: Bench) -> Centre:
    """Keep a day with a gap of C01 from 10:00 to 12:00 in a store where nothing was estimated yet."""
    bench.change(1, lambda place, row: None if 40 <= place < 48 else row)
    centre.store(records(row for found in bench.rows.values() for row in found))
    return centre


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def edits(options: list[str], capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, object]]:
    assert main(["edits", "list", "S1", "--json", *more, *options]) == 0
    found = json.loads(said(capsys))
    assert isinstance(found, list)
    return found


def test_making_listing_and_withdrawing(gap: Centre, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    before = gap.intervals()
    assert main(["edits", "make", "S1", "C01", *SPAN, *WHY, *options]) == 0
    number = said(capsys).split()[1].rstrip(":")
    (row,) = edits(options, capsys)
    assert (row["edit"], row["state"], row["method"], row["parts"]) == (number, "in_force", "register", 8)
    assert (row["made_by"], row["reason"], row["ended"]) == ("Li Ming", "no network", None)
    assert (row["from"], row["to"]) == ("2026-07-01T10:00:00+08:00", "2026-07-01T12:00:00+08:00")
    assert main(["edits", "list", "S1", *options]) == 0
    assert said(capsys).startswith(f"{number}  in_force  C01  2026-07-01T10:00:00+08:00 .. ")

    assert main(["edits", "withdraw", number, "--reason", "wrong", "--by", "Wang Fang", *options]) == 0
    assert said(capsys) == f"edit {number}: 8 parts withdrawn\n"
    assert edits(options, capsys) == []
    (row,) = edits(options, capsys, "--all")
    ended = row["ended"]
    assert isinstance(ended, dict)
    assert (row["state"], ended["by"], ended["reason"]) == ("withdrawn", "Wang Fang", "wrong")
    assert gap.intervals() == before
    # What a person has withdrawn the program doesn't make again.
    gap.check()
    assert edits(options, capsys) == []


def test_a_value_that_a_person_gives_adds_up(
    gap: Centre, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    value = ["--method", "value", "--value-kwh", "10.000001"]
    assert main(["edits", "make", "S1", "C01", *SPAN, *value, *WHY, *options]) == 0
    said(capsys)
    (row,) = edits(options, capsys, "--meter", "C01")
    assert (row["energy_forward_kwh"], row["energy_reverse_kwh"], row["method"]) == ("10.000001", "0.000000", "value")


def test_estimates_beside_readings_must_be_asked_for(
    gap: Centre, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["edits", "make", "S1", "C02", *SPAN, *WHY, *options]) == 1
    assert "no interval is missing there" in capsys.readouterr().err
    late = ["--from", "2026-07-01T14:00+08:00", "--to", "2026-07-01T15:00+08:00"]
    assert main(["edits", "make", "S1", "C02", *late, "--replace", *WHY, *options]) == 0
    said(capsys)
    (row,) = edits(options, capsys)
    assert (row["replaces"], row["method"], row["parts"]) == (True, "balance", 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["C09", *SPAN, *WHY], "meter 'C09' is not one of station S1"),
        (["C01", *SPAN, "--reason", "x", "--by", "diantan 9"], "expected a person"),
        (["C01", *SPAN, "--method", "value", *WHY], "--value-kwh goes with"),
        (["C01", *SPAN, "--value-kwh", "1", *WHY], "--value-kwh goes with"),
        (["C01", *SPAN, "--method", "value", "--value-kwh", "-1", *WHY], "expected 0 or more"),
        (["C01", *SPAN, "--method", "value", "--value-kwh", "0.0000001", *WHY], "at most six decimals"),
        (["C01", *SPAN, "--method", "like_day", *WHY], "like_day: 0 like days, expected 2"),
        (["C01", "--from", "2026-05", "--to", "2026-07-01", *WHY], "at most 31 days"),
        (["C01", "--from", "2026-07-03", *WHY], "a time that is over"),
        (["C01", *SPAN, "--reason", "", "--by", "x"], "the reason: expected 1 to"),
        (["C02", *SPAN, "--replace", "--method", "register", *WHY], "register: the slots have readings"),
        (["C01", *SPAN, "--replace", *WHY], "C01 has no readings in 8 of 8 slots"),
        (["C01", *SPAN, "--reverse-kwh", "1", *WHY], "--reverse-kwh goes with --method value"),
        (["C01", *SPAN, "--method", "value", "--value-kwh", "1E+999999", *WHY], "expected 0 or more"),
        (["C01", *SPAN, "--method", "value", "--value-kwh", "1E-999999", *WHY], "at most six decimals"),
        (["C01", *SPAN, "--method", "value", "--value-kwh", "12500", *WHY], "expected at most 132.07"),
        (["C01", *SPAN, "--reason", "x", "--by", " Diantan 9"], "expected a person"),
        (["C01", *SPAN, "--reason", "x", "--by", ""], "who makes it: expected 1 to"),
        (["C01", *SPAN, "--reason", " ", "--by", "x"], "the reason: expected 1 to"),
        (["C01", *SPAN, "--reason", "a\nb", "--by", "x"], "the reason: expected 1 to"),
        (["C01", "--from", "2026-07-01T12:00+08:00", "--to", "2026-07-01T10:00+08:00", *WHY], "ends after it begins"),
    ],
)
def test_what_can_not_be_made(
    arguments: list[str], message: str, gap: Centre, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["edits", "make", "S1", *arguments, *options]) == 1
    assert message in capsys.readouterr().err
    assert gap.estimates() == []


def test_nothing_is_made_of_a_meter_that_is_not_there_yet(
    gap: Centre, options: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    registry = tmp_path / "registry.toml"
    since = 'id = "C01", since = 2026-07-01T11:00:00+08:00,'
    registry.write_text(registry.read_text().replace('id = "C01",', since))
    assert main(["edits", "make", "S1", "C01", *SPAN, *WHY, *options]) == 1
    assert "found 4 slots of 8 in which it is not" in capsys.readouterr().err
    assert gap.estimates() == []


def test_a_list_of_a_meter_that_is_not_there(
    gap: Centre, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["edits", "list", "S1", "--meter", "C09", *options]) == 1
    assert "meter 'C09' is not one of station S1 (known: C01, C02, C03, G)" in capsys.readouterr().err
    assert main(["edits", "list", "S1", "--to", "2026-07-01", *options]) == 1
    assert "--to goes with --from" in capsys.readouterr().err


def test_an_edit_that_is_not_there(gap: Centre, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edits", "withdraw", "abc", *WHY, *options]) == 1
    assert "there is no edit 'abc'" in capsys.readouterr().err


def test_the_report_shows_estimates_only_when_asked(
    gap: Centre, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    plain = ["report", "S1", "2026-07-01", *options[:2]]
    report = [*plain, "--format", "json"]
    assert main(report) == 0
    before = said(capsys)
    late = ["--from", "2026-07-01T14:00+08:00", "--to", "2026-07-01T15:00+08:00"]
    assert main(["edits", "make", "S1", "C01", *SPAN, *WHY, *options]) == 0
    assert main(["edits", "make", "S1", "C02", *late, "--replace", *WHY, *options]) == 0
    made = {str(row["meter"]): row for row in edits_after(options, capsys)}
    assert main(report) == 0
    assert said(capsys) == before

    assert main([*report, "--with-estimates"]) == 0
    content = json.loads(said(capsys))
    meters = {item["meter"]: item for item in content["meters"]}
    measured = {item["meter"]: item["energy_forward_kwh"] for item in json.loads(before)["meters"]}
    assert {name: item["energy_forward_kwh"] for name, item in meters.items()} == measured
    assert meters["C03"]["estimated"] is None
    gap_of, failed = meters["C01"]["estimated"], meters["C02"]["estimated"]
    assert (gap_of["slots"], gap_of["beside_forward_kwh"], gap_of["methods"]) == (8, "0.000000", {"register": 8})
    assert gap_of["energy_forward_kwh"] == made["C01"]["energy_forward_kwh"]
    assert (failed["slots"], failed["methods"]) == (4, {"balance": 4})
    assert float(failed["beside_forward_kwh"]) == pytest.approx(float(failed["energy_forward_kwh"]), abs=0.2)

    assert main([*plain, "--with-estimates", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(said(capsys))))
    assert [row["estimated_slots"] for row in rows] == ["8", "4", "0", "0"]
    assert (rows[0]["estimated_by"], rows[2]["estimated_by"]) == ("register:8", "")

    assert main([*plain, "--with-estimates", "--lang", "both"]) == 0
    text = said(capsys)
    assert "Estimates, in no energy above 估补值（未计入以上电量）" in text
    assert "register difference 示数差分摊 8" in text
    assert main([*plain, "--lang", "both"]) == 0
    assert "估补" not in said(capsys)


def edits_after(options: list[str], capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    return edits(options, capsys)


def test_a_day_without_estimates_says_so(gap: Centre, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "S1", "2026-07-01", *options[:2], "--with-estimates", "--lang", "en"]) == 0
    assert "Estimates, in no energy above: none" in said(capsys)
