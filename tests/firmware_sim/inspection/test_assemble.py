"""From a plan to a bench: what is told before anything is switched on, and what the plan says of the device."""

import asyncio
from pathlib import Path

import pytest

from firmware_sim.inspection.assemble import assembled
from firmware_sim.inspection.bench import Bench, BenchError
from firmware_sim.inspection.metering.limits import DEFAULT_FILE, NoLimitError
from firmware_sim.inspection.plan import load_plan

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
