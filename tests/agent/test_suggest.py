"""Which profile is suggested for a meter that says nothing of itself."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from agent.suggest import Suggestion, candidates, suggest
from fieldbus.drivers.base import Found
from fieldbus.exchange import NoReplyError, RefusedError
from firmware_sim.layout import AddressError, Layout
from firmware_sim.registers import RegisterMap
from profiles import load
from profiles.modbus.plan import ReadBlock

SHOWN = {
    "energy_forward": 1_234_560_000,
    "energy_reverse": 10_000_000,
    "energy_total": 1_244_560_000,
    **{f"voltage_{phase}": 230_100 for phase in "abc"},
    **{f"current_{phase}": 5_000 for phase in "abc"},
    "power": 3_450_000,
    "power_factor": 990_000,
    "frequency": 50_000,
}
RATIOS = {"acrel-adl3000-e": {"pt": 1, "ct": 1}, "acrel-dtsd1352": {"pt": 1, "ct": 1}}
MODBUS = sorted(candidate.profile.name for candidate in candidates("modbus"))


class Meter:
    """Values and registers of one model, asked without a line between."""

    protocol = "modbus"

    def __init__(self, profile: str, *, silent: bool = False, **values: int) -> None:
        self._values = {**SHOWN, **values}
        self._registers = RegisterMap(self, Layout(load(profile, RATIOS.get(profile))))  # type: ignore[arg-type]
        self._silent = silent
        self.asked = 0

    def values(self, now_ms: int) -> dict[str, int]:
        return self._values

    async def read(self, address: Any, block: Any) -> bytes:
        assert isinstance(block, ReadBlock)
        self.asked += 1
        try:
            words = self._registers.read(block.function, block.address, block.count, 0)
        except AddressError as error:
            if self._silent:
                raise NoReplyError("no reply") from error
            raise RefusedError(2, "illegal data address") from error
        return b"".join(word.to_bytes(2, "big") for word in words)


def suggested(meter: Any, details: dict[str, str] | None = None) -> list[Suggestion]:
    found = Found("modbus", 1, details or {})
    return asyncio.run(suggest(meter, found, candidates("modbus"), "Asia/Shanghai"))


@pytest.mark.parametrize("profile", MODBUS)
def test_each_model_is_found_by_its_values(profile: str) -> None:
    """It comes first, or another one that reads all of it as well does and that is said."""
    found = suggested(Meter(profile))
    own = next(each for each in found if each.profile == profile)
    assert own.score > found[0].score - Decimal("0.15")
    if found[0].profile != profile:
        assert found[0].sure != "high" or own.sure != "low"
        assert profile in [each.profile for each in found[:4]]


@pytest.mark.parametrize("profile", MODBUS)
def test_its_name_decides(profile: str) -> None:
    model = load(profile, RATIOS.get(profile)).model
    assert suggested(Meter(profile), {"product_code": model})[0].profile == profile


def test_nothing_is_sure_of_a_meter_without_mains() -> None:
    dead = dict.fromkeys(("voltage_a", "voltage_b", "voltage_c", "frequency", "power", "current_a"), 0)
    assert all(each.sure == "low" for each in suggested(Meter("eastron-sdm630", **dead)))


def test_alike_maps_are_named() -> None:
    """Two maps that read equally well: neither is sure."""
    first = suggested(Meter("eastron-sdm54"))[0]
    assert first.sure == "medium"
    assert "fits as well" in first.why


def test_impossible_values_count_against_a_profile() -> None:
    right = suggested(Meter("chint-dtsu666"))
    wrong = suggested(Meter("chint-dtsu666", frequency=3_000_000))
    score = {each.profile: each.score for each in right}["chint-dtsu666"]
    other = next(each for each in wrong if each.profile == "chint-dtsu666")
    assert other.score < score
    assert "impossible" in other.why
    assert other.sure == "low"


def test_a_silent_meter_is_not_asked_for_ever() -> None:
    """A meter that ignores what it does not know costs a time-out each: two for each profile at most."""
    meter = Meter("acrel-ddsy1352", silent=True)
    answered = Meter("acrel-ddsy1352")
    suggested(meter)
    suggested(answered)
    assert meter.asked <= answered.asked
    assert suggested(meter)[0].profile == "acrel-ddsy1352"


def test_what_has_to_be_set_is_named() -> None:
    parameters = {candidate.profile.name: candidate.parameters for candidate in candidates("modbus")}
    assert sorted(parameters["acrel-adl3000-e"]) == ["ct", "pt"]
    assert parameters["eastron-sdm630"] == ()
