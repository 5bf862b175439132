"""The mutation table as text and in Markdown, and the command that prints it."""

import io

import pytest

from firmware_sim.inspection.defects import __main__ as command
from firmware_sim.inspection.defects.defect import Conditions, Defect
from firmware_sim.inspection.defects.mutations import Baseline, Mutation, MutationRun
from firmware_sim.inspection.defects.table import markdown, table
from firmware_sim.inspection.defects.told import Told
from firmware_sim.inspection.defects.trial import Finding, Trial, why
from firmware_sim.inspection.result import ItemResult, PointResult, Step, Verdict

CREEP = Defect("creep", "Creep", "潜动", "Noise counts.", "metering.no-load")
LATE = Defect("late", "Late freeze", "冻结晚", "A second late.", "function.freeze")
GOOD = Finding("metering.no-load", Verdict.PASSED, "")
MUST = frozenset({"metering.no-load", "function.freeze"})
RUN = MutationRun(
    (Baseline(Conditions(), MUST, (GOOD,)),),
    (
        Mutation(CREEP, (Finding("metering.no-load", Verdict.FAILED, "+505 mWh"), GOOD)),
        Mutation(
            LATE,
            (
                Finding("function.freeze", Verdict.PASSED, ""),
                Finding("other.a", Verdict.FAILED, "x"),
                Finding("other.b", Verdict.FAILED, "y"),
            ),
        ),
    ),
)


def test_the_table_has_a_row_a_defect_and_a_conclusion() -> None:
    assert table(RUN).splitlines() == [
        "defect  expected item     caught by           verdict     title",
        "------  ----------------  ------------------  ----------  -----",
        "creep   metering.no-load  metering.no-load    caught      Creep 潜动",
        "late    function.freeze   other.a and 1 more  NOT CAUGHT  Late freeze 冻结晚",
        "    also caught by other.a, other.b",
        "",
        "healthy meter: passed 1 items, failed none",
        "defects: 1 of 2 caught by the item that should catch them",
    ]


def test_why_says_what_the_expected_item_found() -> None:
    lines = table(RUN, why=True).splitlines()
    assert lines[3] == "    +505 mWh"
    assert lines[5] == "    passed"


def test_a_healthy_meter_that_fails_is_told() -> None:
    bad = Baseline(Conditions(), MUST, (GOOD, Finding("function.freeze", Verdict.ERROR, "no line")))
    last = table(MutationRun((bad,), RUN.mutations)).splitlines()[-2:]
    assert last[0] == "healthy meter: function.freeze: error: no line"


def test_markdown_tells_what_was_done_wrong() -> None:
    lines = markdown(RUN).splitlines()
    assert lines[2] == "| Creep | 潜动 | Noise counts. | metering.no-load | caught |"
    missed = "| Late freeze | 冻结晚 | A second late. | expected function.freeze; other.a and 1 more | NOT CAUGHT |"
    assert lines[3] == missed


def test_why_is_the_first_thing_that_is_not_good() -> None:
    steps = (Step("a", "1", "1", good=True), Step("b", "2", "3", good=False), Step("c", "4", "5", good=False))
    assert why(ItemResult("x", Verdict.FAILED, 0, 0, steps)) == "b: expected 2, found 3"
    points = tuple(PointResult(key, (), "1", "+1.0", "0.1", "0.5", good) for key, good in (("p", True), ("q", False)))
    assert why(ItemResult("x", Verdict.FAILED, 0, 0, points=points)) == "q: +1.0 %, limit 0.5 %"
    assert why(ItemResult("x", Verdict.ERROR, 0, 0, note="no line")) == "no line"
    assert why(ItemResult("x", Verdict.PASSED, 0, 0, note="limits")) == ""


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["creep", "--jobs", "1"]) == 0
    shown = capsys.readouterr()
    assert "creep   metering.no-load  metering.no-load  caught" in shown.out
    assert shown.err == "2 of 2 items performed, last creep\n"


@pytest.mark.parametrize("run", [MutationRun((), RUN.mutations), MutationRun((), ())])
def test_its_status_is_1_when_a_defect_got_by(run: MutationRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "mutate", lambda *_, **__: run)
    assert command.main([]) == (1 if run.mutations else 0)


def test_an_interrupted_run_has_no_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "mutate", interrupted)
    assert command.main([]) == 130
    assert capsys.readouterr().out == ""


def test_an_unknown_defect_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["creeep"]) == 2
    assert "no defect 'creeep'" in capsys.readouterr().err


def test_defects_are_listed_without_being_tried(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "mutate", lambda *_, **__: pytest.fail("nothing is to be tried"))
    assert command.main(["--list", "creep"]) == 0
    assert capsys.readouterr().out.startswith("creep: Creep: noise counted without current 潜动 (metering.no-load)")


@pytest.mark.parametrize("jobs", ["0", "-1", "two"])
def test_jobs_are_at_least_one(jobs: str) -> None:
    with pytest.raises(SystemExit):
        command.main(["--jobs", jobs])


class Ticking:
    """A clock that goes on by so many seconds at each look."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._now = 0.0

    def __call__(self) -> float:
        self._now += self._step
        return self._now


def told(step: float, *, changing: bool) -> str:
    stream = io.StringIO()
    progress = Told(stream, Ticking(step), changing=changing)
    for done in range(1, 9):
        progress(Trial("creep" if done % 2 else None, (), Conditions()), done, 8)
    return stream.getvalue()


def test_elsewhere_than_on_a_terminal_progress_is_told_once_a_minute_and_at_the_end() -> None:
    assert told(20, changing=False).splitlines() == [
        "3 of 8 items performed, last creep",
        "6 of 8 items performed, last the healthy meter, about 40 s left",
        "8 of 8 items performed, last the healthy meter, about 0 s left",
    ]


def test_on_a_terminal_one_line_changes() -> None:
    shown = told(1, changing=True)
    assert shown.count("\r") == 8
    assert shown.count("\n") == 1
    assert shown.endswith("\n")
