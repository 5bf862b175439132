"""The clock that waits: time goes on as far as its governor lets it, for all who read its file, and never jumps."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clock import from_spec
from clock.governed import SAME_NS, GovernedClock, Governor

ORIGIN_MS = 1_560_000_000_000
HOUR_MS = 3_600_000
FAST = 1_000_000_000  # an hour in less than a microsecond


@pytest.fixture
def governor(tmp_path: Path) -> Iterator[Governor]:
    with Governor(tmp_path / "clock", ORIGIN_MS, FAST) as made:
        yield made


def arrive(governor: Governor) -> None:
    while not governor.arrived:
        pass


def soon(clock: GovernedClock) -> int:
    """Return the time once it is read anew."""
    clock._shown = (-SAME_NS, 0)
    return clock.now_ms()


def test_time_is_real_until_it_is_let_go(governor: Governor) -> None:
    clock = GovernedClock(governor.file, 1000)
    # No faster than real: the hour that would take no time when let go takes more than a test.
    assert ORIGIN_MS <= clock.now_ms() < ORIGIN_MS + HOUR_MS
    governor.let_go(ORIGIN_MS + HOUR_MS)
    arrive(governor)
    assert ORIGIN_MS + HOUR_MS <= soon(clock) < ORIGIN_MS + 2 * HOUR_MS
    assert ORIGIN_MS + HOUR_MS <= clock.monotonic_ms() < ORIGIN_MS + 2 * HOUR_MS


def test_time_never_goes_back_nor_further_than_it_may(governor: Governor) -> None:
    clock = GovernedClock(governor.file, 1000)
    last = clock.now_ms()
    for number in range(1, 200):
        until_ms = ORIGIN_MS + number * HOUR_MS
        governor.let_go(until_ms)
        while not governor.arrived:
            now = soon(clock)
            assert last <= now
            last = now
        now = soon(clock)
        assert max(last, until_ms) <= now < until_ms + HOUR_MS
        last = now


def test_time_on_its_way_is_not_sent_elsewhere(tmp_path: Path) -> None:
    with Governor(tmp_path / "clock", ORIGIN_MS, 1) as governor:
        governor.let_go(ORIGIN_MS + 1000 * HOUR_MS)
        with pytest.raises(ValueError, match="still on its way to 1563600000000 ms"):
            governor.let_go(ORIGIN_MS + 1001 * HOUR_MS)


def test_readings_at_one_moment_agree(governor: Governor) -> None:
    """Else wall and monotonic clock, read one after the other, would differ by minutes."""
    clock = GovernedClock(governor.file, 1000)
    clock._shown = (2**62, 5)  # read just now, as it were
    governor.let_go(ORIGIN_MS + HOUR_MS)
    arrive(governor)
    assert clock.now_ms() == clock.monotonic_ms() == 5


def test_a_sleeper_sleeps_until_time_has_gone_on(governor: Governor) -> None:
    async def test() -> None:
        clock = GovernedClock(governor.file, 1000)
        first = asyncio.create_task(clock.sleep_ms(HOUR_MS))
        second = asyncio.create_task(clock.sleep_ms(30 * HOUR_MS))
        await asyncio.sleep(0)
        governor.let_go(ORIGIN_MS + 2 * HOUR_MS)
        await first
        assert clock.now_ms() >= ORIGIN_MS + HOUR_MS
        assert not second.done()
        governor.let_go(ORIGIN_MS + 40 * HOUR_MS)
        await second
        assert clock.now_ms() >= ORIGIN_MS + 30 * HOUR_MS
        await clock.sleep_ms(-5)

    asyncio.run(test())


def test_durations_are_converted_by_the_speed_on_the_whole(governor: Governor) -> None:
    clock = GovernedClock(governor.file, 1000)
    assert clock.to_real_seconds(2_000_000) == 2.0
    assert clock.from_real_seconds(0.5) == 500_000


def test_another_process_has_the_same_time(governor: Governor) -> None:
    governor.let_go(ORIGIN_MS + 50 * HOUR_MS)
    arrive(governor)
    spec = GovernedClock(governor.file, 1000).spec()
    program = "import sys; from clock import from_spec; print(from_spec(sys.argv[1]).now_ms())"
    done = subprocess.run([sys.executable, "-c", program, spec], capture_output=True, text=True, check=True)
    assert ORIGIN_MS + 50 * HOUR_MS <= int(done.stdout) < ORIGIN_MS + 51 * HOUR_MS


def test_a_specification_names_it(governor: Governor) -> None:
    clock = from_spec(f"governed:1000:{governor.file}")
    assert isinstance(clock, GovernedClock)
    assert (clock.file, clock.speed) == (governor.file, 1000)


@pytest.mark.parametrize("rest", ["", "1000", "1000:", ":x", "0:x", "-1:x", "fast:x", "²:x"])
def test_a_wrong_specification_is_refused(rest: str) -> None:
    with pytest.raises(ValueError, match="expected 'governed:SPEED:FILE', got 'governed:"):
        from_spec(f"governed:{rest}")


def test_a_file_that_is_none_is_named(tmp_path: Path, governor: Governor) -> None:
    with pytest.raises(ValueError, match=r"gone: expected the file of a governor: No such file"):
        from_spec(f"governed:1000:{tmp_path / 'gone'}")
    (tmp_path / "short").write_bytes(b"abc")
    with pytest.raises(ValueError, match=r"short: expected the file of a governor, found b'abc'"):
        from_spec(f"governed:1000:{tmp_path / 'short'}")
    whole = governor.file.read_bytes()
    (tmp_path / "torn").write_bytes(whole[:4] + bytes([whole[4] ^ 1]) + whole[5:])
    with pytest.raises(ValueError, match="torn: expected the file of a governor, found"):
        from_spec(f"governed:1000:{tmp_path / 'torn'}")
