"""The Python face of error estimation: what it takes, what it says, and what hostile input gets for an answer."""

import math
import random
from array import array
from typing import Any

import numpy as np
import pytest

from diantan_core import (
    CoreError,
    ErrorAccumulator,
    ErrorCharger,
    ErrorEstimation,
    ErrorEstimator,
    ErrorWindows,
    EstimationError,
)

QUARTER = 900_000
START = 1_767_196_800_000
ERRORS = [0.002, -0.001, 0.04, 0.0]
COUNT = 10 * 96


def _registers(seed: int = 1, errors: list[float] | None = None) -> tuple[list[int], list[float], list[list[float]]]:
    """Return times and cumulative registers of a station whose chargers work in whole windows."""
    dice = random.Random(seed)
    errors = ERRORS if errors is None else errors
    left = [0] * len(errors)
    kw = [0.0] * len(errors)
    times, master, chargers = [START], [0.0], [[0.0] for _ in errors]
    true, shown = 0.0, [0.0] * len(errors)
    for row in range(1, COUNT + 1):
        true += 0.125
        for number, error in enumerate(errors):
            if left[number] == 0 and dice.random() < 0.08:
                left[number], kw[number] = dice.randint(2, 4), dice.uniform(25, 58)
            if left[number]:
                left[number] -= 1
                kwh = kw[number] / 4
                true += kwh * (1 + 1e-4 * kw[number])
                shown[number] += kwh * (1 + error)
            chargers[number].append(math.floor(shown[number] * 100) / 100)
        times.append(START + row * QUARTER)
        master.append(math.floor(true * 100) / 100)
    return times, master, chargers


def _windows(rows: slice = slice(None), **changes: Any) -> ErrorWindows:
    times, master, chargers = _registers(**changes)
    return ErrorWindows.from_registers(times[rows], master[rows], [column[rows] for column in chargers])


def _estimator(count: int = 4, **settings: Any) -> ErrorEstimator:
    return ErrorEstimator([ErrorCharger(branch_loss=1e-4) for _ in range(count)], trunk_loss=1e-5, **settings)


def _key(estimation: ErrorEstimation) -> list[tuple[float, float, float]]:
    return [(one.error, one.u, one.probability) for one in estimation.chargers]


def test_an_altered_charger_is_flagged_and_no_other() -> None:
    estimation = _estimator().estimate(_windows())
    assert [one.decision for one in estimation.chargers] == ["clear", "clear", "flag", "clear"]
    assert [one.reason for one in estimation.chargers] == [None] * 4
    for one, error in zip(estimation.chargers, ERRORS, strict=True):
        assert abs(one.error - error) < 3 * one.u < 0.01
        assert one.u**2 == pytest.approx(one.u_own**2 + one.u_common**2)
        assert one.u_common <= 1.2 * estimation.u_common
        assert 0.5 < one.identified < 1
        assert one.offset_s is not None
        assert abs(one.offset_s[0]) < 3 * one.offset_s[1] + 5
        assert one.branch_loss[0] == pytest.approx(1e-4, rel=0.6)
        assert (one.energy_kwh > 500, one.active_windows > 50, one.excluded_windows) == (True, True, 0)
    assert [one.charger for one in estimation.chargers] == [0, 1, 2, 3]
    assert estimation.chargers[2].altered > 0.99
    assert estimation.chargers[0].altered < 0.2
    assert (estimation.findings, estimation.earlier) == ([], [])
    load, load_u = estimation.fixed_load_kw
    assert abs(load - 0.5) < max(4 * load_u, 0.01)
    assert (estimation.windows, estimation.hours) == (COUNT, COUNT / 4)
    assert estimation.span_ms == (START, START + COUNT * QUARTER)
    assert estimation.excluded == {"no_number": 0, "decreasing": 0, "too_much": 0}
    assert estimation.master_kwh > estimation.energy_kwh - 100
    assert (estimation.standby_kw, estimation.conversion) == (None, None)
    assert estimation.night_load_kw is not None
    assert "1 of 4 chargers flagged" in repr(estimation)
    shown = repr(estimation.chargers[2])
    assert shown.startswith("<ErrorEstimate: charger 2, +")
    assert shown.endswith(" %, flag>")


