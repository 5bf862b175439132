"""The clocks: what they agree on, and how a specification names them."""

import asyncio
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clock import Clock, ManualClock, SimulatedClock, SteppedClock, SystemClock, from_spec


def test_the_system_clock_is_the_systems() -> None:
    clock = SystemClock()
    before = time.time_ns() // 1_000_000
    assert before <= clock.now_ms() <= time.time_ns() // 1_000_000
    assert clock.monotonic_ms() <= clock.monotonic_ms()
    assert clock.to_real_seconds(1500) == 1.5
    asyncio.run(clock.sleep_ms(-5))


@given(st.integers(0, 2**50), st.integers(1, 100_000), st.integers(0, 2**40), st.none() | st.integers(0, 2**50))
def test_a_simulated_clocks_specification_names_it(
    origin_ms: int, speed: int, anchor_ms: int, until_ms: int | None
) -> None:
    clock = SimulatedClock(origin_ms, speed, anchor_ms, until_ms)
    assert from_spec(clock.spec()) == clock


def test_two_simulated_clocks_of_one_specification_agree() -> None:
    anchor_ms = time.monotonic_ns() // 1_000_000 - 1000
    first = SimulatedClock(1_790_000_000_000, 960, anchor_ms)
    second = from_spec(first.spec())
    readings = [first.now_ms(), second.now_ms(), first.now_ms(), second.monotonic_ms()]
    assert readings == sorted(readings)
    assert readings[0] >= 1_790_000_000_000 + 960 * 1000


def test_a_simulated_clock_stands_still_before_its_anchor() -> None:
    clock = SimulatedClock(5, 960, time.monotonic_ns() // 1_000_000 + 3_600_000)
    assert clock.now_ms() == clock.monotonic_ms() == 5


def test_simulated_durations_are_shorter_by_the_speed() -> None:
    clock = SimulatedClock(0, 960, 0)
    assert clock.to_real_seconds(960_000) == 1.0
    asyncio.run(clock.sleep_ms(1))
    asyncio.run(clock.sleep_ms(-1))


def test_a_simulated_clock_slows_down_where_it_is_told_to() -> None:
    now_ms = time.monotonic_ns() // 1_000_000
    clock = SimulatedClock(0, 1000, now_ms - 3_600_000, until_ms=600_000)  # an hour ago; 600 s took 0.6 s
    assert 600_000 + 3_599_400 <= clock.now_ms() <= 600_000 + 3_599_400 + 60_000
    assert clock.to_real_seconds(2000) == 2.0
    ahead = SimulatedClock(0, 1000, now_ms + 3_600_000, until_ms=600_000)
    assert ahead.to_real_seconds(600_000) == 0.6
    assert ahead.to_real_seconds(601_000) == 1.6
    assert ahead.from_real_seconds(0.5) == 500_000
    assert ahead.from_real_seconds(1.6) == 601_000
    assert clock.from_real_seconds(2) == 2000


@pytest.mark.parametrize(
    "spec",
    [
        *("", "sytem", "simulated", "simulated:1:2", "simulated:1:2:3:4:5", "simulated:a:2:3", "system:1"),
        *("stepped", "stepped:", "stepped::system", "stepped:file", "stepped:file:", "stepped:a:stepped:b:system"),
    ],
)
def test_a_wrong_specification_is_named(spec: str) -> None:
    with pytest.raises(ValueError, match="clock: "):
        from_spec(spec)


def test_the_speed_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="speed must be at least 1, got 0"):
        from_spec("simulated:0:0:0")


def test_the_system_clock_has_a_specification() -> None:
    clock: Clock = from_spec("system")
    assert isinstance(clock, SystemClock)


@pytest.mark.parametrize("inner", [SystemClock(), SimulatedClock(5, 960, 7), SimulatedClock(5, 960, 7, 9)])
def test_a_stepped_clock_is_wrong_by_what_its_file_says(
    inner: SystemClock | SimulatedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic_ns", lambda: 1_000_000_000)
    monkeypatch.setattr(time, "time_ns", lambda: 2_000_000_000)
    clock = SteppedClock(inner, tmp_path / "ahead")
    twin = from_spec(clock.spec())
    assert (twin.now_ms(), twin.monotonic_ms()) == (inner.now_ms(), inner.monotonic_ms())
    for ahead_ms in (7_200_000, -3_600_000, 0):
        clock.set_ahead(ahead_ms)
        # In the middle of the run of whoever has it, and without any time passing.
        assert twin.now_ms() == clock.now_ms() == inner.now_ms() + ahead_ms
        assert twin.monotonic_ms() == inner.monotonic_ms()
    (tmp_path / "ahead").write_text("soon")
    assert twin.now_ms() == inner.now_ms()
    assert twin.to_real_seconds(1920) == inner.to_real_seconds(1920)
    assert twin.from_real_seconds(2) == inner.from_real_seconds(2)
    asyncio.run(twin.sleep_ms(0))


def test_a_manual_clock_wakes_sleepers_in_the_order_of_their_deadlines() -> None:
    async def test() -> None:
        clock = ManualClock(wall_ms=1000)
        woken: list[tuple[str, int]] = []

        async def sleeper(name: str, duration_ms: int, times: int = 1) -> None:
            for _ in range(times):
                await clock.sleep_ms(duration_ms)
                woken.append((name, clock.monotonic_ms()))

        tasks = [
            asyncio.create_task(sleeper("late", 30)),
            asyncio.create_task(sleeper("often", 10, times=4)),
            asyncio.create_task(sleeper("same", 30)),
        ]
        await asyncio.sleep(0)
        await clock.advance(30)
        assert woken == [("often", 10), ("often", 20), ("late", 30), ("same", 30), ("often", 30)]
        assert (clock.now_ms(), clock.monotonic_ms()) == (1030, 30)
        await clock.advance(9)
        assert len(woken) == 5
        await clock.advance(1)
        assert woken[-1] == ("often", 40)
        await asyncio.gather(*tasks)

    asyncio.run(test())


def test_a_sleeper_that_was_cancelled_is_passed_over() -> None:
    async def test() -> None:
        clock = ManualClock()
        task = asyncio.create_task(clock.sleep_ms(10))
        await asyncio.sleep(0)
        task.cancel()
        await clock.advance(20)
        assert task.cancelled()
        assert clock.monotonic_ms() == 20

    asyncio.run(test())


def test_a_sleep_of_less_than_a_millisecond_lets_time_pass() -> None:
    clock, woken = ManualClock(), []

    async def doze() -> None:
        for _ in range(100):
            await clock.sleep_ms(0.4)
            woken.append(clock.monotonic_ms())

    async def scenario() -> None:
        task = asyncio.create_task(doze())
        await asyncio.sleep(0)
        await clock.advance(3)
        task.cancel()

    asyncio.run(scenario())
    assert woken == [1, 2, 3]


def test_a_step_of_the_wall_clock_lets_no_time_pass() -> None:
    async def test() -> None:
        clock = ManualClock(wall_ms=1000)
        task = asyncio.create_task(clock.sleep_ms(10))
        await asyncio.sleep(0)
        clock.step_wall(-500)
        assert (clock.now_ms(), clock.monotonic_ms(), task.done()) == (500, 0, False)
        await clock.advance(10)
        assert task.done()
        assert clock.now_ms() == 510
        assert clock.to_real_seconds(2500) == 2.5
        await clock.sleep_ms(0)

    asyncio.run(test())
