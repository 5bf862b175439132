"""The factor memory: what is in force, what is refused, and how long it is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.factors import DAY_MS, SLOT_MS, FactorMemory, FactorQuality, FactorRefusedError

NOW = 1_800_000_000_000 - 1_800_000_000_000 % SLOT_MS


def test_before_any_factor_the_default_applies_or_none() -> None:
    assert FactorMemory().at(NOW).quality is FactorQuality.UNDEFINED
    in_force = FactorMemory(581_000).at(NOW)
    assert (in_force.factor, in_force.quality, in_force.start_ms) == (581_000, FactorQuality.DEFAULT, None)


def test_a_factor_is_dispatched_in_its_slot_and_held_after_it() -> None:
    memory = FactorMemory()
    memory.receive(NOW, 500_000, NOW)
    assert memory.at(NOW - 1).quality is FactorQuality.UNDEFINED
    assert memory.at(NOW).quality is FactorQuality.DISPATCHED
    assert memory.at(NOW + SLOT_MS - 1).quality is FactorQuality.DISPATCHED
    assert memory.at(NOW + SLOT_MS).quality is FactorQuality.HELD
    assert memory.at(NOW + 50 * SLOT_MS).factor == 500_000


def test_an_undefined_factor_is_not_zero() -> None:
    memory = FactorMemory(400_000)
    memory.receive(NOW, None, NOW)
    assert memory.at(NOW).factor is None
    assert memory.at(NOW).quality is FactorQuality.UNDEFINED
    memory.receive(NOW, 0, NOW)
    assert memory.at(NOW).factor == 0


@given(st.dictionaries(st.integers(-200, 150), st.integers(0, 10**6) | st.none(), max_size=40), st.integers(-250, 200))
def test_the_latest_received_slot_is_in_force(received: dict[int, int | None], asked: int) -> None:
    memory = FactorMemory()
    for slot, factor in received.items():
        memory.receive(NOW + slot * SLOT_MS, factor, NOW)
    earlier = [slot for slot in received if slot <= asked]
    expected = received[max(earlier)] if earlier else None
    assert memory.at(NOW + asked * SLOT_MS + 17).factor == expected
    later = [slot for slot in received if slot > asked]
    change = NOW + min(later) * SLOT_MS if later else None
    assert memory.next_change(NOW + asked * SLOT_MS + 17) == change


@pytest.mark.parametrize(
    ("start_ms", "factor", "reason"),
    [
        (NOW + 1, 5, "multiple of 15 min"),
        (NOW - 367 * DAY_MS, 5, "365 days before"),
        (NOW + 3 * DAY_MS, 5, "2 days after"),
        (NOW, -1, "mg/kWh"),
        (NOW, 2**32 - 1, "mg/kWh"),
    ],
)
def test_what_can_not_be_is_refused(start_ms: int, factor: int, reason: str) -> None:
    memory = FactorMemory()
    with pytest.raises(FactorRefusedError, match=reason):
        memory.receive(start_ms, factor, NOW)
    assert len(memory) == 0


def test_a_year_is_kept_and_no_more_than_that() -> None:
    memory = FactorMemory()
    for slot in range(400 * 96):
        now = NOW + slot * SLOT_MS
        memory.receive(now, slot, now)
    last = NOW + (400 * 96 - 1) * SLOT_MS
    assert len(memory) <= 366 * 96 + 2
    assert memory.at(last - 365 * DAY_MS).factor == 400 * 96 - 1 - 365 * 96
    assert memory.at(last).factor == 400 * 96 - 1
