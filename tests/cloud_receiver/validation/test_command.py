"""`diantan-receiver validate`: what it prints, and its exit status."""

import json
from pathlib import Path

import pytest
from store_support import Centre, configuration, records
from validation_support import DAY_MS, SLOT_MS, Bench

from cloud_receiver.cli import main
from cloud_receiver.grid.analysis.periods import SpanError
from cloud_receiver.validation.command import slots_between
from cloud_receiver.validation.config import NAMES


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    return configuration(tmp_path)


def send(centre: Centre, bench: Bench) -> None:
    centre.store(records(row for found in bench.rows.values() for row in found))


def test_a_healthy_day(centre: Centre, bench: Bench, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    send(centre, bench)
    assert main(["validate", "S1", *options]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in out] == list(NAMES)
    assert "sum                   passed 1" in out


def test_a_fault_is_named_and_the_status_tells(
    centre: Centre, bench: Bench, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    bench.change(2, lambda place, row: None if place in range(10, 15) else row)
    send(centre, bench)
    assert main(["validate", "S1", "--rule", "gap", *options]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("2026-07-01  failed   gap                   C02  5 slots: 02:30, 02:45, 03:00 and 2 more")
    assert last.split() == ["gap", "passed", "3", "failed", "1"]
    assert main(["validate", "S1", "--rule", "gap", "--meter", "C01", *options]) == 0


def test_a_rule_of_sums_shows_its_sums(
    centre: Centre, bench: Bench, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    bench.change(2, lambda _, row: row._replace(forward_mwh=row.forward_mwh * 2))
    send(centre, bench)
    assert main(["validate", "S1", "--rule", "sum", *options]) == 1
    first, _ = capsys.readouterr().out.splitlines()
    shown = json.loads(first[first.index("{") :])
    assert (shown["slots"], shown["chargers_mwh"] > shown["grid_mwh"]) == (96, True)


def test_json_has_every_verdict_with_its_evidence(
    centre: Centre, bench: Bench, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    bench.change(2, lambda place, row: None if place == 10 else row)
    send(centre, bench)
    assert main(["validate", "S1", "--json", "--from", "2026-07-01", *options]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {item["rule"] for item in found} == set(NAMES)
    (gap,) = [item for item in found if item["rule"] == "gap" and item["meter"] == "C02"]
    assert (gap["verdict"], gap["title"], gap["title_zh"]) == ("failed", "gap", "缺数")
    assert gap["slots"] == ["2026-07-01T02:30:00+08:00"]
    assert gap["details"][0]["missing_s"] == 900
    assert [item["meter"] for item in found if item["rule"] == "sum"] == [None]


def test_several_days_are_judged_one_by_one(
    centre: Centre, bench: Bench, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    send(centre, bench)
    arguments = ["validate", "S1", "--json", "--rule", "sum", "--from", "2026-07-01", "--to", "2026-07-02T00:30+08:00"]
    assert main([*arguments, *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(item["day"], item["verdict"]) for item in found] == [
        ("2026-07-01T00:00:00+08:00", "passed"),
        ("2026-07-02T00:00:00+08:00", "not_applicable"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["S9"], "station 'S9' is not in the registry (known: S1)"),
        (["S1", "--from", "yesterday"], "expected a month"),
        (["S1", "--from", "2024-01", "--to", "2026-07"], "expected at most 400 days"),
        (["S1", "--from", "2026-07-02", "--to", "2026-07-01"], "ends after it begins"),
    ],
)
def test_what_is_asked_wrongly(
    arguments: list[str], message: str, centre: Centre, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", *arguments, *options]) == 1
    assert message in capsys.readouterr().err


def test_spans_are_of_whole_slots() -> None:
    zone = "Asia/Shanghai"
    span = slots_between("2026-07-01T00:20+08:00", None, zone)
    assert (span.first_ms, span.end_ms) == (DAY_MS + SLOT_MS, DAY_MS + 2 * SLOT_MS)
    span = slots_between("2026-07-01T00:15+08:00", "2026-07-01T00:31+08:00", zone)
    assert (span.first_ms, span.end_ms) == (DAY_MS + SLOT_MS, DAY_MS + 3 * SLOT_MS)
    with pytest.raises(SpanError):
        slots_between("2026-07-02", "2026-07-01", zone)


@pytest.mark.parametrize(
    "case",
    [
        (["--meter", "C09"], "meter 'C09' is not one of station S1 (known: C01, C02, C03, G)"),
        (["--to", "2026-07-01"], "--to goes with --from"),
        (["--from", "2026-07-02", "--to", "2026-07-01"], "ends after it begins"),
        (["--from", "2024-01", "--to", "2026-06"], "at most 400 days"),
    ],
)
def test_what_can_not_be_judged_is_no_success(
    case: tuple[list[str], str],
    centre: Centre,
    bench: Bench,
    options: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments, message = case
    send(centre, bench)
    assert main(["validate", "S1", *arguments, *options]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err


def test_of_imported_history_records_are_expected_too(
    centre: Centre, bench: Bench, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    bench.change(2, lambda place, row: None if place == 10 else row)
    years = 900 * 96 * SLOT_MS
    centre.store(records(row._replace(start_ms=row.start_ms - years) for found in bench.rows.values() for row in found))
    assert main(["validate", "S1", "--from", "2024-01-13", "--rule", "gap", *options]) == 1
    assert "failed   gap                   C02  1 slots: 02:30" in capsys.readouterr().out
    # Before the first record nothing is.
    assert main(["validate", "S1", "--from", "2024-01-11", "--rule", "gap", *options]) == 0
    assert capsys.readouterr().out.split() == ["gap", "not_applicable", "4"]
