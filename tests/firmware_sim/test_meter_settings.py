"""Registers that start again from 0, and registers that are set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.circuit import Circuit
from firmware_sim.curves import ConstantCurve
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.multifunction import MultiFunctionSettings

START = 1_781_049_600_000
HOUR = 3_600_000


def test_energies_and_carbons_wrap_at_their_own_ends() -> None:
    made = MeterSettings(rollover_mwh=1_000, carbon_rollover_ng=50)
    shown = made.wrapped({"energy_forward": 1_001, "carbon_reverse": 149, "power": 7_000, "energy_reverse": None})
    assert shown == {"energy_forward": 1, "carbon_reverse": 49, "power": 7_000, "energy_reverse": None}
    assert MeterSettings().wrapped({"energy_forward": 10**18}) == {"energy_forward": 10**18}


def meter(**keys: int) -> Meter:
    made = MeterSettings(resolution_mwh=10_000, multi_function=MultiFunctionSettings(), **keys)
    return Meter(ConstantCurve(START, 6_600_000), Circuit(), made)


def test_what_is_shown_and_frozen_wraps_while_the_day_counts_on() -> None:
    subject = meter(rollover_mwh=100_000_000, initial_forward_mwh=99_000_000, initial_carbon_forward_ng=5)
    subject.receive_factor(START, START, 500_000)
    values = subject.values(START + 24 * HOUR)
    assert values["energy_forward"] == values["energy_total"] == 99_000_000 + 24 * 6_600_000 - 200_000_000
    assert subject.frozen.daily[0]["energy_forward"] == 99_000_000 + 16 * 6_600_000 - 200_000_000
    assert subject.frozen.carbon_days[0]["carbon_forward"] == 16 * 6_600_000 * 500_000
    assert subject.energy(START + 24 * HOUR)[0] == 99_000_000 + 24 * 6_600_000


@given(st.integers(0, 10**13), st.integers(0, 10**13), st.integers(0, 48))
def test_tariffs_and_phases_still_add_up_when_the_registers_are_set(forward: int, reverse: int, hours: int) -> None:
    subject = meter(initial_forward_mwh=777_777)
    now = START + hours * HOUR
    subject.preset(now, {"energy_forward": forward, "energy_reverse": reverse})
    for time_ms in (now, now + 5 * HOUR):
        values = subject.values(time_ms)
        for direction in ("forward", "reverse"):
            total = values[f"energy_{direction}"]
            assert total is not None
            assert sum(values[f"energy_{direction}_t{tariff}"] or 0 for tariff in range(1, 5)) == total
            phases = sum(values[f"energy_{direction}_{phase}"] or 0 for phase in "abc")
            assert 0 <= total - phases <= 3 * 10_000
    assert subject.energy(now + 5 * HOUR) == (forward + 5 * 6_600_000, reverse)


def test_only_energies_and_carbons_can_be_set() -> None:
    subject = meter()
    for wrong in ({"power": 1}, {"energy_forward": -1}):
        with pytest.raises(ValueError, match="expected energies and carbons, at least 0"):
            subject.preset(START, wrong)
    assert subject.energy(START) == (0, 0)


def test_the_supply_is_lost_and_back() -> None:
    subject = meter()
    assert subject.powered
    subject.cut(START + HOUR)
    assert not subject.powered
    subject.restore(START + 2 * HOUR)
    assert subject.powered
