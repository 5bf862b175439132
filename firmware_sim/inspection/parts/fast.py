"""Running time forward (时间快进): by virtual time, or by setting the clock of a device that lets it be set."""

from typing import Final

from diantan_core import next_day_start_ms
from firmware_sim.inspection.bench import BenchTime, Dut, DutError

SLOT_MS: Final = 900_000
DAY_MS: Final = 86_400_000
LEAD_MS: Final = 1_500
"""How long before a boundary the clock is set."""
PATIENCE_MS: Final = 10_000
"""How long the device may take beyond that to show the boundary."""
LOOK_MS: Final = 250
STANDSTILL_STEPS: Final = 2
"""Of its clock, after which a device that shows the same time has a clock that does not run."""
SLOT_DAYS: Final = 2
"""Up to how many days ahead each 15-minute slot is lived through; beyond that only midnights are."""


class JumpForward:
    """Lets the bench's virtual time pass: the device lives through all of it."""

    def __init__(self, time: BenchTime, dut: Dut) -> None:
        self._time = time
        self._dut = dut

    async def to(self, device_ms: int) -> None:
        """Return when the device's clock shows at least that; DutError when it stands still."""
        step_ms = self._dut.resolution("device_time")
        shown_ms, stood_ms = await clock_of(self._dut), 0
        while shown_ms < device_ms:
            wait_ms = device_ms - shown_ms
            await self._time.wait(wait_ms)
            before_ms, shown_ms = shown_ms, await clock_of(self._dut)
            stood_ms = stood_ms + wait_ms if shown_ms <= before_ms else 0
            if stood_ms > STANDSTILL_STEPS * step_ms:
                raise DutError(f"its clock stands at {shown_ms} ms while time passes")


class SetForward:
    """Sets the device's clock to `LEAD_MS` before each midnight on the way, and waits until it has passed.

    The same is done for each slot of 15 minutes when it is not further than `SLOT_DAYS`. So a day costs about two
    seconds, 365 days a quarter of an hour, and a day with its 96 slots about three minutes. The energy of the skipped
    time is missing, as it is when the clock of a meter is set. `midnight_lead_ms` is for a clock that can't be set just
    before midnight: there the clock is set so much earlier, and at the other slots `lead_ms` before them all the same.
    """

    def __init__(
        self, time: BenchTime, dut: Dut, timezone: str, *, lead_ms: int = LEAD_MS, midnight_lead_ms: int | None = None
    ) -> None:
        self._time = time
        self._dut = dut
        self._timezone = timezone
        self._lead_ms = lead_ms
        self._midnight_lead_ms = lead_ms if midnight_lead_ms is None else midnight_lead_ms

    async def to(self, device_ms: int) -> None:
        """Return when the device's clock shows at least that; DutError when it does not get there."""
        shown_ms = await clock_of(self._dut)
        by_slots = device_ms - shown_ms <= SLOT_DAYS * DAY_MS
        while shown_ms < device_ms:
            midnight_ms = next_day_start_ms(shown_ms, self._timezone)
            slot_ms = shown_ms - shown_ms % SLOT_MS + SLOT_MS
            boundary_ms = min(midnight_ms, slot_ms if by_slots else midnight_ms, device_ms)
            lead_ms = self._midnight_lead_ms if boundary_ms == midnight_ms else self._lead_ms
            if boundary_ms - shown_ms > lead_ms:
                await self._dut.write("clock", {"time": boundary_ms - lead_ms})
            shown_ms = await self._pass(boundary_ms, lead_ms)

    async def _pass(self, boundary_ms: int, lead_ms: int) -> int:
        """Wait until the device shows a time at or after a boundary; return it."""
        deadline = self._time.now() + lead_ms + PATIENCE_MS
        await self._time.wait(min(lead_ms, max(boundary_ms - await clock_of(self._dut), 0)))
        while (shown_ms := await clock_of(self._dut)) < boundary_ms:
            if self._time.now() >= deadline:
                raise DutError(f"its clock was to pass {boundary_ms} ms; {PATIENCE_MS} ms later it shows {shown_ms} ms")
            await self._time.wait(LOOK_MS)
        return shown_ms


async def clock_of(dut: Dut) -> int:
    """Return what the device's clock shows in ms UTC; DutError when it shows nothing."""
    shown = (await dut.read("device_time")).get("device_time")
    if shown is None:
        raise DutError("its clock shows no time")
    return shown
