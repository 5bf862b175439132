"""Rows with and without voltages, and the tables that are made of rows."""

from dataclasses import replace

import pytest

from bench.estimation import __main__ as command
from bench.estimation import judge, markdown
from bench.estimation.judge import Figures
from bench.estimation.scenarios import MAIN, SCENARIOS, run_station

STATIONS = 4
ROWS = ["F30", "F30-no-voltages", "F30-no-master"]


@pytest.fixture(scope="module")
def found() -> dict[str, Figures]:
    outcomes = [run_station(number, ROWS) for number in range(STATIONS)]
    for each in outcomes:
        # the same truth and readings: voltages are drawn beside them
        for name in ROWS[1:]:
            assert each[name].true.tolist() == each["F30"].true.tolist()
            assert each[name].squares.tolist() == each["F30"].squares.tolist()
        assert each["F30-no-voltages"].branches is None
    return {name: judge.figures([each[name] for each in outcomes]) for name in ROWS}


def test_voltages_tell_what_readings_leave_open(found: dict[str, Figures]) -> None:
    told, silent = found["F30"], found["F30-no-voltages"]
    assert silent.known is None
    assert told.known is not None
    assert told.own_rmse < 0.8 * silent.own_rmse
    assert told.least is not None
    assert silent.least is not None
    assert told.least.rmse < 0.8 * silent.least.rmse
    assert told.least.part("drop") > 0
    assert silent.least.part("drop") == 0
    assert told.floor[0] == silent.floor[0]  # of the master they say nothing
    assert told.floor[1] < 0.6 * silent.floor[1]


def test_single_phases_without_a_phase_of_the_master_are_as_without_voltages(found: dict[str, Figures]) -> None:
    one, other = (replace(found[name], least=None) for name in ("F30-no-master", "F30-no-voltages"))
    assert one == other


def test_rows_that_say_nothing_of_voltages_have_them() -> None:
    assert {name for name, each in MAIN.items() if not each.voltages} == {"dc-output-0.2", "dc-output-0.4"}
    for name, each in SCENARIOS.items():
        if each.like is not None:
            assert SCENARIOS[each.like].conditions == each.conditions
            assert SCENARIOS[each.like].site is each.site
        assert each.voltages or name.endswith("-no-voltages") or name.startswith("dc-output")


def test_readings_are_those_of_always() -> None:
    # as drawn before there were voltages: the rows without are to be compared with what was published then
    outcome = run_station(0, ["F30-no-voltages"])["F30-no-voltages"]
    assert outcome.true[:3] == pytest.approx([-0.006016169894117, -0.000165495457394, 0.003090292369040], rel=1e-9)
    assert outcome.squares[:3] == pytest.approx([-0.01018696608, -0.01065848811, 0.00081993610], rel=1e-5)


def test_tables_stand_as_in_the_docs(found: dict[str, Figures]) -> None:
    rows, branches, least = (each.splitlines() for each in markdown.tables(found))
    for table in (rows, branches, least):
        assert {line.count("|") for line in table} == {table[0].count("|")}
        assert set(table[1]) == {"|", "-"}
    assert [line.split(" | ")[0] for line in rows[2:]] == [f"| {name}" for name in ROWS]
    assert [line.split(" | ")[0] for line in branches[2:]] == ["| F30"]
    assert [line.split(" | ")[0] for line in least[2:]] == [f"| {name}" for name in ROWS]
    shown = rows[2].split(" | ")
    broken = judge.missed(SCENARIOS["F30"], found["F30"])
    assert ("**" in shown[2]) == ("MAE" in broken)
    assert ("**" in shown[5]) == ("detection" in broken)
    assert f"{100 * found['F30'].mae:.3f}" in shown[2]
    assert "(0.10)" in shown[2]
    assert len(markdown.tables({"F30-no-voltages": found["F30-no-voltages"]})) == 2


def test_rows_are_asked_for_by_name(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["estimation", "--stations", "2", "--processes", "1", "--no-speed", "--scenario", "days-3", "--markdown"]
    monkeypatch.setattr("sys.argv", asked)
    assert command.main() == 0
    said = capsys.readouterr().out
    assert "\ndays-3  " in said
    assert "\n| days-3 | 3 d | " in said
    assert "days-7" not in said
