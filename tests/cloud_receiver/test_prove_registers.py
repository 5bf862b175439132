"""Registers in a proof: each goes on from the one before, and its carbon is energy times factor, or measured."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from proof_support import Centre, batches, check, failures
from receiver_support import DAY_MS, SLOT_MS, FakeGateway, interval
from sqlalchemy import Engine

from cloud_receiver.registry import Registry
from wire.domain import EMISSION_END_UG
from wire.proof.times import shown
from wire.proof.verdict import Outcome
from wire.proof.verify import verify
from wire.records import (
    FreezeKind,
    FreezeRecord,
    FreezeSource,
    Quality,
    Record,
)


@pytest.fixture
def bare(engine: Engine, registry: Registry, gateway: FakeGateway) -> Centre:
    """Make a store without records."""
    return Centre(engine, registry, gateway, Ed25519PrivateKey.generate())


def proved_by(bare: Centre, found: list[Record], first: int = 2, last: int | None = None) -> list[str]:
    """Return which checks fail for records that the gateway itself signed."""
    bare.take(*batches(found))
    bare.dispatch(*range(8))
    return failures(verify(bare.prove(first, last), bare.keys))


@pytest.mark.parametrize(
    "change",
    [
        {"forward_total_mwh": 3_000_001},
        {"reverse_total_mwh": 1},
        {"carbon_forward_total_ug": 3 * 570_300_000 - 1},
        {"carbon_reverse_total_ug": -1},
    ],
)
def test_a_register_that_does_not_go_on_from_the_one_before_fails(bare: Centre, change: dict[str, int]) -> None:
    found = [replace(item, **change) if place == 2 else item for place, item in enumerate(map(interval, range(8)))]  # type: ignore[arg-type]
    assert proved_by(bare, list(found)) == ["register continuity"]


def test_the_interval_after_the_reading_is_compared_too(bare: Centre) -> None:
    found = [interval(slot) for slot in range(8)]
    found[3] = replace(found[3], forward_total_mwh=5)
    assert proved_by(bare, list(found)) == ["register continuity"]


def test_after_a_partial_interval_the_register_begins_anew(bare: Centre) -> None:
    found: list[Record] = [interval(slot) for slot in range(8)]
    found[2] = replace(interval(2, quality=Quality.PARTIAL), forward_total_mwh=77)
    assert proved_by(bare, found) == []


@pytest.mark.parametrize(("carbon", "expected"), [(0, []), (999, []), (1000, ["carbon arithmetic"])])
def test_carbon_is_energy_times_factor_to_less_than_a_microgram(bare: Centre, carbon: int, expected: list[str]) -> None:
    energy = 1_000_000 + carbon
    assert (energy * 1) - 1000 * (1_000_000 // 1000) == carbon
    item = replace(interval(0, energy=energy, factor=1), carbon_forward_ug=1000, carbon_forward_total_ug=1000)
    bare.take((1, [item]))
    bare.dispatch(0, value=1)
    assert failures(verify(bare.prove(0), bare.keys)) == expected


@pytest.mark.parametrize(("total", "expected"), [(3_000_000, []), (3_000_001, ["register continuity"])])
def test_a_freeze_is_the_register_of_the_interval_that_ends_there(
    bare: Centre, total: int, expected: list[str]
) -> None:
    item = interval(2)
    freeze = FreezeRecord(
        *("C01", DAY_MS + 3 * SLOT_MS, FreezeKind.DAILY, total, 0, item.carbon_forward_total_ug, 0),
        FreezeSource.GATEWAY_MEASURED,
    )
    bare.take(*batches([*(interval(slot) for slot in range(8)), freeze]))
    bare.dispatch(*range(8))
    verdict = verify(bare.prove(2, 2), bare.keys)
    assert failures(verdict) == expected
    assert len(verdict.freezes) == (0 if expected else 1)


def test_two_journals_are_continuous_each_by_itself(bare: Centre) -> None:
    second = replace(bare.gateway, context=b"journal2")
    bare.take((1, [interval(slot) for slot in range(4)]))
    bare.take((1, [interval(slot) for slot in range(4, 8)]), gateway=second)
    bare.dispatch(*range(8))
    verdict = verify(bare.prove(0, 7), bare.keys)
    assert verdict.proved
    assert {item.context for item in verdict.intervals} == {b"journal1", b"journal2"}
    # The register of a new journal may begin anew, which is told.
    registers = check(verdict, "register continuity")
    assert "6 step(s)" in registers.text
    assert registers.details == (f"begins anew at {shown(DAY_MS + 4 * SLOT_MS)}: in journal {b'journal2'.hex()}",)


def emission(slot: int, grams: int = 700) -> Record:
    """Return what a generating unit emitted in a slot; its register starts again from 0 in the third one."""
    total = (EMISSION_END_UG - 2 * grams * 10**6 + (slot + 1) * grams * 10**6) % EMISSION_END_UG
    return replace(
        interval(slot, factor=None), carbon_forward_ug=grams * 10**6, carbon_forward_total_ug=total, factor=None
    )


def test_the_emission_of_a_generating_unit_is_measured_and_not_recomputed(bare: Centre) -> None:
    bare.take(*batches([emission(slot) for slot in range(8)]))
    verdict = verify(bare.prove(0, 7), bare.keys)
    assert failures(verdict) == []
    found = check(verdict, "carbon arithmetic")
    assert found.outcome is Outcome.NOT_CHECKED
    assert "measured" in found.text
    assert check(verdict, "register continuity").outcome is Outcome.PASSED


def test_carbon_without_a_factor_beside_factors_is_a_fault(bare: Centre) -> None:
    found = [interval(slot) for slot in range(8)]
    found[3] = replace(interval(3, factor=None), carbon_forward_ug=7, carbon_forward_total_ug=7)
    assert "carbon arithmetic" in proved_by(bare, list(found))


def test_an_emission_register_that_does_not_go_on_is_a_fault(bare: Centre) -> None:
    found = [emission(slot) for slot in range(8)]
    found[2] = emission(2, 701)
    assert proved_by(bare, found) == ["register continuity"]