def test_residuals_are_columns() -> None:
    estimation = _estimator().estimate(_windows())
    starts, ends, plain, whitened, weight = estimation.residuals
    assert starts == [START + row * QUARTER for row in range(COUNT)]
    assert ends == [start + QUARTER for start in starts]
    assert len(plain) == len(whitened) == len(weight) == COUNT
    assert 0.5 < sum(value * value for value in whitened) / COUNT < 2
    assert max(weight) == 1.0
    assert estimation.chi_square == pytest.approx(1, abs=0.5)
    assert estimation.scale >= 1.0


@pytest.mark.parametrize("make", [list, tuple, lambda v: array("d", v), lambda v: np.array(v, dtype=np.float64)])
def test_columns_of_several_makes(make: Any) -> None:
    times, master, chargers = _registers()
    at = array("q", times) if make is not list else times
    windows = ErrorWindows.from_registers(at, make(master), [make(column) for column in chargers])
    assert _key(_estimator().estimate(windows)) == _key(_estimator().estimate(_windows()))


def test_a_missing_reading_makes_its_window_longer() -> None:
    times, master, chargers = _registers()
    full = ErrorWindows.from_registers(times, master, chargers)
    broken: list[float | None] = list(chargers[1])
    broken[5], broken[6] = None, math.nan
    windows = ErrorWindows.from_registers(times, master, [chargers[0], broken, *chargers[2:]])
    assert len(windows) == len(full) - 2
    assert (windows.starts_ms[4], windows.ends_ms[4]) == (times[4], times[7])
    assert windows.energies_kwh(4) == pytest.approx([column[7] - column[4] for column in chargers])
    assert windows.master_kwh[4] == pytest.approx(master[7] - master[4])
    assert windows.chargers == 4
    for beyond in (958, -1):
        with pytest.raises(IndexError, match=f"window {beyond} of 958"):
            windows.energies_kwh(beyond)


def test_what_is_no_number_is_named_by_its_column() -> None:
    bad: Any = ["a"]
    with pytest.raises(TypeError, match="energies_kwh 1: must be real number, not str"):
        ErrorWindows.from_energies([0, QUARTER], [1.0], [[1.0], bad])
    with pytest.raises(TypeError, match="master_kwh: "):
        ErrorWindows.from_registers([0, QUARTER], bad, [[1.0, 2.0]])
    with pytest.raises(OverflowError, match="boundaries_ms: "):
        ErrorWindows.from_energies([0, 2**63], [1.0], [[1.0]])


def test_days_are_added_to_the_bit() -> None:
    estimator = _estimator()
    full = estimator.estimate(_windows())
    daily = estimator.begin(full)
    assert daily.end_ms is None
    for day in range(10):
        daily.push(_windows(slice(day * 96, (day + 1) * 96 + 1)))
        daily = estimator.restore(daily.state)
    assert isinstance(daily, ErrorAccumulator)
    assert daily.end_ms == START + COUNT * QUARTER
    assert _key(daily.estimate()) == _key(full)
    assert daily.estimate().residuals == ([], [], [], [], [])
    with pytest.raises(EstimationError, match=r"window 0: .* is not after"):
        daily.push(_windows(slice(0, 97)))


def test_windows_are_appended() -> None:
    whole = _windows(slice(0, 481))
    whole.append(_windows(slice(480, None)))
    assert _key(_estimator().estimate(whole)) == _key(_estimator().estimate(_windows()))
    with pytest.raises(EstimationError, match="window 0"):
        whole.append(_windows(slice(0, 10)))


