"""`diantan-receiver estimate` and `verification`: what they print, draw, store and refuse."""

import json
from pathlib import Path
from typing import Any

import pytest
from estimation_support import DAY, LENGTH, Site, rows_of
from site_files_support import options_at, write_files

from cloud_receiver import database, findings
from cloud_receiver.cli import main
from cloud_receiver.estimation import store, suspects
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.run import estimate
from cloud_receiver.orders.command_line import login_name

END = DAY + 4 * LENGTH


@pytest.fixture
def options(tmp_path: Path, site: Site) -> list[str]:
    """Return the options of a centre with the site's store, in which four days have come."""
    path = write_files(tmp_path, days=4)
    site.store(rows_of(site.numbers(), 4))
    return options_at(path, END + 60_000)


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    assert main(arguments) == 0
    return json.loads(capsys.readouterr().out)


def test_the_report_names_the_altered_charger_and_what_no_balance_tells(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["estimate", "S1", *options]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert "2026-07-01T00:00:00+08:00 .. 2026-07-05T00:00:00+08:00" in lines[0]
    assert "384 windows" in lines[1]
    assert "relative to the master meter" in out
    assert "各误差均相对于总表" in out
    rows = {line.split()[0]: line for line in lines if line.startswith("C0")}
    assert "flag 超差" in rows["C02"]
    assert "clear 合格" in rows["C01"]
    assert 3.5 < float(rows["C02"].split()[1]) < 4.5
    [halves] = [line for line in lines if line.startswith("halves 前后两半")]
    assert "3 chargers 桩" in halves
    assert halves.endswith("agree 一致")
    assert any(line.startswith("residuals 残差: robust sd") for line in lines)


def test_json_has_all_of_it(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    found = said(["estimate", "S1", "--json", "--from", "2026-07-02", "--to", "2026-07-03", *options], capsys)
    assert (found["first_ms"], found["end_ms"]) == (DAY + LENGTH, DAY + 3 * LENGTH)
    assert [one["meter"] for one in found["chargers"]] == ["C01", "C02", "C03"]
    assert set(found["common_mode"]) == {"en", "zh"}
    assert len(found["residuals"]) == 192
    assert [name for name, *_ in found["halves"]["chargers"]] == ["C01", "C02", "C03"]
    assert (found["halves"]["agree"], found["halves"]["factor"], found["left_out"]) == (True, 1, [])
    assert found["completeness"]["days"] == ["2026-07-02", "2026-07-03"]


def test_without_a_window_nothing_is_said_of_what_all_have_in_common(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["estimate", "S1", "--to", "2026-06-15", *options]) == 0
    out = capsys.readouterr().out
    assert "No window: nothing was estimated." in out
    assert "无可用时段" in out
    assert "±" not in out
    found = said(["estimate", "S1", "--to", "2026-06-15", "--json", *options], capsys)
    assert (found["windows"], found["common_mode"]["en"].split(":")[0]) == (0, "No window")
    assert {one["decision"] for one in found["chargers"]} == {"undetermined"}


@pytest.mark.parametrize(("name", "begins"), [("a.svg", b"<?xml"), ("a.png", b"\x89PNG")])
def test_a_figure_is_drawn(options: list[str], tmp_path: Path, name: str, begins: bytes) -> None:
    assert main(["estimate", "S1", "--figure", str(tmp_path / name), *options]) == 0
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_an_exchange_can_be_supposed(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["estimate", "S1", "--json", "--exchanged", "C02=2026-07-03"]
    found = said([*arguments, *options], capsys)
    assert [one["since_ms"] for one in found["chargers"]] == [None, DAY + 2 * LENGTH, None]
    assert [one["meter"] for one in found["earlier"]] == ["C02"]
    found = said([*arguments, "--exchanged", "G=2026-07-02", *options], capsys)
    assert (found["first_ms"], found["windows"]) == (DAY + LENGTH, 3 * 96)
    # Whoever finds the report, or the figure, later sees that it supposes something.
    assert found["supposed"] == [["C02", DAY + 2 * LENGTH], ["G", DAY + LENGTH]]
    assert said(["estimate", "S1", "--json", *options], capsys)["supposed"] == []
    assert main([*(one for one in arguments if one != "--json"), *options]) == 0
    assert "supposed 假设: C02 exchanged at 换表于 2026-07-03T00:00:00+08:00" in capsys.readouterr().out
    assert main(["estimate", "S1", *options]) == 0
    assert "supposed" not in capsys.readouterr().out


def test_a_verification_settles_the_candidate_and_anchors_the_estimate(
    site: Site, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = said(["estimate", "S1", "--json", *options], capsys)
    context = site.context()
    found = estimate(site.engine, context, Estimation(), DAY, END).result
    with database.writing(site.engine) as connection:
        assert suspects.update_candidates(connection, context, found, END) == (1, 0)
    enter = ["verification", "enter", "S1", "C02", "--at", "2026-07-04T10:00+08:00"]
    assert main([*enter, "--error", "4.02", "--u", "0.05", "--by", "Li", "--document", "R-17", *options]) == 0
    assert "verification 1 of C02: entered; candidate for re-verification: confirmed" in capsys.readouterr().out
    after = said(["estimate", "S1", "--json", *options], capsys)
    assert (after["anchored"], after["chargers"][1]["verified"]) == (["C02"], True)
    assert after["u_common"] < 0.8 * before["u_common"]
    [item] = said(["verification", "list", "S1", "--json", *options], capsys)
    assert (item["meter"], item["error_percent"], item["document"], item["withdrawn_ms"]) == (
        "C02",
        "4.02",
        "R-17",
        None,
    )
    assert main(["verification", "withdraw", "S1", "1", "--reason", "wrong charger", *options]) == 0
    capsys.readouterr()
    assert said(["verification", "list", "S1", "--json", *options], capsys) == []
    [item] = said(["verification", "list", "S1", "--all", "--json", *options], capsys)
    assert (item["made_by"], item["withdrawn_by"]) == ("Li", login_name())
    assert item["withdrawn_reason"] == "wrong charger"
    with database.reading(site.engine) as connection:
        [candidate] = findings.listed(connection)
    assert (candidate.state, candidate.severity, candidate.evidence["outcome"]) == ("open", "warning", None)
    assert said(["estimate", "S1", "--json", *options], capsys)["chargers"] == before["chargers"]


def test_a_certificate_of_the_master_lowers_what_is_common(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = said(["estimate", "S1", "--json", *options], capsys)
    enter = ["verification", "enter", "S1", "G", "--at", "2026-06-01", "--error", "0.1", "--u", "0.02"]
    assert main([*enter, *options]) == 0
    capsys.readouterr()
    after = said(["estimate", "S1", "--json", *options], capsys)
    assert after["certified"]
    assert after["u_common"] < 0.6 * before["u_common"]
    assert "certificate" in after["common_mode"]["en"]


def test_history_and_drift(site: Site, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    context = site.context()
    with database.writing(site.engine) as connection:
        for first in (0, 1, 2):
            span = DAY + first * LENGTH, DAY + (first + 2) * LENGTH
            found = estimate(site.engine, context, Estimation(), *span).result
            store.keep(connection, context.number, found, END)
    found = said(["estimate", "S1", "--history", "--json", *options], capsys)
    assert len(found["estimates"]) == 9
    assert [item["meter"] for item in found["drift"]] == ["C01", "C02", "C03"]
    first, last = (item for item in found["estimates"][::3] if item["end_ms"] != DAY + 3 * LENGTH)
    assert found["drift"][0]["change"] == pytest.approx(last["error"] - first["error"])
    assert abs(found["drift"][1]["change"]) < 3 * found["drift"][1]["u"]
    assert main(["estimate", "S1", "--history", *options]) == 0
    assert "change 变化" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["estimate", "S9"], "station 'S9' is not in the registry"),
        (["estimate", "S1", "--from", "yesterday"], "expected a month"),
        (["estimate", "S1", "--from", "2026-08-01"], "expected a span that has begun"),
        (["estimate", "S1", "--from", "2026-07-03", "--to", "2026-07-02"], "with --from before --to"),
        (
            ["estimate", "S1", "--from", "2020-01-01"],
            "at most 400 days; found 2020-01-01T00:00:00+08:00 .. 2026-07-05T00:",
        ),
        (["estimate", "S1", "--exchanged", "C02"], "expected METER=TIME"),
        (["estimate", "S1", "--exchanged", "C09=2026-07-02"], "expected one of C01, C02, C03, G"),
        (["estimate", "S1", "--exchanged", "C02=2026-07-20"], "expected a time within the span"),
        (["estimate", "S1", "--exchanged", "C02=2026-06-30"], "expected a time within the span"),
        (["estimate", "S1", "--history", "--exchanged", "C02=2026-07-02"], "neither --exchanged nor --figure"),
        (["estimate", "S1", "--history", "--figure", "a.svg"], "neither --exchanged nor --figure"),
        (["estimate", "S1", "--figure", "a.gif"], ".svg"),
        (["verification", "enter", "S1", "C01", "--error", "x", "--u", "0.1", "--at", "2026-07-02"], "--error 'x'"),
        (["verification", "enter", "S1", "C01", "--error", "1", "--u", "0", "--at", "2026-07-02"], "--u '0'"),
        (["verification", "enter", "S1", "C01", "--error", "1", "--u", "1", "--at", "2027-07-02"], "has passed"),
        (["verification", "enter", "S1", "C01", "--error", "1", "--u", "1", "--at", "2026-07"], "found the month"),
        (["verification", "enter", "S1", "C01", "--error", "1", "--u", "1", "--at", "7 o'clock"], "expected a month"),
        (
            [
                "verification",
                "enter",
                "S1",
                "C01",
                "--error",
                "3",
                "--left-error",
                "0",
                "--u",
                "1",
                "--at",
                "2026-07-02",
            ],
            "expected a time with its zone",
        ),
        (["verification", "enter", "S1", "C9", "--error", "1", "--u", "1", "--at", "2026-07-02"], "meter 'C9'"),
        (["verification", "withdraw", "S1", "7", "--reason", "x"], "no verification 7 in force"),
        (["verification", "withdraw", "S1", "7", "--reason", " "], "--reason: expected 1 to 200 printable characters"),
        (["verification", "withdraw", "S1", "7", "--reason", "x", "--by", ""], "--by: expected 1 to 200 printable"),
    ],
)
def test_what_can_not_be_is_refused(
    options: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main([*arguments, *options]) == 1
    assert message in capsys.readouterr().err


def test_a_candidate_stands_in_the_list_and_in_the_report_of_its_day(
    site: Site, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    context = site.context()
    found = estimate(site.engine, context, Estimation(), DAY, END).result
    with database.writing(site.engine) as connection:
        suspects.update_candidates(connection, context, found, END)
    assert main(["findings", *options]) == 0
    assert "charger_suspect  C02" in capsys.readouterr().out
    assert main(["report", "S1", "2026-07-04", *options[:2]]) == 0
    assert "失准复检候选" in capsys.readouterr().out
