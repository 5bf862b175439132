"""The verdict on a replay: exactly the altered chargers, flagged and found by a nightly run, and nothing lost."""

from typing import Any

import pytest
from rich.console import Console

from demo.replay import statement
from demo.replay.judge import Verdict, compare
from demo.replay.plan import ReplayPlan

DAY_MS = 86_400_000


class Said:
    """What the programs say of a replay in which all is well."""

    def __init__(self, plan: ReplayPlan) -> None:
        self.plan = plan
        self.chargers: dict[str, dict[str, Any]] = {
            charger.id: {
                "meter": charger.id,
                "error": float(charger.error_percent) + 0.1,
                "u": 0.2,
                "probability": 0.999 if charger.is_altered else 0.001,
                "decision": "flag" if charger.is_altered else "clear",
                "reason": None,
                "energy_kwh": 50.0,
                "branch": {"percent": 0.9, "u": 0.05, "reason": None},
            }
            for charger in plan.chargers
        }
        self.candidates = dict.fromkeys(plan.altered, "open")
        self.unacknowledged = 0
        # Losses of 1 % of 7 kW, for an hour at that power.
        squares = 7_000_000**2 * 3_600_000
        self.branches = {charger.id: (squares // 700_000_000, squares) for charger in plan.chargers}

    def verdict(self) -> Verdict:
        estimate: dict[str, Any] = {
            "chargers": list(self.chargers.values()),
            "windows": 288,
            "completeness": {"shares": [[1.0, 0.5], [None, 1.0]]},
            "findings": [{"name": "few_windows"}],
        }
        findings = [
            {"kind": "charger_suspect", "meter": name, "state": state} for name, state in self.candidates.items()
        ]
        findings.append({"kind": "imbalance", "meter": None, "state": "open"})
        meters = [
            {
                "id": charger.id,
                "true_forward_uj": 50_000_000 * 3_600_000,
                "registered_forward_mwh": 500_000 * (100 + float(charger.error_percent)),
            }
            for charger in self.plan.chargers
        ]
        nights = frozenset({self.plan.first_ms + 9_000_000, *(night + 1000 for night in self.plan.nights_ms)})
        journal = {"next_sequence": 1001, "unacknowledged": self.unacknowledged}
        branches = [
            {"charger": name, "loss_uj": lost, "squares_mw2_ms": squares}
            for name, (lost, squares) in self.branches.items()
        ]
        truth = {"meters": meters, "branches": branches}
        return compare(self.plan, estimate, findings, truth, nights=nights, journal=journal)


@pytest.fixture
def said(plan: ReplayPlan) -> Said:
    return Said(plan)


def shown(said: Said) -> str:
    """Return what is printed."""
    console = Console(width=150)
    with console.capture() as capture:
        statement.show(said.plan, said.verdict(), console)
    return capture.get()


def a_sound_one(plan: ReplayPlan) -> str:
    return next(charger.id for charger in plan.chargers if not charger.is_altered)


def an_altered_one(plan: ReplayPlan) -> str:
    return next(charger.id for charger in plan.chargers if charger.is_altered)


def test_a_replay_that_names_the_altered_only_passes(said: Said) -> None:
    verdict = said.verdict()
    assert verdict.passed
    assert verdict.flagged == verdict.suspected == said.plan.altered
    assert (verdict.windows, verdict.written, verdict.nights) == (288, 1000, 3)  # that before the first day is none
    assert verdict.known_percent == pytest.approx(250 / 3)
    assert verdict.findings == ("few_windows",)
    for charger, planned in zip(verdict.chargers, said.plan.chargers, strict=True):
        assert charger.truth == pytest.approx(float(planned.error_percent))
        assert charger.covered
    text = shown(said)
    assert "PASSED 通过" in text
    assert "NO 否" not in text
    for charger in said.plan.chargers:
        row = next(line for line in text.splitlines() if charger.id in line)
        assert ("*" in row, "flag" in row) == (charger.is_altered, charger.is_altered)
        assert f"{float(charger.error_percent):+.2f}" in row


def test_a_sound_one_that_is_flagged_fails_it(said: Said) -> None:
    name = a_sound_one(said.plan)
    said.chargers[name]["decision"] = "flag"
    assert not said.verdict().passed
    assert said.verdict().flagged == said.plan.altered | {name}


@pytest.mark.parametrize("state", ["open", "acknowledged", "closed"])
def test_a_sound_one_that_was_ever_a_candidate_fails_it(said: Said, state: str) -> None:
    said.candidates[a_sound_one(said.plan)] = state
    assert not said.verdict().passed
    text = shown(said)
    assert "FAILED 未通过" in text
    assert text.count("NO 否") == 1
    assert ("was 曾是" in text) == (state == "closed")


@pytest.mark.parametrize("decision", ["clear", "undetermined"])
def test_an_altered_one_that_is_not_flagged_fails_it(said: Said, decision: str) -> None:
    said.chargers[an_altered_one(said.plan)]["decision"] = decision
    assert not said.verdict().passed


@pytest.mark.parametrize("state", ["closed", None])
def test_an_altered_one_that_no_nightly_run_found_fails_it(said: Said, state: str | None) -> None:
    name = an_altered_one(said.plan)
    if state is None:
        del said.candidates[name]
    else:
        said.candidates[name] = state
    assert not said.verdict().passed


def test_a_record_that_is_lost_fails_it(said: Said) -> None:
    said.unacknowledged = 1
    assert not said.verdict().passed


def test_an_interval_that_misses_the_truth_is_counted(said: Said) -> None:
    said.chargers[a_sound_one(said.plan)]["error"] += 0.4
    verdict = said.verdict()
    assert sum(charger.covered for charger in verdict.chargers) == 4
    assert verdict.passed
    assert "4/5" in shown(said)


def test_measured_branches_are_compared_with_what_their_cables_lost(said: Said) -> None:
    first, second = said.plan.chargers[:2]
    said.chargers[first.id]["branch"] = {"percent": 1.05, "u": 0.05, "reason": None}
    said.chargers[second.id]["branch"] = {"percent": 3.0, "u": 0.05, "reason": "power_mismatch"}
    said.chargers[said.plan.chargers[2].id]["branch"] = None
    said.branches[said.plan.chargers[3].id] = (0, 0)
    verdict = said.verdict()
    assert [charger.branch_truth for charger in verdict.chargers] == pytest.approx([1, 1, 1, 0, 1])
    assert [charger.branch for charger in verdict.chargers] == [1.05, None, None, 0.9, 0.9]
    assert verdict.branch_deviations == pytest.approx([5, -10])
    assert verdict.branch_design == pytest.approx(100 * 7 * 60 / 220**2)  # 7 kW through 60 mOhm at 220 V
    assert verdict.design_deviations == pytest.approx([100 * (verdict.branch_design - 1)] * 4)
    text = " ".join(shown(said).split())
    assert "Branches 支路: 2/5 measured by voltage drop 由电压降测得; not 未测得: power_mismatch 1" in text
    assert "off by 偏差 rms 7.9 %, mean 平均 -2.5 %, largest 最大 10.0 %" in text
    assert "their design 设计值 by rms 13.2 %, mean 平均 -13.2 %, largest 最大 13.2 %" in text


def test_without_measured_branches_their_reasons_are_told(said: Said) -> None:
    for charger in said.chargers.values():
        charger["branch"] = {"percent": None, "u": None, "reason": "no_voltages"}
    assert "0/5 measured by voltage drop 由电压降测得; not 未测得: no_voltages 5" in shown(said)
