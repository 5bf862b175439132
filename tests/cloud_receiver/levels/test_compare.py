"""Two centres at a boundary: what agrees, what differs, and by how much meters within their classes may differ."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.levels.book import Said
from cloud_receiver.levels.compare import (
    ARITHMETIC,
    BOOKS,
    CARBON,
    ENERGY,
    FACTOR,
    MISSING,
    Limits,
    carbon_ug,
    differences,
)
from wire.levels import Totals

SLOT_MS = 900_000
LIMITS = Limits(2000, 2000, 10_000, 10_000)
ENERGY_MWH = 10_000_000_000  # 10 MWh
SAID = Said(ENERGY_MWH, 0, 600_000, 500_000, carbon_ug(ENERGY_MWH, 600_000), 0)


def kinds(ours: Said | None, theirs: Said | None, limits: Limits = LIMITS) -> list[str]:
    rows = [{} if item is None else {0: item} for item in (ours, theirs)]
    return sorted(item.kind for item in differences(rows[0], rows[1], limits, SLOT_MS))


def scaled(energy: int) -> Said:
    return replace(SAID, forward_mwh=energy, carbon_forward_ug=carbon_ug(energy, 600_000))


def test_the_same_on_both_sides_is_no_difference() -> None:
    assert kinds(SAID, SAID) == []
    assert kinds(None, None) == []


def test_meters_may_differ_by_both_limits_steps_and_clocks() -> None:
    """0.2 % and 0.2 % of 10 MWh, two steps of 10 Wh at each side's two ends, 10 s of 900 s."""
    limit = LIMITS.energy_mwh(ENERGY_MWH, [ENERGY_MWH] * 2, SLOT_MS)
    assert limit == 40_000_000 + 40_000 + ENERGY_MWH * 10_000 // SLOT_MS + 1
    assert kinds(SAID, scaled(ENERGY_MWH - limit)) == []
    assert kinds(SAID, scaled(ENERGY_MWH - limit - 1_000_000)) == [CARBON, ENERGY]
    over_a_day = LIMITS.energy_mwh(96 * ENERGY_MWH, [ENERGY_MWH] * 2, SLOT_MS)
    assert over_a_day < 96 * limit - 90 * ENERGY_MWH * 10_000 // SLOT_MS


def test_a_meter_of_unknown_class_counts_as_one_per_cent() -> None:
    assert kinds(SAID, scaled(ENERGY_MWH * 99 // 100), Limits()) == []
    assert kinds(SAID, scaled(ENERGY_MWH * 95 // 100), Limits()) == [CARBON, ENERGY]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"factor": 610_000, "carbon_forward_ug": carbon_ug(ENERGY_MWH, 610_000)}, [FACTOR]),
        ({"factor": None, "carbon_forward_ug": None}, [FACTOR]),
        ({"carbon_forward_ug": carbon_ug(ENERGY_MWH, 600_000) + 2}, [ARITHMETIC]),
        ({"carbon_forward_ug": carbon_ug(ENERGY_MWH, 600_000) + 1}, []),
        ({"carbon_forward_ug": 1}, [ARITHMETIC, CARBON]),
        ({"reverse_mwh": ENERGY_MWH, "carbon_reverse_ug": carbon_ug(ENERGY_MWH, 500_000)}, [ENERGY]),
        ({"reverse_factor": 1}, []),  # of energy that nobody sent back
        ({"forward_mwh": None}, [MISSING]),
    ],
)
def test_what_one_side_says_otherwise(changes: dict[str, int | None], expected: list[str]) -> None:
    assert kinds(SAID, replace(SAID, **changes)) == expected


def test_silence_is_told_with_the_side_that_is_silent() -> None:
    (missing,) = differences({0: SAID}, {}, LIMITS, SLOT_MS)
    assert missing.details == [{"start_ms": 0, "side": "theirs"}]
    (missing,) = differences({}, {0: SAID}, LIMITS, SLOT_MS)
    assert missing.details == [{"start_ms": 0, "side": "ours"}]


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        (Totals(1000, 500, 900, 450, 100, 50, 0, 0, 0, 0), []),
        (Totals(1000, 500, 900, 450, 90, 45, 0, 0, 10, 5), []),
        (Totals(1000, 500, 900, 450, 89, 45, 0, 0, 11, 5), [BOOKS]),
        (Totals(1000, 500, 900, 450, 100, 49, 0, 0, 0, 0), [BOOKS]),
        (Totals(1000, 500, 900, 450, 50, 25, 50, 25, 0, 0), []),
    ],
)
def test_the_other_sides_own_books_must_close(totals: Totals, expected: list[str]) -> None:
    assert kinds(SAID, replace(SAID, totals=totals)) == expected


@given(st.integers(0, 10**13), st.integers(0, 2**32 - 1), st.integers(0, 20_000), st.integers(0, 20_000))
def test_meters_within_their_limits_are_never_accused(energy: int, factor: int, ours: int, theirs: int) -> None:
    limits = Limits(20_000, 20_000)

    def reading(ppm: int, sign: int) -> Said:
        shown = energy + sign * (energy * ppm // 1_000_000)
        return Said(shown, 0, factor, None, carbon_ug(shown, factor), 0)

    assert kinds(reading(ours, 1), reading(theirs, -1), limits) == []


def energies(*mwh: int) -> dict[int, Said]:
    return {place * SLOT_MS: Said(energy, 0) for place, energy in enumerate(mwh)}


def test_clocks_that_differ_accuse_nobody_where_the_power_jumps() -> None:
    """Five seconds of the next slot's 10 MWh were counted in the slot before, in which little flowed."""
    early = ENERGY_MWH * 5 // 900
    assert differences(energies(0, ENERGY_MWH, 0), energies(early, ENERGY_MWH, 0), LIMITS, SLOT_MS) == []
    assert differences(energies(0, ENERGY_MWH, 0), energies(0, ENERGY_MWH - early, early), LIMITS, SLOT_MS) == []
    (found,) = differences(energies(0, 0, ENERGY_MWH), energies(early, 0, ENERGY_MWH), LIMITS, SLOT_MS)
    assert found.starts == [0]


def test_a_net_value_is_compared_with_what_remains_of_both_ways() -> None:
    both = Said(100 * ENERGY_MWH, 40 * ENERGY_MWH, 600_000, 500_000, 1, 1)
    for net, expected in ((60, []), (-60, [ENERGY, ENERGY]), (100, [ENERGY])):
        one = Said(max(net, 0) * ENERGY_MWH, max(-net, 0) * ENERGY_MWH, 600_000, 500_000)
        for ours, theirs in (
            (both, replace(one)),
            (one, replace(both, carbon_forward_ug=None, carbon_reverse_ug=None)),
        ):
            found = differences({0: ours}, {0: theirs}, LIMITS, SLOT_MS)
            assert [item.kind for item in found for _ in item.starts] == expected


def test_silence_before_both_spoke_is_no_finding() -> None:
    (found,) = differences(energies(1, 1, 1), {}, LIMITS, SLOT_MS, missing_from_ms=SLOT_MS)
    assert found.starts == [SLOT_MS, 2 * SLOT_MS]
