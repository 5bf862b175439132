"""Each item fails the firmware that does what it looks for wrongly, in that step, and others find nothing."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import wrong_firmware as wrong
from functions_support import failed, perform

from firmware_sim.inspection.functions import Expectations, function_items
from firmware_sim.inspection.parts import dut
from firmware_sim.inspection.result import Verdict
from firmware_sim.meter import Meter

WAYS = ("forward", "reverse")
CLOCK = (
    "set on by 3 min within its slot",
    "set back by 4 min within its slot",
    "set on over the start of the next slot",
    "set back to the slot before",
)
CASES: dict[str, tuple[dict[str, Any], set[str] | frozenset[str]]] = {
    "functions.digits": (
        {"firmware": wrong.WholeKilograms},
        {f"{minutes} min on: carbon_forward gained" for minutes in (1, 3, 7)},
    ),
    "functions.directions": (
        {"firmware": wrong.AddsReverse},
        {
            f"{what}: carbon_forward gained"
            for what in ("2: 20 min in reverse", "3: 5 min forward", "4: 1 min in reverse")
        },
    ),
    "functions.previous-day": (
        {"firmware": wrong.SwapsDays},
        {f"day {day}: carbon_{way}_previous_day" for day in (1, 2) for way in ("forward", "reverse")},
    ),
    "functions.daily-freezes": ({"firmware": wrong.OldestFirst}, {"daily_freezes"}),
    "functions.monthly-freezes": ({"firmware": wrong.ElevenMonths}, {"monthly_freezes"}),
    "functions.year": ({"firmware": wrong.DayStampedAtItsEnd}, {"daily carbon"}),
    "communication.factor": (
        {"firmware": wrong.MinuteLate},
        {"the carbon of each slot"},
    ),
    "communication.freezes": (
        {"firmware": wrong.EachReadMovesOn},
        {f"{table}_freezes, read twice" for table in ("daily", "monthly")},
    ),
    "robustness.factor-missing": (
        {"firmware": wrong.ForgetsHeld},
        {f"in slot {slot} without{what}" for slot in (1, 2) for what in ("", ": carbon_forward gained")},
    ),
    "robustness.factor-late": (
        {"firmware": wrong.LatestSentHolds},
        {"when one comes for the slot that is over", "5 min later: carbon_forward gained"},
    ),
    "robustness.factor-day-end": (
        {"firmware": wrong.NinetyFiveSlots},
        {
            *(
                "in the last slot",
                "at the end of the day",
                "the day's freeze",
                "in the last slot: carbon_forward gained",
            ),
            *(
                f"{what}: carbon_{way} gained"
                for what in ("at the end of the day", "in the first slot")
                for way in WAYS
            ),
        },
    ),
    "robustness.factor-zero": (
        {"firmware": wrong.ZeroIsNothing},
        {"when it is given", "with it: carbon_forward gained", "after it: carbon_forward gained"},
    ),
    "robustness.factor-undefined": (
        {"firmware": wrong.UndefinedIsAverage},
        {"when it is given", "with it: carbon_forward gained", "after it: carbon_forward gained"},
    ),
    "robustness.factor-range": (
        {"firmware": wrong.Clamps},
        {"the factor in force", "with it, or without: carbon_forward gained", "after it: carbon_forward gained"},
    ),
    "robustness.factor-far": (
        {"firmware": wrong.SwallowsFar},
        {"a factor of the far past", "a factor of the far future"},
    ),
    "robustness.power-cut": (
        {"firmware": wrong.GainsAtRestore},
        {
            f"{what}: energy_forward gained"
            for what in ("after 10 min in the dark", "a minute later", "after 3 short cuts")
        },
    ),
    "robustness.power-cut-midnight": ({"firmware": wrong.FreezesAgainAtRestore}, {"the freeze of the day before"}),
    "robustness.power-cut-factor": (
        {"firmware": wrong.TearsFactor},
        {
            *(
                f"cut {n} during a write: the factor {what}"
                for n in (1, 2)
                for what in ("shown", "that the carbon tells of")
            ),
            "a factor that was confirmed just before the cut",
            "with the factor that was confirmed: carbon_forward gained",
        },
    ),
    "robustness.clock-forward": (
        {"firmware": wrong.StampsWhenSet},
        {"the freeze of the midnight that was left out", "the one before it"},
    ),
    "robustness.clock-backward": (
        {"firmware": wrong.DropsNewest},
        {"the freeze when midnight was passed again", "the freeze before it", "the one before it"},
    ),
    "robustness.clock-slot": (
        {"firmware": wrong.ForgetsFactors},
        {
            *(f"the factor when the clock was {what}" for what in CLOCK),
            *(f"a minute after the clock was {what}: carbon_forward gained" for what in CLOCK),
        },
    ),
    "robustness.local-midnight": (
        {"adjust": lambda settings: replace(settings, timezone="Asia/Tokyo")},
        {"daily freeze at the midnight of Asia/Shanghai"},
    ),
    "robustness.month-ends": (
        {"firmware": wrong.ThirtyFirstUnknown},
        {"31 days: monthly freeze"},
    ),
    "robustness.leap-day": ({"firmware": wrong.LeapDayUnknown}, {"daily freeze after 28 February"}),
    "robustness.line-garbage": ({"faces": wrong.Deaf, "timeout_ms": 300}, {"after garbage 1"}),
    "robustness.line-truncated": (
        {"faces": wrong.Deaf, "timeout_ms": 300},
        {"after the first 11 of 12 octets of a request"},
    ),
    "robustness.line-foreign": (
        {"faces": wrong.Promiscuous},
        {"the factor after all of them", "after all of them: carbon_forward gained"},
    ),
    "robustness.line-checks": (
        {"faces": wrong.Unchecked, "transport": "tcp"},
        {"the factor after all of them", "after all of them: carbon_forward gained"},
    ),
    "robustness.rollover-energy": (
        {"firmware": wrong.Stops},
        frozenset({"energy_forward starts again", "energy_reverse starts again"}),
    ),
    "robustness.rollover-carbon": (
        {"firmware": wrong.Stops},
        frozenset({"carbon_forward starts again", "carbon_reverse starts again", "the day's freeze"}),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_item_fails_the_firmware_that_is_wrong_in_what_it_looks_at(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dut, "SILENCE_S", 0.1)
    keys, steps = CASES[name]
    result = perform(name, **keys)[0]
    assert result.verdict is Verdict.FAILED
    found = set(failed(result))
    # At a rollover much else follows from it: these are among what fails.
    assert steps <= found if isinstance(steps, frozenset) else steps == found


@pytest.mark.parametrize(
    ("keys", "step"),
    [
        ({"firmware": wrong.UndefinedStoredAsZero}, "factor history"),
        ({"firmware": wrong.TruncatesEachSlot}, "daily carbon"),
    ],
)
def test_the_year_finds_wrong_factors_and_lost_carbon(keys: dict[str, Any], step: str) -> None:
    assert failed(perform("functions.year", **keys)[0]) == [step]


def test_a_clock_that_stands_in_the_dark_fails_and_is_no_fault_of_the_bench() -> None:
    for profile in ("sim-carbon-meter", "dlt698-carbon-meter"):
        result = perform("robustness.power-cut", firmware=wrong.ClockStands, profile=profile)[0]
        assert result.verdict is Verdict.FAILED
        assert failed(result)[0] == "the clock after 10 min in the dark"


def test_digits_that_the_profile_does_not_show_are_missed() -> None:
    coarse = {"carbon_scale": Decimal("0.1")}
    result = perform("functions.digits", profile="dlt698-carbon-meter", parameters=coarse)[0]
    ways = ("forward", "reverse")
    assert failed(result) == [f"carbon_{way} in kg is shown with its digits" for way in ways]
    fewer = Expectations(carbon_decimals=1)
    result = perform("functions.digits", profile="dlt698-carbon-meter", parameters=coarse, expectations=fewer)[0]
    assert result.verdict is Verdict.PASSED


def test_a_maker_s_bound_of_factors_is_asked_for() -> None:
    bounded = Expectations(largest_factor_mg=20_000_000)
    assert failed(perform("robustness.factor-range", expectations=bounded)[0]) == ["a factor of 20000100 mg/kWh"]

    class Bounded(Meter):
        def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
            if factor is not None and factor > 20_000_000:
                raise ValueError("too large")
            super().receive_factor(now_ms, slot_start_ms, factor)

    for expectations in (bounded, None):
        result = perform("robustness.factor-range", firmware=Bounded, expectations=expectations)[0]
        assert result.verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("expectations", "verdict"),
    [
        (Expectations(missing="held"), Verdict.FAILED),
        (Expectations(missing="default", default_mg=0), Verdict.FAILED),  # the device says that it holds the last
        (Expectations(missing="undefined"), Verdict.FAILED),
    ],
)
def test_what_a_missing_factor_does_is_a_setting(expectations: Expectations, verdict: Verdict) -> None:
    assert (
        perform("robustness.factor-missing", firmware=wrong.ForgetsHeld, expectations=expectations)[0].verdict
        is verdict
    )
    healthy = perform("robustness.factor-missing", expectations=expectations)[0]
    assert (healthy.verdict is Verdict.PASSED) == (expectations.missing == "held")


def test_undefined_after_a_slot_passes_where_the_maker_says_so() -> None:
    said = Expectations(missing="undefined")
    assert (
        perform("robustness.factor-missing", firmware=wrong.OwnSlotOnly, expectations=said)[0].verdict is Verdict.PASSED
    )


def test_every_item_has_its_firmware() -> None:
    assert set(CASES) == {item.info.id for item in function_items()}
