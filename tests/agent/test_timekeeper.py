"""Time that never goes back, whatever the wall clock does."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.timekeeper import CONFIRM_MS, INSIST_MS, LEAP_MS, SETTLE_MS, Timekeeper
from clock import ManualClock
from wire.records import ClockState

START = 1_767_196_800_000


def pass_time(clock: ManualClock, by_ms: int) -> None:
    """Let time pass without an event loop."""
    clock.elapsed_ms += by_ms
    clock.wall_ms += by_ms


def run(clock: ManualClock, keeper: Timekeeper, for_ms: int) -> list[int]:
    """Check every second, as the gateway does; return the times given."""
    times = []
    for _ in range(for_ms // 1000):
        pass_time(clock, 1000)
        keeper.check()
        times.append(keeper.now_ms())
    return times


def test_follows_the_wall_clock_while_it_is_steady() -> None:
    """No step, no difference."""
    clock = ManualClock(START)
    keeper = Timekeeper(clock, synchronised=lambda: True)
    assert run(clock, keeper, 60_000)[-1] == clock.wall_ms
    assert keeper.state == ClockState.SYNCHRONISED


def test_absorbs_drift() -> None:
    """A wall clock that runs 100 ppm slow or fast is followed without a step."""
    for drift in (-1, 1):
        clock, steps = ManualClock(START), list[int]()
        keeper = Timekeeper(clock, synchronised=lambda: True, on_step=steps.append)
        times = []
        for _ in range(1000):
            times += run(clock, keeper, 10_000)
            clock.step_wall(drift)
        assert abs(times[-1] - clock.wall_ms) <= 2
        assert times == sorted(times)
        assert steps == []


def test_forward_step_is_followed_when_it_lasts() -> None:
    """The event tells its size; the state is stepped until it has settled."""
    clock, steps = ManualClock(START), list[int]()
    keeper = Timekeeper(clock, synchronised=lambda: True, on_step=steps.append)
    clock.step_wall(3_600_000)
    run(clock, keeper, 1000)
    assert keeper.now_ms() == START + 1000
    assert keeper.state == ClockState.STEPPED
    run(clock, keeper, CONFIRM_MS)
    assert steps == [3_600_000]
    assert keeper.now_ms() == clock.wall_ms
    run(clock, keeper, SETTLE_MS)
    assert keeper.state == ClockState.SYNCHRONISED


def test_a_glitch_is_not_followed() -> None:
    """A wall clock that jumps and jumps back at once changes nothing."""
    clock, steps = ManualClock(START), list[int]()
    keeper = Timekeeper(clock, synchronised=lambda: True, on_step=steps.append)
    clock.step_wall(10**9)
    run(clock, keeper, 3000)
    clock.step_wall(-(10**9))
    run(clock, keeper, 60_000)
    assert steps == []
    assert keeper.now_ms() == clock.wall_ms


def test_backward_step_slows_time_until_the_wall_clock_has_caught_up() -> None:
    """No instant comes twice, and twice the step later both agree."""
    clock, steps = ManualClock(START), list[int]()
    keeper = Timekeeper(clock, synchronised=lambda: True, on_step=steps.append)
    clock.step_wall(-600_000)
    times = run(clock, keeper, CONFIRM_MS + 1000)
    assert steps == [-600_000]
    times += run(clock, keeper, 1_000_000)
    assert keeper.state == ClockState.STEPPED
    assert keeper.ahead_ms > 0
    times += run(clock, keeper, 400_000)
    assert keeper.now_ms() == clock.wall_ms
    assert all(before < after for before, after in itertools.pairwise(times))
    assert keeper.state == ClockState.SYNCHRONISED


def test_starts_after_the_last_stored_reading() -> None:
    """A gateway without a battery-backed clock wakes up in the past: time goes on where the journal stopped."""
    clock, steps = ManualClock(0), list[int]()
    keeper = Timekeeper(clock, synchronised=lambda: False, not_before_ms=START, on_step=steps.append)
    assert keeper.now_ms() == START + 1
    assert keeper.state == ClockState.STEPPED
    clock.step_wall(START + 60_000)  # a time server was reached
    run(clock, keeper, CONFIRM_MS + 1000)
    assert keeper.now_ms() == clock.wall_ms
    assert steps
    assert keeper.ahead_ms == 0


YEARS_MS = 12 * 365 * 86_400_000


@pytest.mark.parametrize("by_ms", [-YEARS_MS, YEARS_MS])
@pytest.mark.parametrize("synchronised", [False, True])
def test_years_are_jumped_over_not_caught_up_with(by_ms: int, *, synchronised: bool) -> None:
    """A corrected clock is believed soon when a time service keeps it, else when it has lasted ten minutes."""
    clock, steps, leaps = ManualClock(START), list[int](), list[int]()
    keeper = Timekeeper(clock, synchronised=lambda: synchronised, on_step=steps.append, on_leap=leaps.append)
    clock.step_wall(by_ms)
    patience = CONFIRM_MS if synchronised else INSIST_MS
    run(clock, keeper, patience)
    assert keeper.now_ms() == START + patience
    assert keeper.state == ClockState.STEPPED
    run(clock, keeper, 2000)
    assert keeper.now_ms() == clock.wall_ms
    assert steps == [by_ms]
    assert leaps == [by_ms]
    assert keeper.ahead_ms == 0
    run(clock, keeper, SETTLE_MS)
    assert keeper.state == (ClockState.SYNCHRONISED if synchronised else ClockState.UNKNOWN)


def test_a_synchronised_clock_is_believed_against_a_stored_reading_of_years_ahead() -> None:
    """The one who wrote that reading had the wrong time."""
    clock = ManualClock(START)
    keeper = Timekeeper(clock, synchronised=lambda: True, not_before_ms=START + YEARS_MS)
    assert keeper.now_ms() == START
    assert keeper.state == ClockState.STEPPED


def test_a_time_service_that_confirms_the_past_is_believed() -> None:
    """Nothing has stepped: the clock was right when the gateway woke up, and only now is it known."""
    clock, leaps, known = ManualClock(START), list[int](), [False]
    keeper = Timekeeper(clock, synchronised=lambda: known[0], not_before_ms=START + YEARS_MS, on_leap=leaps.append)
    assert keeper.doubtful
    run(clock, keeper, 60_000)
    assert keeper.now_ms() == START + YEARS_MS + 60_001
    known[0] = True
    run(clock, keeper, 1000)
    assert keeper.now_ms() == clock.wall_ms
    assert leaps == [-YEARS_MS - 1]
    assert not keeper.doubtful


def test_waking_up_years_ahead_is_doubted_until_the_clock_is_corrected_or_insists() -> None:
    """An empty battery: the correction comes with the network, and until then nothing may be dated."""
    for corrected in (False, True):
        clock, known = ManualClock(START + YEARS_MS), [False]
        keeper = Timekeeper(clock, synchronised=lambda known=known: known[0], not_before_ms=START)  # type: ignore[misc]
        run(clock, keeper, 30_000)
        assert keeper.doubtful
        assert keeper.state == ClockState.STEPPED
        if corrected:
            clock.step_wall(-YEARS_MS)
            known[0] = True
            run(clock, keeper, CONFIRM_MS)
            assert keeper.doubtful  # the time it gives is still the wrong one
            run(clock, keeper, 2000)
            assert keeper.now_ms() == clock.wall_ms < START + 60_000
        else:
            run(clock, keeper, INSIST_MS)
        assert not keeper.doubtful


def test_a_day_without_a_clock_is_not_doubted_when_a_time_service_knows() -> None:
    """A station that was off for a week."""
    clock = ManualClock(START + 7 * LEAP_MS)
    assert not Timekeeper(clock, synchronised=lambda: True, not_before_ms=START).doubtful
    assert not Timekeeper(clock, synchronised=lambda: False, not_before_ms=START + 6 * LEAP_MS).doubtful


@given(st.lists(st.tuples(st.integers(-(10**8), 10**8), st.integers(0, 100_000)), max_size=20))
def test_never_goes_back(steps: list[tuple[int, int]]) -> None:
    """Any sequence of steps and waits, as long as no difference of more than a day comes of it."""
    clock, leaps = ManualClock(START), list[int]()
    keeper = Timekeeper(clock, synchronised=lambda: True, on_leap=leaps.append)
    last = keeper.now_ms()
    for step, wait in steps:
        clock.step_wall(step)
        for part in (wait // 3, wait // 3, 20_000):
            pass_time(clock, part)
            keeper.check()
            assert keeper.now_ms() >= last or (leaps and leaps.pop() < -LEAP_MS)
            last = keeper.now_ms()
