"""What carries a defect does no harm by itself: with nothing seeded in it, the firmware is the healthy one."""

from typing import Any

import pytest
from bench_support import RATING, SLOT_MS, on_bench, send_factor

from firmware_sim.inspection.defects.carbon import ByMinutes, FromPower
from firmware_sim.inspection.defects.defect import of_kind
from firmware_sim.inspection.defects.front_end import FrontEnd
from firmware_sim.inspection.defects.power import Saving
from firmware_sim.inspection.parts.simulated import SimulatedBench
from firmware_sim.inspection.points import Balance, Character, LoadPoint
from firmware_sim.meter import Meter, MeterSettings


class HonestFrontEnd(FrontEnd):
    every_ms = 7_000

    def sees(self, power: int, time_ms: int) -> int:
        del time_ms
        return power


class HonestMinutes(ByMinutes):
    def kept(self, carbon_ng: int) -> int:
        return carbon_ng


class HonestPower(FromPower):
    def multiplied(self, carbon_ng: int, power_mw: int, factor: int) -> int:
        assert power_mw
        assert factor
        return carbon_ng


async def lived(bench: SimulatedBench) -> list[Any]:
    """Return all that a meter shows of two days with loads, factors and a power cut, and its pulses."""
    seen: list[Any] = []
    points = [
        LoadPoint(220_000, 60_000),
        LoadPoint(220_000, 333, 500_000, Character.INDUCTIVE, Balance.A),
        LoadPoint(231_001, 7_777, 800_000, Character.CAPACITIVE, reverse=True),
        None,
    ]
    for number, point in enumerate(points * 3):
        await bench.source.set(point)
        await send_factor(bench, None if number == 2 else 100_000 + 1_234 * number)
        await bench.time.wait(4 * SLOT_MS * (1 + number % 5) + 12_345)
        if number == 5:
            await bench.source.cut()
            await bench.time.wait(SLOT_MS)
            await bench.source.restore()
        assert bench.pulses is not None
        seen.append([await bench.pulses.next(kind, SLOT_MS) for kind in ("energy", "carbon", "energy")])
        seen.append(bench.meter.values(int(bench.time.now())))
    seen += [list(rows) for rows in (bench.meter.frozen.daily, bench.meter.frozen.carbon_days)]
    return seen


@pytest.mark.parametrize("firmware", [HonestFrontEnd, HonestMinutes, HonestPower, Saving])
def test_firmware_that_could_have_a_defect_lives_as_the_healthy_meter(firmware: type[Meter]) -> None:
    healthy = on_bench(lived, RATING)
    *_, last, freezes, carbon = healthy
    assert min(last["energy_forward"], last["energy_reverse"], last["carbon_forward"], last["carbon_reverse"]) > 0
    assert freezes
    assert carbon
    assert on_bench(lived, RATING, firmware=firmware) == healthy


def test_settings_of_another_class_have_the_same_values() -> None:
    class Other(MeterSettings):
        pass

    settings = MeterSettings(rollover_mwh=5, serial_number=7, timezone="UTC")
    other = of_kind(Other)(settings)
    assert isinstance(other, Other)
    assert all(getattr(other, name) == getattr(settings, name) for name in MeterSettings.__slots__)
