"""From a plan to a bench: what is told before anything is switched on, and what the plan says of the device."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from clock.virtual import VirtualClock
from firmware_sim.inspection.assemble import assembled, set_forward
from firmware_sim.inspection.bench import Ability, Bench, BenchError
from firmware_sim.inspection.metering.limits import DEFAULT_FILE, NoLimitError
from firmware_sim.inspection.parts.fast import LEAD_MS, SLOT_MS
from firmware_sim.inspection.parts.time import VirtualTime
from firmware_sim.inspection.plan import load_plan
from profiles import load as load_profile

ZONE = "Asia/Shanghai"
MIDNIGHT = 1_781_020_800_000  # there

PLAN = """
[inspection]
number = "1"
[rating]
class = "B"
voltage_v = 220
imin_a = 0.25
itr_a = 0.5
imax_a = 60
starting_a = 0.02
"""


def assemble(path: Path, more: str = "", plan: str = PLAN) -> Bench:
    file = path / "plan.toml"
    file.write_text(plan + more, encoding="utf-8")

    async def run() -> Bench:
        async with assembled(load_plan(file)) as bench:
            return bench

    return asyncio.run(run())


def test_the_plan_s_device_is_on_the_bench(tmp_path: Path) -> None:
    bench = assemble(tmp_path, "[dut]\nrenewed_ms = 700\n[points]\nsettle_seconds = 2\n")
    assert (bench.renewed_ms, bench.selection.settle_ms) == (700, 2_000)
    assert bench.clock_ppm == 0
    assert assemble(tmp_path).renewed_ms == 0


def test_the_ends_of_registers_are_known_from_the_profile(tmp_path: Path) -> None:
    assert assemble(tmp_path, '[dut]\nprofile = "dlt645-three-phase"\n').ends["energy_forward"] == 10**12


def test_a_load_point_without_limit_is_told_before_anything_is_switched_on(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    text = DEFAULT_FILE.read_text(encoding="utf-8")
    below_imin = '    { limit_percent = "1.5", times_imin_by_current = true },\n'
    assert below_imin in text
    own.write_text(text.replace(below_imin, ""), encoding="utf-8")
    plan = PLAN.replace('number = "1"', 'number = "1"\nlimits = "own.toml"')
    assemble(tmp_path, plan=plan)
    with pytest.raises(NoLimitError, match="no rule for 125 mA"):
        assemble(tmp_path, '[points]\ncurrents = ["Imax", "0.5Imin"]\n', plan)


def test_a_factor_that_the_device_can_not_be_told_is_no_fault_of_the_device(tmp_path: Path) -> None:
    four_digits = '[dut]\nprofile = "dlt698-carbon-meter"\n[dut.parameters]\nfactor_scale = 0.0001\n'
    assemble(tmp_path, four_digits)
    with pytest.raises(BenchError, match=r"points\.factors: the profile .* can't say 0\.123456 kg/kWh"):
        assemble(tmp_path, four_digits + "[points]\nfactors = [0.123456]\n")


class Clocked:
    """A device whose clock is set by what its profile can say."""

    abilities: frozenset[Ability] = frozenset()

    def __init__(self, profile: str) -> None:
        self.profile = load_profile(profile, {})
        self.clock = VirtualClock(MIDNIGHT - 3_600_000)
        self.time = VirtualTime(self.clock)
        self.ahead_ms = 0
        self.set: list[int] = []

    def resolution(self, point: str) -> int:
        return self.profile.points[point].resolution

    async def read(self, *points: str) -> Mapping[str, int]:
        await self.time.wait(50)
        return dict.fromkeys(points, self.clock.now_ms() + self.ahead_ms)

    async def write(self, name: str, fields: Mapping[str, int | None]) -> None:
        self.profile.command(name, fields, ZONE)
        self.set.append(int(fields["time"] or 0))
        self.ahead_ms = self.set[-1] - self.clock.now_ms()

    async def row(self, table: str, number: int) -> Mapping[str, int]:
        raise NotImplementedError

    async def raw(self, octets: bytes) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(("profile", "lead_ms"), [("dlt645-three-phase", 61_000), ("sim-carbon-meter", LEAD_MS)])
def test_a_clock_is_set_forward_to_midnight_as_early_as_its_protocol_asks(profile: str, lead_ms: int) -> None:
    device = Clocked(profile)
    fast = set_forward(device.time, device, device.profile, ZONE)
    asyncio.run(fast.to(MIDNIGHT + SLOT_MS))
    # Slots are run up to closely all the same: 96 minutes a day would be a long wait.
    wanted = {-3 * SLOT_MS: LEAD_MS, -2 * SLOT_MS: LEAD_MS, -SLOT_MS: LEAD_MS, 0: lead_ms, SLOT_MS: LEAD_MS}
    assert device.set == [MIDNIGHT + slot_ms - lead for slot_ms, lead in wanted.items()]
