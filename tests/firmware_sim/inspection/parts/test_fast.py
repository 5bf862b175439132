"""Running a device's time forward."""

import asyncio
from collections.abc import Mapping

import pytest

from clock.virtual import VirtualClock
from firmware_sim.inspection.bench import Ability, DutError
from firmware_sim.inspection.parts.fast import DAY_MS, LEAD_MS, SLOT_MS, JumpForward, SetForward
from firmware_sim.inspection.parts.time import VirtualTime

ZONE = "Asia/Shanghai"
MIDNIGHT = 1_781_020_800_000  # in Shanghai


class Device:
    """A device with a clock of its own, that takes some time for everything."""

    abilities: frozenset[Ability] = frozenset()

    def __init__(self, *, step: int = 1_000, takes_ms: int = 70, runs: bool = True) -> None:
        self.clock = VirtualClock(5_000)
        self.time = VirtualTime(self.clock)
        self.device_ms = MIDNIGHT + 10 * 3_600_000
        self.lived = [self.device_ms]
        self.step, self.takes_ms, self.runs = step, takes_ms, runs
        self.set: list[int] = []
        self._seen = self.clock.now_ms()

    def bring(self) -> None:
        now = self.clock.now_ms()
        if self.runs:
            self.lived.append(self.device_ms + now - self._seen)
            self.device_ms = self.lived[-1]
        self._seen = now

    def resolution(self, point: str) -> int:
        assert point == "device_time"
        return self.step

    async def read(self, *points: str) -> Mapping[str, int]:
        await self.time.wait(self.takes_ms)
        self.bring()
        return dict.fromkeys(points, self.device_ms // self.step * self.step)

    async def write(self, name: str, fields: Mapping[str, int | None]) -> None:
        assert name == "clock"
        await self.time.wait(self.takes_ms)
        self.bring()
        self.set.append(self.device_ms)
        self.device_ms = int(fields["time"] or 0)
        assert self.device_ms > self.set[-1], "the clock is never put back"
        self.lived.append(self.device_ms)

    async def row(self, table: str, number: int) -> Mapping[str, int]:
        raise NotImplementedError

    async def raw(self, octets: bytes) -> None:
        raise NotImplementedError

    def skipped(self) -> list[tuple[int, int]]:
        """Return the jumps of the clock, from and to."""
        jumps = []
        for before, after in zip(self.lived, self.lived[1:], strict=False):
            if before in self.set:
                jumps.append((before, after))
        return jumps


@pytest.mark.parametrize("step", [1, 1_000])
def test_every_slot_is_lived_through_within_two_days(step: int) -> None:
    device = Device(step=step)
    end = device.device_ms + DAY_MS
    asyncio.run(SetForward(device.time, device, ZONE).to(end))
    assert device.device_ms >= end
    assert len(device.set) == 96
    for before, after in device.skipped():
        assert before // SLOT_MS == after // SLOT_MS, "a boundary was jumped over"
        assert -after % SLOT_MS == LEAD_MS
    # About two seconds a boundary
    assert device.clock.now_ms() < 96 * 3_000


def test_beyond_that_only_midnights_are() -> None:
    device = Device()
    end = device.device_ms + 365 * DAY_MS
    asyncio.run(SetForward(device.time, device, ZONE).to(end))
    assert len(device.set) == 366
    for before, after in device.skipped():
        assert (before - MIDNIGHT) // DAY_MS == (after - MIDNIGHT) // DAY_MS
    assert device.clock.now_ms() < 366 * 3_000


@pytest.mark.parametrize("kind", ["jump", "set"])
def test_a_clock_that_stands_still_is_told(kind: str) -> None:
    device = Device(runs=False)
    fast = JumpForward(device.time, device) if kind == "jump" else SetForward(device.time, device, ZONE)
    with pytest.raises(DutError, match="stands at" if kind == "jump" else "was to pass"):
        asyncio.run(fast.to(device.device_ms + SLOT_MS))


def test_virtual_time_passes_until_the_device_shows_it() -> None:
    device = Device(takes_ms=0)
    device.device_ms += 91
    end = device.device_ms + 3 * DAY_MS + 500
    asyncio.run(JumpForward(device.time, device).to(end))
    assert end <= device.device_ms < end + 2_000
    assert device.set == []


def test_a_past_instant_is_there_at_once() -> None:
    device = Device(takes_ms=0)
    asyncio.run(JumpForward(device.time, device).to(device.device_ms - 5_000))
    asyncio.run(SetForward(device.time, device, ZONE).to(device.device_ms - 5_000))
    assert device.clock.now_ms() == 5_000
