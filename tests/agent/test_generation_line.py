"""A generating unit's meter on its line: the emission in the same poll as the energies, which don't depend on it."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from line_bench import MINUTE, PROFILE, Bench

from agent.build import build_metering
from agent.config_file import load_config
from agent.generation import GeneratingUnit
from fieldbus.exchange import NoReplyError, RefusedError
from settings.errors import ConfigError

EMISSION = PROFILE.points["carbon_forward"]


def test_a_poll_brings_energies_and_emission() -> None:
    """The energies first, each in a request of its own; the factor of the node is not written to such a meter."""
    bench = Bench(role="generation")
    bench.factor = lambda _: (0, 581_000)
    bench.run(2 * MINUTE)
    assert {reading.emission_ng for reading in bench.readings} == {7 * 10**12}
    assert {reading.forward_mwh for reading in bench.readings} == {10**9}
    addresses = [address for _, _, address in bench.wire.reads if address < 0x100]
    assert addresses[:2] == [PROFILE.points["energy_forward"].address, EMISSION.address]  # type: ignore[attr-defined]  # a profile on Modbus
    assert bench.wire.writes == []


def test_each_reply_has_its_own_time() -> None:
    """On a slow line the emission comes long after the energies."""
    bench = Bench(role="generation")
    bench.wire.answer_ms = 700
    bench.run(2 * MINUTE)
    assert {(reading.emission_ms or 0) - reading.time_ms for reading in bench.readings} == {700}
    bench.wire.emission_error = RefusedError(2, "illegal data address")
    bench.readings.clear()
    bench.run(MINUTE)
    assert {reading.emission_ms for reading in bench.readings} == {None}


@pytest.mark.parametrize("error", [RefusedError(2, "illegal data address"), NoReplyError("no reply")])
def test_an_emission_that_is_refused_or_not_answered_costs_no_reading(error: Any) -> None:
    """It is asked for in every poll all the same, and is there as soon as the meter has it."""
    bench = Bench(role="generation")
    bench.wire.emission_error = error
    bench.run(20 * MINUTE)
    assert len(bench.readings) == 21
    assert {reading.emission_ng for reading in bench.readings} == {None}
    asked = [address for _, _, address in bench.wire.reads if address == EMISSION.address]  # type: ignore[attr-defined]  # likewise
    assert len(asked) == 21


def test_with_a_known_factor_there_is_no_emission_to_read() -> None:
    """The carbon registers are values like others."""
    bench = Bench(role="generation", emission_factor=Decimal("0.82")).run(MINUTE)
    assert {reading.emission_ng for reading in bench.readings} == {None}


def _problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load_config(path)
    return [problem.removeprefix(f"{path}: ") for problem in error.value.problems]


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ('emission_factor = "0.8"', 'emission_factor: expected role = "generation", which alone has emissions'),
        ('role = "grid"\nemission_rollover_kg = "5"', "emission_rollover_kg: expected role"),
        ('role = "generation"\nemission_factor = "0.1234567"', "emission_factor: expected kgCO2/kWh with at most 6"),
        (
            'role = "generation"\nemission_factor = "1"\nemission_rollover_kg = "5"',
            "emission_rollover_kg: expected none",
        ),
        ('role = "generation"\nemission_rollover_kg = "0.0000001"', "emission_rollover_kg: expected kg with at most 6"),
    ],
)
def test_keys_of_units_that_don_t_go_together(site: Any, keys: str, problem: str) -> None:
    """Each with its key."""
    text = site.configure(broker_port=1883, meter_ports=[5020]).read_text("utf-8")
    path = site.write(text.replace('profile = "sim-carbon-meter"', f'profile = "sim-carbon-meter"\n{keys}'))
    (found,) = _problems(path)
    assert found.partition(".")[2].partition(".")[2].startswith(problem), found


def test_a_unit_needs_a_register_or_a_factor(site: Any) -> None:
    """A meter without either would report that nothing is emitted."""
    text = site.configure(broker_port=1883, meter_ports=[5020]).read_text("utf-8")
    unit = text.replace('profile = "sim-carbon-meter"', 'profile = "eastron-sdm120"\nrole = "generation"')
    (found,) = _problems(site.write(unit))
    assert "role: eastron-sdm120 has no point carbon_forward" in found
    path = site.write(unit.replace('role = "generation"', 'role = "generation"\nemission_factor = "0"'))
    (metering,) = build_metering(load_config(path), {}).values()
    assert metering.own_factor
    assert not isinstance(metering, GeneratingUnit)
    path = site.write(text.replace('profile = "sim-carbon-meter"', 'profile = "sim-grid-meter"\nrole = "generation"'))
    (metering,) = build_metering(load_config(path), {}).values()
    assert isinstance(metering, GeneratingUnit)
