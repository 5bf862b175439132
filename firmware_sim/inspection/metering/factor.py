"""Giving the device a carbon factor (电碳因子) that is to hold now, and for as long as a reading lasts."""

from typing import Final

from diantan_core import day_start_ms, next_day_start_ms
from firmware_sim.inspection.bench import Bench, DutError

SLOT_MS: Final = 900_000
MARGIN_MS: Final = 60_000
"""A slot that begins so soon gets its factor too: it may have begun before the write, or the next reading, comes."""
PATIENCE_MS: Final = 5_000  # in which a device that works off its writes by and by must show a new factor
_LOOK_MS: Final = 100
_DAY_VALUES: Final = 96


async def device_ms(bench: Bench) -> int:
    """Return the device's own time, ms UTC; the bench's where the device doesn't tell."""
    try:
        values = await bench.dut.read("device_time")
    except KeyError:
        return int(bench.time.now())
    return values.get("device_time", int(bench.time.now()))


async def give(bench: Bench, factor_mg: int, *, holds_ms: int = 0) -> None:
    """Write a factor for the running slot and those that begin within `holds_ms` and a margin.

    A factor that comes within its slot holds from its arrival on. A device that takes the factors of a whole day gets
    it for the whole of each day concerned. DutError when the device refuses.
    """
    now = await device_ms(bench)
    slot = now - now % SLOT_MS
    try:
        while slot <= now + holds_ms + MARGIN_MS:
            await bench.dut.write("factor", fields_of("factor", slot, factor_mg))
            slot += SLOT_MS
    except KeyError:
        day = day_start_ms(now, bench.timezone)
        while day <= now + holds_ms + MARGIN_MS:
            await bench.dut.write("factor_day", fields_of("factor_day", day, factor_mg))
            day = next_day_start_ms(day, bench.timezone)


def fields_of(write: str, time_ms: int, factor_mg: int) -> dict[str, int]:
    """Return what a standard write of one factor (`factor`), or of a whole day of it (`factor_day`), holds."""
    if write == "factor":
        return {"time": time_ms, "carbon_factor": factor_mg}
    return {"time": time_ms, **{f"carbon_factor_{number}": factor_mg for number in range(1, _DAY_VALUES + 1)}}


async def shown(bench: Bench) -> int | None:
    """Return the factor that the device shows as being in force; None where it shows none."""
    try:
        return (await bench.dut.read("carbon_factor")).get("carbon_factor")
    except KeyError:
        return None


async def expect(bench: Bench, factor_mg: int) -> bool:
    """Wait until the factor has been taken, where the device shows it; return whether that took more than one look.

    What it shows may have fewer digits than the factor. DutError when it shows another one for `PATIENCE_MS`.
    """
    until, waited = bench.time.now() + PATIENCE_MS, False
    while (found := await shown(bench)) is not None and abs(found - factor_mg) >= bench.dut.resolution("carbon_factor"):
        if bench.time.now() >= until:
            raise DutError(f"expected the factor {factor_mg} mg/kWh in force, the device shows {found}")
        waited = True
        await bench.time.wait(_LOOK_MS)
    return waited
