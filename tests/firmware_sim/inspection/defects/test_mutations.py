"""Seeded defects: each is caught by its item, and the healthy meter passes that item under the same conditions."""

from dataclasses import replace

import pytest

from firmware_sim.inspection.defects import mutations
from firmware_sim.inspection.defects.catalogue import ALL, UnknownDefectError, chosen
from firmware_sim.inspection.defects.defect import Conditions, Defect
from firmware_sim.inspection.defects.mutations import MutationRun, mutate
from firmware_sim.inspection.defects.trial import Finding, Trial, every_item, tried
from firmware_sim.inspection.result import Verdict

ASKED = list(dict.fromkeys((defect.caught_by, defect.conditions) for defect in ALL))


@pytest.mark.parametrize("defect", ALL, ids=lambda defect: defect.id)
def test_a_defect_is_caught_by_its_item(defect: Defect) -> None:
    (found,) = tried(Trial(defect.id, (defect.caught_by,), defect.conditions))
    assert found.verdict is Verdict.FAILED, found
    assert found.why


@pytest.mark.parametrize(
    ("item", "conditions"), ASKED, ids=[f"{item}-{number}" for number, (item, _) in enumerate(ASKED, 1)]
)
def test_the_healthy_meter_passes_that_item_under_the_same_conditions(item: str, conditions: Conditions) -> None:
    (found,) = tried(Trial(None, (item,), conditions))
    assert found.verdict is Verdict.PASSED, found


def test_there_are_enough_of_them_each_told_in_both_languages() -> None:
    assert len(ALL) >= 30
    assert len({defect.id for defect in ALL}) == len(ALL)
    assert {defect.caught_by for defect in ALL} <= {item.info.id for item in every_item()}
    for defect in ALL:
        assert defect.title.isascii()
        assert any("\u4e00" <= letter <= "\u9fff" for letter in defect.title_zh)
        assert defect.mistake.endswith(".")


def test_every_item_has_a_defect_that_it_must_catch() -> None:
    assert {item.info.id for item in every_item()} - {defect.caught_by for defect in ALL} == set()


def test_defects_are_chosen_by_id() -> None:
    assert chosen([]) == list(ALL)
    assert [defect.id for defect in chosen(["creep", "gain"])] == ["creep", "gain"]
    with pytest.raises(UnknownDefectError, match="no defect 'gian'; there are gain, "):
        chosen(["gian"])


def test_the_healthy_meter_is_tried_once_for_each_conditions_and_item() -> None:
    told: list[tuple[Trial, int, int]] = []
    defects = chosen(["gain", "offset", "creep", "phase-shift"])
    run = mutate(defects, tell=lambda *progress: told.append(progress))
    assert run.is_good
    assert [[found.item for found in one.findings] for one in run.healthy] == [
        ["metering.electricity", "metering.no-load"],
        ["metering.electricity"],
    ]
    assert [(done, of) for _, done, of in told] == [(number, 7) for number in range(1, 8)]
    assert [mutation.defect.id for mutation in run.mutations] == [defect.id for defect in defects]


def test_worker_processes_find_the_same() -> None:
    defects = chosen(["gain", "creep"])
    assert mutate(defects, jobs=2) == mutate(defects)


def test_with_every_item_all_that_fail_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    few = [item for item in every_item() if item.info.id in ("metering.starting", "metering.no-load", "metering.clock")]
    monkeypatch.setattr(mutations, "every_item", lambda: few)
    run = mutate(chosen(["starting-threshold"]), every=True)
    (mutation,) = run.mutations
    assert mutation.is_caught
    assert mutation.caught_by == ("metering.starting",)
    assert {found.item for found in mutation.findings} == {item.info.id for item in few}


def test_a_defect_that_is_none_is_not_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    harmless = replace(ALL[0], adjust=lambda settings: settings)
    monkeypatch.setattr("firmware_sim.inspection.defects.trial.BY_ID", {harmless.id: harmless})
    run = mutate([harmless])
    assert not run.healthy[0].bad
    assert not run.mutations[0].is_caught
    assert not run.is_good


@pytest.mark.parametrize("verdict", [Verdict.ERROR, Verdict.SKIPPED, Verdict.NOT_PERFORMED, Verdict.PASSED])
def test_only_a_failed_item_has_caught_anything(verdict: Verdict) -> None:
    defect = ALL[0]
    found = Finding(defect.caught_by, verdict, "")
    assert not mutations.Mutation(defect, (found,)).is_caught
    other = Finding("another", Verdict.FAILED, "")
    caught_by_another = mutations.Mutation(defect, (found, other))
    assert caught_by_another.caught_by == ("another",)
    assert not caught_by_another.is_caught
    assert mutations.Mutation(defect, (replace(found, verdict=Verdict.FAILED),)).is_caught


@pytest.mark.parametrize("verdict", [Verdict.ERROR, Verdict.SKIPPED, Verdict.FAILED])
def test_a_healthy_meter_that_does_not_pass_spoils_the_run(verdict: Verdict) -> None:
    defect = ALL[0]
    caught = mutations.Mutation(defect, (Finding(defect.caught_by, Verdict.FAILED, ""),))
    findings = (Finding(defect.caught_by, verdict, ""),)
    healthy = mutations.Baseline(defect.conditions, frozenset({defect.caught_by}), findings)
    assert healthy.bad == findings
    assert not MutationRun((healthy,), (caught,)).is_good


@pytest.mark.parametrize(
    ("verdict", "good"),
    [(Verdict.PASSED, True), (Verdict.SKIPPED, True), (Verdict.FAILED, False), (Verdict.ERROR, False)],
)
def test_an_item_that_need_not_catch_anything_may_be_skipped(verdict: Verdict, *, good: bool) -> None:
    healthy = mutations.Baseline(Conditions(), frozenset({"another"}), (Finding("this", verdict, ""),))
    assert MutationRun((healthy,), ()).is_good == good
