"""All items: a healthy meter of each protocol passes what it can do, and what it can't do is said."""

import pytest
from functions_support import DAYS, PROFILES, failed, perform

from firmware_sim.inspection.bench import Ability
from firmware_sim.inspection.functions import Expectations, function_items, laboratory_items
from firmware_sim.inspection.parts import dut
from firmware_sim.inspection.parts.fast import SetForward
from firmware_sim.inspection.parts.simulated import SimulatedBench
from firmware_sim.inspection.result import ItemResult, Verdict

IDS = [item.info.id for item in function_items()]
_BY_DATE = ("communication.freezes", "robustness.leap-day", "robustness.month-ends")
LINE = [name for name in IDS if name.startswith("robustness.line")]
SILENCE_S = 0.1  # as after a pause of the bench itself: the device has not given the octets up yet
NO_CARBON = {
    *("functions.digits", "functions.previous-day", "functions.year", "communication.factor"),
    *(f"robustness.factor-{what}" for what in ("missing", "late", "day-end", "zero", "undefined", "range", "far")),
    *("robustness.power-cut-factor", "robustness.rollover-carbon"),
}
SKIPPED = {
    "sim-carbon-meter": {"robustness.line-checks"},  # Modbus TCP has none
    "dlt698-carbon-meter": {"functions.previous-day", "functions.year", "robustness.factor-undefined"},
    "dlt645-three-phase": NO_CARBON,
}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_healthy_meter_passes_every_item_one_after_the_other(profile: str) -> None:
    names = [name for name in IDS if name not in LINE]
    expectations = Expectations(year_days=DAYS)
    said: dict[str, int] = {}

    def ask(bench: SimulatedBench) -> None:
        said.update({item.info.id: item.estimate_ms(bench) for item in function_items(expectations)})

    results = perform(*names, profile=profile, expectations=expectations, change=ask, timeout_ms=300)
    assert [(result.id, failed(result)) for result in results if failed(result)] == []
    skipped = {result.id for result in results if result.verdict is Verdict.SKIPPED}
    assert skipped == SKIPPED[profile] - set(LINE)
    assert {result.verdict for result in results} <= {Verdict.PASSED, Verdict.SKIPPED}
    assert all(result.note for result in results if result.verdict is Verdict.SKIPPED)
    for result in results:
        took = result.ended_ms - result.started_ms
        if result.verdict is Verdict.PASSED and result.id not in _BY_DATE:  # those depend on the day of the year
            assert took <= 1.2 * said[result.id] <= 1.2 * max(4 * took, 3_600_000), result.id


def test_all_365_days_are_filled_and_a_sample_says_that_it_is_one() -> None:
    result = perform("functions.year", expectations=Expectations(every_days=13))[0]
    assert (result.verdict, failed(result)) == (Verdict.PASSED, [])
    assert result.figures["days"] == "365"
    found = {step.what: step.found for step in result.steps}
    assert found == {"daily carbon": "29 right", "factor history": f"{29 * 96} right"}
    assert "every 13th day" in result.note
    assert "shortened" not in result.note
    fewer = perform("functions.year", expectations=Expectations(year_days=3))[0]
    assert "shortened: 3 of 365 days" in fewer.note


@pytest.mark.parametrize("profile", PROFILES)
def test_a_healthy_meter_stands_what_comes_on_the_line(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dut, "SILENCE_S", SILENCE_S)
    results = perform(*LINE, profile=profile)
    assert [(result.id, failed(result)) for result in results if failed(result)] == []
    assert {result.id for result in results if result.verdict is Verdict.SKIPPED} == SKIPPED[profile] & set(LINE)


def test_items_are_named_once_and_say_what_they_are() -> None:
    infos = [*(item.info for item in function_items()), *laboratory_items()]
    assert len({info.id for info in infos}) == len(infos)
    groups = {"functions": "function", "communication": "communication", "robustness": "robustness"}
    for info in infos:
        assert info.group == groups.get(info.id.partition(".")[0], "laboratory")
        assert info.title
        assert any("\u4e00" <= letter <= "\u9fff" for letter in info.title_zh)
        assert info.needs <= frozenset(Ability)
        assert (info.clause == "") == (info.group == "robustness")


def test_what_needs_a_laboratory_says_that_the_annex_is_known_in_outline_only() -> None:
    infos = laboratory_items()
    assert infos
    assert all("outline" in info.clause for info in infos)


def test_without_a_fast_way_items_of_days_are_not_looked_at_and_never_passed() -> None:
    def slow(bench: SimulatedBench) -> None:
        bench.fast = None  # as a plan with fast = false does

    names = [item.info.id for item in function_items() if Ability.FAST in item.info.needs]
    for result in perform(*names, change=slow):
        assert result.verdict is Verdict.SKIPPED, result
        assert "run forward" in result.note


@pytest.mark.parametrize(
    ("profile", "is_fast", "said"),
    [
        ("sim-carbon-meter", False, "time can't be run forward to midnight"),
        ("dlt698-carbon-meter", True, "the device shows no carbon of the previous day"),
        ("dlt645-three-phase", True, "it needs carbon, factor"),
    ],
)
def test_cuts_are_looked_at_without_the_day_s_carbon_where_that_can_not_be_told(
    profile: str, is_fast: bool, said: str
) -> None:
    def slow(bench: SimulatedBench) -> None:
        bench.fast = bench.fast if is_fast else None

    def days(result: ItemResult) -> list[str]:
        return [step.what for step in result.steps if "previous_day" in step.what]

    result = perform("robustness.power-cut", profile=profile, change=slow)[0]
    assert (result.verdict, days(result)) == (Verdict.PASSED, [])
    assert f"its cuts was not looked at: {said}" in result.note
    assert result.ended_ms - result.started_ms < 3_600_000
    told = perform("robustness.power-cut")[0]
    assert days(told) == ["carbon_forward_previous_day", "carbon_reverse_previous_day"]
    assert "not looked at" not in told.note


def set_forward(bench: SimulatedBench) -> None:
    bench.fast = SetForward(bench.time, bench.dut, bench.timezone)


def test_a_device_whose_clock_is_set_forward_passes_every_item_too_in_about_the_time_that_is_said() -> None:
    names = [name for name in IDS if name not in LINE]
    estimates: dict[str, int] = {}

    def ask(bench: SimulatedBench) -> None:
        set_forward(bench)
        expectations = Expectations(year_days=DAYS)
        estimates.update({item.info.id: item.estimate_ms(bench) for item in function_items(expectations)})

    for result in perform(*names, change=ask):
        assert (result.verdict, failed(result)) == (Verdict.PASSED, []), result.id
        took = result.ended_ms - result.started_ms
        assert took <= 1.5 * estimates[result.id] <= 1.5 * max(3 * took, 3_600_000), result.id
