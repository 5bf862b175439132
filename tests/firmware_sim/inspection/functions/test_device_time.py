"""The device's clock, found out as finely as it is said to be known."""

import asyncio
from collections.abc import Mapping
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.inspection.functions.device_time import DeviceTime


class Time:
    """Time that passes when it is waited for, and while the device answers."""

    def __init__(self) -> None:
        self.at = Fraction(10**12)

    def now(self) -> Fraction:
        return self.at

    async def wait_until(self, time_ms: Fraction | int) -> None:
        self.at = max(self.at, Fraction(time_ms))


class Clock:
    """A device whose clock goes ahead by some ms and shows them in steps; its answer takes a while."""

    def __init__(self, time: Time, ahead_ms: int, step_ms: int, takes_ms: int) -> None:
        self.time, self.ahead_ms, self.step_ms, self.takes_ms = time, ahead_ms, step_ms, takes_ms

    async def read(self, *points: str) -> Mapping[str, int]:
        self.time.at += Fraction(self.takes_ms, 2)
        shown = int(self.time.at + self.ahead_ms) // self.step_ms * self.step_ms
        self.time.at += Fraction(self.takes_ms, 2)
        return {"device_time": shown}


@given(st.integers(0, 100_000), st.sampled_from([1, 2, 5, 10, 1000]), st.integers(0, 30))
def test_what_is_found_is_as_good_as_it_is_said_to_be(ahead_ms: int, step_ms: int, takes_ms: int) -> None:
    time = Time()
    bench: Any = SimpleNamespace(time=time, dut=Clock(time, ahead_ms, step_ms, takes_ms))
    clock = DeviceTime(bench, step_ms)
    instant, found = asyncio.run(clock.find())
    assert abs(found - (instant + ahead_ms)) <= clock.vague_ms + 1  # a clock of ms steps has a ms
