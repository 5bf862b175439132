"""What the device shows of its factor."""

from firmware_sim.inspection.functions.checks import Checks
from firmware_sim.inspection.functions.journey import Journey, step_of

DISPATCHED = 0
HELD = 1
DEFAULT = 2
UNDEFINED = 3


async def factor_shown(journey: Journey, checks: Checks, what: str, quality: int | None = None) -> None:
    """Hold the factor in force, as shown, against what must be; nothing where the device doesn't show it."""
    right, expected, found = await look_at_factor(journey, quality)
    if found:
        checks.that(what, expected, found, good=right)


async def look_at_factor(journey: Journey, quality: int | None = None) -> tuple[bool, str, str]:
    """Return whether the factor shown is right, what must be shown and what is; "" where the device shows none.

    `quality` is where it must say that the factor comes from, on a device that says so.
    """
    bench = journey.bench
    names = [name for name in ("carbon_factor", "carbon_factor_quality") if step_of(bench, name) is not None]
    if "carbon_factor" not in names:
        return True, "", ""
    values = await bench.dut.read(*names)
    factor = journey.given.at(journey.device_ms, journey.now)
    found = values.get("carbon_factor")
    expected, said = _text(factor), _text(found)
    right = factor == found
    if quality is not None and "carbon_factor_quality" in names:
        expected, said = f"{expected}, origin {quality}", f"{said}, origin {values.get('carbon_factor_quality')}"
        right = right and values.get("carbon_factor_quality") == quality
    return right, expected, said


def _text(factor: int | None) -> str:
    return "no factor" if factor is None else f"{factor} mg/kWh"
