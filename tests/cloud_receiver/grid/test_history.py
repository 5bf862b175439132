"""`grid history` and `grid show --slot`: what was, from the store, on the command line."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from analysis_support import DAY_MS, small, the
from stored_support import dearer, enter, filled, opened, scaled, solve

from cloud_receiver import database
from cloud_receiver.cli import main
from cloud_receiver.grid import history, history_command, history_text
from cloud_receiver.grid.analysis.periods import SLOT_MS, By, Span, SpanError, utc
from cloud_receiver.grid.history import HistoryError, Query

Run = Callable[..., str]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    filled(tmp_path).dispose()
    return tmp_path


@pytest.fixture
def run(directory: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: str, status: int = 0) -> str:
        assert main(["grid", *arguments, "--config", str(directory / "receiver.toml")]) == status
        said = capsys.readouterr()
        return said.err if status else said.out

    return command


def rows(text: str) -> list[dict[str, Any]]:
    document = json.loads(text)
    found: list[dict[str, Any]] = document["rows"]
    return found


def test_the_newest_day_by_itself(run: Run) -> None:
    found = rows(run("history", "--json"))
    assert [row["node"] for row in found] == ["P1", "S1", "U1"]
    assert {row["interval_start_utc"] for row in found} == {utc(DAY_MS)}
    assert {(row["interval_slots"], row["interval_expected_slots"]) for row in found} == {(4, 96)}
    plant = found[0]
    # 1 + 9/8 + 10/8 + 11/8 times 25 MWh, and the reconciliation changed nothing that was not missing
    assert plant["energy_kwh"].startswith("118750.0000") or plant["energy_kwh"].startswith("118749.9999")
    assert plant["factor_kg_per_kwh"] == "0.680000"
    assert plant["slots_corrected"] in {0, 1}


def test_a_node_by_slot(run: Run) -> None:
    document = json.loads(run("history", "U1", "--from", "2026-07-01", "--json"))
    assert (document["by"], document["convention"], document["boundary"]) == ("slot", "loss-borne", "direct CO2")
    assert [row["version"] for row in document["rows"]] == [1, 2, 1, 1]
    assert [row["interval_start_utc"] for row in document["rows"]] == [utc(DAY_MS + n * SLOT_MS) for n in range(4)]
    assert {row["kind"] for row in document["rows"]} == {"load"}
    assert all(len(row["solve_id"]) == 64 for row in document["rows"])
    assert {(row["quality"], row["origin"]) for row in document["rows"]} == {("defined", "solved")}


def test_csv_is_exact_and_says_the_same(run: Run) -> None:
    table = list(csv.DictReader(io.StringIO(run("history", "--loads", "--by", "slot", "--csv"))))
    found = rows(run("history", "--loads", "--by", "slot", "--json"))
    assert len(table) == len(found) == 8
    for line, row in zip(table, found, strict=True):
        assert line == {name: "" if value is None else str(value) for name, value in row.items()}


def test_tables_speak_both_languages(run: Run) -> None:
    for option, heading in (
        ("--generators", "on-grid 上网电量 MWh"),
        ("--plants", "units 机组数"),
        ("--branches", "carbon fwd 正向碳流 tCO2"),
        ("--loads", "station 充电站"),
        ("--storages", "discharged 放电 MWh"),
        ("--classes", "substation"),
        ("--balance", "losses 网损 tCO2"),
    ):
        assert heading in run("history", option, "--by", "month"), option


def test_late_data_are_told_of_the_unit(run: Run) -> None:
    found = rows(run("history", "--generators", "--json"))
    late = the(found, "generator", "PV")
    assert (late["slots_late"], late["late_energy_kwh"], late["slots_missing"]) == (1, "4218.750000", 0)
    assert the(found, "generator", "G1")["slots_late"] == 0


def test_versions_say_what_changed(run: Run) -> None:
    found = [json.loads(line) for line in run("history", "--versions", "--json").splitlines()]
    assert [(item["interval_start_utc"], item["version"]) for item in found] == [
        *((utc(DAY_MS), 1), (utc(DAY_MS + SLOT_MS), 1), (utc(DAY_MS + SLOT_MS), 2)),
        *((utc(DAY_MS + 2 * SLOT_MS), 1), (utc(DAY_MS + 3 * SLOT_MS), 1)),
    ]
    changed = found[2]["changed"]
    assert changed["measured_elements"] == ["generator PV"]
    assert found[1]["changed"] is None
    assert len({item["solve_id"] for item in found}) == 5
    text = run("history", "--versions", "U1")
    assert "1 measurements 量测" in text


def test_one_slot(run: Run) -> None:
    found = rows(run("history", "--slot", "2026-07-01T00:20+08:00", "--json"))
    assert [row["version"] for row in found] == [2, 2, 2]
    text = run("show", "--slot", "2026-07-01T00:15+08:00")
    assert "version 2 of 2" in text
    assert "0.68" in text
    assert "generator PV" in text
    assert "Sums 合计" in text
    former = json.loads(run("show", "--slot", "2026-07-01T00:15+08:00", "--version", "1", "--json"))
    assert (former["version"], len(former["versions"])) == (1, 2)
    assert former["summary"]["missing"] == {"count": 1, "first": ["generator PV"]}
    assert any("PV" in flag["where"] for flag in former["measured"]["flags"])
    newest = json.loads(run("show", "--slot", "2026-07-01T00:15+08:00", "--json"))
    assert [node["factor_kg_per_kwh"] for node in newest["factors"]] == [row["factor_kg_per_kwh"] for row in found]
    assert newest["solve_id"] == newest["versions"][1]["solve_id"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["history", "X9"], "no grid has a node 'X9'"),
        (["history", "S1", "--loads"], "expected a node or --loads"),
        (["history", "--from", "yesterday"], "expected a month (2026-07), a day"),
        (["history", "--from", "2026-07-02", "--to", "2026-07-01"], "expected a span that ends after it begins"),
        (["history", "--to", "2026-07-01"], "expected a beginning"),
        (["history", "--slot", "2026-07-01T00:00Z", "--from", "2026-07-01"], "found both"),
        (["history", "--versions", "--csv"], "--versions comes as a table"),
        (["show"], "expected a FILE or --slot TIME"),
        (["show", "--slot", "2026-07-09T00:00Z"], "no slot 2026-07-09T00:00:00Z is stored"),
        (["show", "--slot", "2026-07-01T00:00+08:00", "--version", "7"], "has no version 7 (versions: 1)"),
    ],
)
def test_mistakes_are_told(run: Run, arguments: list[str], said: str) -> None:
    assert said in run(*arguments, status=1)


def test_nothing_in_a_span_is_no_mistake(run: Run) -> None:
    assert rows(run("history", "--from", "2020-01", "--to", "9000-01", "--json"))
    assert rows(run("history", "--from", "2020-01", "--json")) == []
    assert "no slots stored 无数据" in run("history", "--from", "2020-01")


def test_an_empty_store_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened(tmp_path).dispose()
    assert main(["grid", "history", "--config", str(tmp_path / "receiver.toml")]) == 1
    assert "no slot of the grid is stored yet" in capsys.readouterr().err


def test_spans(directory: Path) -> None:
    engine = database.open_store("sqlite:///receiver.sqlite", directory)
    zone = "Asia/Shanghai"
    with database.reading(engine) as connection:
        day = Span(DAY_MS, DAY_MS + 86_400_000)
        assert history.span(connection, None, None, zone) == day
        assert history.span(connection, "2026-07-01", None, zone) == day
        assert history.span(connection, "2026-07-01T00:00+08:00", None, zone) == day
        assert history.span(connection, "2026-06-30", "2026-07-01", zone) == Span(DAY_MS - 86_400_000, day.end_ms)
        with pytest.raises(SpanError):
            history.span(connection, "2026-07-01", "2026-06", zone)
        query = Query("branches", day, By.DAY, only=frozenset({"L1", "L9"}))
        with pytest.raises(HistoryError, match="no grid has L9"):
            list(history.tables(connection, query))
        come: list[int] = []
        list(history.tables(connection, Query("nodes", day, By.DAY), come.append))
        assert come == [DAY_MS + 3 * SLOT_MS + 1]
    engine.dispose()


def test_a_node_by_the_name_of_another_busbar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = opened(tmp_path)
    network = small(node_columns=["id", "kind", "aliases"], node=[["P1", "plant", ["P1b"]]])
    enter(engine, network)
    solve(engine, {DAY_MS: network.snapshot}, DAY_MS + SLOT_MS)
    engine.dispose()
    assert main(["grid", "history", "P1b", "--json", "--config", str(tmp_path / "receiver.toml")]) == 0
    assert [row["node"] for row in rows(capsys.readouterr().out)] == ["P1"]


def test_a_correction_of_a_factor_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = opened(tmp_path)
    network = small()
    enter(engine, network)
    solve(engine, {DAY_MS: scaled(network.snapshot, 1)}, DAY_MS + SLOT_MS)
    solve(engine, {DAY_MS: dearer(network.snapshot)}, DAY_MS + 2 * SLOT_MS)
    engine.dispose()
    config = ["--config", str(tmp_path / "receiver.toml")]
    assert main(["grid", "history", "--versions", "--json", *config]) == 0
    _, second = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"node": "P1", "factor_before_kg_per_kwh": "0.680000", "factor_kg_per_kwh": "0.830000"} in second["changed"][
        "node_factors"
    ]
    assert main(["grid", "history", "P1", "--by", "day", "--json", *config]) == 0
    (row,) = rows(capsys.readouterr().out)
    assert (row["slots_corrected"], row["factor_kg_per_kwh"]) == (1, "0.830000")


def test_names_are_no_formulas() -> None:
    query = Query("loads", Span(DAY_MS, DAY_MS + SLOT_MS), By.DAY)
    row = {field.name: None for field in query.fields} | {"load": "=cmd()", "node": "S1", "energy_kwh": -5}
    (line,) = list(csv.DictReader(io.StringIO("".join(history_text.csv_lines(query, [row])))))
    assert (line["load"], line["energy_kwh"]) == ("'=cmd()", "-0.000005")
    wide = history_text.plain_csv([{"node": "＝1+1", "name": "东厂"}])  # as spreadsheets of East Asia take it
    assert wide == "node,name\n'＝1+1,东厂\n"


@pytest.mark.parametrize("span", ["2026-07-01", "2026-07"])
def test_a_nodes_day_and_month_are_drawn(run: Run, tmp_path: Path, span: str) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "u1.svg"
    assert "U1" in run("history", "U1", "--from", span, "--figure", str(file))
    assert file.read_bytes().lstrip().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--figure", "day.svg"], "draws one node"),
        (["U1", "--figure", "day.gif"], "day.gif"),
        (["U1", "--from", "2026-06", "--to", "2026-07", "--figure", "day.svg"], "found a longer span"),
        (["U1", "--from", "2026-06-29", "--figure", "day.svg"], "no slot of U1 is stored"),
    ],
)
def test_figures_that_cannot_be_are_told(run: Run, arguments: list[str], said: str) -> None:
    assert said in run("history", *arguments, status=1)


def test_progress_is_said_while_a_figure_s_slots_are_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    class Told:
        def __call__(self, text: str) -> None:
            said.append(text)

        def clear(self) -> None:
            pass

    drawn: list[list[str]] = []
    monkeypatch.setattr(history_command, "progress_of", lambda _: Told())
    monkeypatch.setattr(history_command, "draw", lambda *_: drawn.append([*said]))
    run("history", "U1", "--figure", str(tmp_path / "u1.svg"))
    assert drawn == [["2026-06-30T16:45:00Z, 100%"]]


DOCUMENT = (Path(__file__).parents[3] / "docs" / "grid.md").read_text()
COMMANDS = [
    line.partition("#")[0].split()[1:]
    for line in DOCUMENT.splitlines()
    if line.startswith(
        ("diantan-receiver grid history", "diantan-receiver grid verify", "diantan-receiver grid show --")
    )
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_the_document_s_commands_are_commands(directory: Path, arguments: list[str]) -> None:
    # What they ask for is not all in this store; a command line that is none ends with 2.
    assert main([*arguments, "--config", str(directory / "receiver.toml")]) in {0, 1}


def test_the_document_has_commands() -> None:
    assert len(COMMANDS) == 7
