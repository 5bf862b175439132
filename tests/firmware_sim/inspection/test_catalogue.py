"""Every item of an inspection: which belong to which kind, and what of the device they are told to expect."""

from pathlib import Path

from firmware_sim.inspection import catalogue
from firmware_sim.inspection.command import Options, inspect
from firmware_sim.inspection.functions import Expectations, FunctionItem
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


def test_a_factory_inspection_has_fewer_items_in_the_same_order() -> None:
    every = [item.info.id for item in catalogue.items("type")]
    some = [item.info.id for item in catalogue.items("factory")]
    assert set(some) < set(every)
    assert some == [name for name in every if name in some]
    assert "functions.year" not in some


def test_what_is_expected_reaches_the_items() -> None:
    expected = Expectations(largest_factor_mg=20_000_000)
    told = [item.expectations for item in catalogue.items("type", expected) if isinstance(item, FunctionItem)]
    assert told
    assert set(told) == {expected}
    untold = [item.expectations for item in catalogue.items("type") if isinstance(item, FunctionItem)]
    assert set(untold) == {Expectations()}


def test_what_a_plan_says_of_the_device_is_what_it_is_held_against(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    chosen = Options(["robustness.factor-range"], formats=())
    # The simulated firmware takes a factor of 20.0001 kg/kWh.
    for said, status in (("", 0), ("[functions]\nlargest_factor_mg = 20_000_000\n", 1)):
        named = PLAN.replace('"1"', f'"{status}"')
        file.write_text(named + said, encoding="utf-8")
        assert inspect(load_plan(file), chosen) == status
