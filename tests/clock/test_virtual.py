"""The clock that stands still until it is moved."""

import asyncio

import pytest

from clock.virtual import VirtualClock


def test_it_passes_only_when_it_is_moved_and_never_back() -> None:
    clock = VirtualClock(1_000)
    clock.move(5_000)
    clock.move(5_000)
    assert clock.now_ms() == 5_000
    with pytest.raises(ValueError, match="5000 ms, it can't go back to 4999 ms"):
        clock.move(4_999)
    assert clock.now_ms() == 5_000


def test_sleep_is_real_and_takes_no_virtual_time() -> None:
    clock = VirtualClock(0)
    before = clock.monotonic_ms()
    asyncio.run(clock.sleep_ms(20))
    assert clock.monotonic_ms() - before >= 19
    assert clock.now_ms() == 0
    assert clock.to_real_seconds(1_500) == 1.5
    assert clock.from_real_seconds(1.5) == 1_500