def test_the_hours_of_the_day_have_loads_of_their_own() -> None:
    times, master, chargers = _registers()
    lit = [0.0]
    for time_ms in times[:-1]:
        lit.append(lit[-1] + (0.5 if time_ms // 3_600_000 % 24 in {13, 14} else 0.0))
    windows = ErrorWindows.from_registers(times, [kwh + own for kwh, own in zip(master, lit, strict=True)], chargers)
    estimation = _estimator().estimate(windows)
    assert len(estimation.load_profile_kw) == 24
    for hour, (kw, u) in enumerate(estimation.load_profile_kw):
        assert kw == pytest.approx(2.5 if hour in {13, 14} else 0.5, abs=max(5 * u, 0.02))
    assert _estimator(profile_kw=0.0).estimate(windows).load_profile_kw == []
    assert estimation.floor_kwh >= 0.001


def test_sessions_say_when_a_charger_was_active() -> None:
    energies = [[0.0, 5.0, 0.0]]
    times = [START + row * QUARTER for row in range(4)]
    spans = [[(START + QUARTER + 300_000, START + QUARTER + 600_000)]]
    windows = ErrorWindows.from_energies(times, [0.1, 5.2, 0.1], energies, sessions_ms=spans)
    assert len(windows) == 3
    with pytest.raises(EstimationError, match="sessions_ms: expected those of 1 chargers, got 2"):
        ErrorWindows.from_energies(times, [0.1, 5.2, 0.1], energies, sessions_ms=[[], []])
    with pytest.raises(EstimationError, match="charger 0: session 0"):
        ErrorWindows.from_energies(times, [0.1, 5.2, 0.1], energies, sessions_ms=[[(5, 5)]])


def test_sessions_are_told_of_some_chargers_or_at_times() -> None:
    times = [START + row * QUARTER for row in range(4)]
    spans = [(times[0], times[1])]

    def outside(sessions_ms: Any, told_ms: Any = None) -> list[list[int]]:
        columns = [[2.0, 5.0, 1.0]] * 2
        windows = ErrorWindows.from_energies(times, [4.0, 10.0, 2.0], columns, sessions_ms=sessions_ms, told_ms=told_ms)
        return [about for name, about, *_ in _estimator(2).estimate(windows).findings if name == "outside_sessions"]

    assert outside([spans, None]) == [[0]]
    assert outside([None, spans]) == [[1]]
    assert outside([spans, spans], [None, [(times[0], times[1])]]) == [[0]]
    assert outside([spans, spans], [[], []]) == []
    with pytest.raises(EstimationError, match="told_ms: charger 1 has none in sessions_ms"):
        outside([spans, None], [None, spans])
    with pytest.raises(EstimationError, match="told_ms: expected those of 2 chargers, got 1"):
        outside([spans, None], [None])
    with pytest.raises(EstimationError, match="charger 0: told span 0"):
        outside([spans, None], [[(5, 5)], None])
    registers = [[0.0, 2.0, 7.0, 8.0]]
    windows = ErrorWindows.from_registers(
        times, registers[0], registers, sessions_ms=[spans], told_ms=[[(times[0], times[3])]]
    )
    assert "outside_sessions" in [name for name, *_ in _estimator(1).estimate(windows).findings]


def test_a_verified_charger_and_a_certificate_lower_what_is_common() -> None:
    plain = _estimator().estimate(_windows())
    certified = _estimator(gain=(0.0, 0.0003)).estimate(_windows())
    chargers = [ErrorCharger(branch_loss=1e-4, verified=(ERRORS[0], 0.0005)), *[ErrorCharger(branch_loss=1e-4)] * 3]
    anchored = ErrorEstimator(chargers, trunk_loss=1e-5).estimate(_windows())
    assert certified.u_common < 0.7 * plain.u_common
    assert anchored.u_common < 0.7 * plain.u_common
    assert repr(chargers[0]) == "<ErrorCharger: class limit 0.02, verified 0.002 ± 0.0005>"


def test_a_wrong_transformer_ratio_is_named() -> None:
    times, master, chargers = _registers()
    windows = ErrorWindows.from_registers(times, [2 * kwh for kwh in master], chargers)
    estimation = _estimator().estimate(windows)
    [(name, about, numbers, blocks)] = [found for found in estimation.findings if found[0] == "gain"]
    assert (name, about, blocks) == ("gain", [], True)
    assert numbers["ratio"] == pytest.approx(2.0, abs=0.1)
    assert {(one.decision, one.reason) for one in estimation.chargers} == {("undetermined", "station")}


def test_a_charger_the_master_does_not_see_is_named() -> None:
    times, master, chargers = _registers()
    hidden = [kwh - own / (1 + ERRORS[1]) for kwh, own in zip(master, chargers[1], strict=True)]
    estimation = _estimator().estimate(ErrorWindows.from_registers(times, hidden, chargers))
    [(_, about, numbers, blocks)] = [found for found in estimation.findings if found[0] == "implausible"]
    assert (about, numbers["suspicion"], blocks) == ([1], "not_behind_master", False)
    assert estimation.chargers[1].reason == "implausible"
    assert estimation.chargers[2].decision == "flag"


def test_an_exchanged_meter_has_two_estimates() -> None:
    chargers = [ErrorCharger(branch_loss=1e-4, from_ms=START + 480 * QUARTER if n == 2 else None) for n in range(4)]
    estimation = ErrorEstimator(chargers, trunk_loss=1e-5).estimate(_windows())
    [before] = estimation.earlier
    assert (before.charger, before.decision, before.offset_s) == (2, "flag", None)
    assert estimation.chargers[2].decision == "flag"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sound_sd": 0.0}, "sound_sd = 0: expected more than 0"),
        ({"white": math.nan}, "white = NaN"),
        ({"gain": (0.9, 0.1)}, "gain = 0.9: expected -0.5 to 0.5"),
        ({"profile_kw": -1.0}, "profile_kw = -1: expected 0 to 1e6"),
        ({"rounds": 0}, "rounds = 0: expected 1 to 100"),
        ({"night": (2000, 0, 0, (0.0, 1.0))}, "night from_minute = 2000: expected 0 to 1439"),
        ({"night": (0, 0, -2000, (0.0, 1.0))}, "night utc_offset_minutes = -2000: expected -1440 to 1440"),
        ({"strange_share": 1.5}, "strange_share = 1.5: expected 0 to less than 1"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(EstimationError, match=message):
        _estimator(**settings)


def test_what_does_not_fit_is_refused() -> None:
    times, master, chargers = _registers()
    assert issubclass(EstimationError, CoreError)
    with pytest.raises(EstimationError, match="chargers = 0: expected at least one"):
        ErrorEstimator([])
    with pytest.raises(EstimationError, match="charger 0: class_limit = 0"):
        ErrorEstimator([ErrorCharger(class_limit=0.0)])
    with pytest.raises(EstimationError, match="chargers: expected 3 values, got 4"):
        _estimator(3).estimate(_windows())
    with pytest.raises(EstimationError, match="master_kwh: expected 961 values, got 960"):
        ErrorWindows.from_registers(times, master[1:], chargers)
    with pytest.raises(EstimationError, match=r"time 1: .* is not after"):
        ErrorWindows.from_registers(times[::-1], master, chargers)
    wrong: list[Any] = [array("f", [1.0]), array("q", [1]), b"12345678", np.zeros((2, 2)), np.array([1.0], dtype=">f8")]
    for bad in wrong:
        with pytest.raises(EstimationError, match="master_kwh: expected one dimension of 64-bit numbers"):
            ErrorWindows.from_energies([0, 1], bad, [])
    with pytest.raises(TypeError):
        ErrorWindows.from_energies([0, 1], ["x"], [])  # type: ignore[list-item]  # that it is refused is the test
    for state in (b"", b"DTE1", bytes(1000)):
        with pytest.raises(EstimationError, match="not a state"):
            _estimator().restore(state)


def test_no_windows_say_nothing() -> None:
    estimation = _estimator().estimate(ErrorWindows.from_registers([], [], [[], [], [], []]))
    assert [one.reason for one in estimation.chargers] == ["never_charged"] * 4
    assert [name for name, *_ in estimation.findings] == ["few_windows", *["never_charged"] * 4]
    assert estimation.span_ms is None
