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
        self.chargers = {
            charger.id: {
                "meter": charger.id,
                "error": float(charger.error_percent) + 0.1,
                "u": 0.2,
                "probability": 0.999 if charger.is_altered else 0.001,
                "decision": "flag" if charger.is_altered else "clear",
                "reason": None,
                "energy_kwh": 50.0,
            }
            for charger in plan.chargers
        }
        self.candidates = dict.fromkeys(plan.altered, "open")
        self.unacknowledged = 0

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
        return compare(self.plan, estimate, findings, {"meters": meters}, nights=nights, journal=journal)


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
