"""Methods of estimation: what is shared adds up exactly, and each says why it can't be used."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from validation_support import DAY_MS, GRID, KWH, SLOT_MS, Bench, energies, rows

from cloud_receiver.checks.tolerance import SlotEnergy, balance
from cloud_receiver.registry import Loss
from cloud_receiver.validation import methods
from cloud_receiver.validation.methods import Span
from cloud_receiver.validation.model import EventRow
from wire.records import EventCode, Quality


@given(total=st.integers(0, 2**61), weights=st.lists(st.integers(0, 2**61), min_size=1, max_size=200))
def test_shares_add_up_and_follow_the_weights(total: int, weights: list[int]) -> None:
    parts = methods.shared(total, weights)
    assert sum(parts) == total
    assert min(parts) >= 0
    whole = sum(weights)
    if whole:
        # Carried remainders: no part is a whole mWh away from its due.
        assert all(abs(part * whole - total * weight) < whole for part, weight in zip(parts, weights, strict=True))
    else:
        assert max(parts) - min(parts) <= 1


@pytest.mark.parametrize(("total", "weights"), [(-1, [1]), (1, []), (1, [1, -1])])
def test_what_can_not_be_shared(total: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match="expected a total"):
        methods.shared(total, weights)


def test_pieces_are_cut_at_slots() -> None:
    assert methods.pieces(DAY_MS + 60_000, DAY_MS + 2 * SLOT_MS + 1) == [
        Span(DAY_MS + 60_000, SLOT_MS - 60_000),
        Span(DAY_MS + SLOT_MS, SLOT_MS),
        Span(DAY_MS + 2 * SLOT_MS, 1),
    ]


def test_gaps_join_across_slots() -> None:
    series = rows(1, [KWH] * 10)
    present = [*series[:3], series[3]._replace(duration_ms=300_000), *series[6:]]
    wanted = [DAY_MS + place * SLOT_MS for place in range(12)]
    assert methods.gaps(methods.covered(present, SLOT_MS), wanted) == [
        (DAY_MS + 3 * SLOT_MS + 300_000, DAY_MS + 6 * SLOT_MS),
        (DAY_MS + 10 * SLOT_MS, DAY_MS + 12 * SLOT_MS),
    ]
    assert methods.gaps(methods.covered(series, SLOT_MS), wanted[:10]) == []


def test_the_register_tells_what_a_gap_held() -> None:
    series = rows(1, [KWH, 2 * KWH, 3 * KWH, 4 * KWH])
    assert methods.register_total(series[0], series[3], []) == (5 * KWH, 0)


def test_why_the_register_does_not_tell() -> None:
    series = rows(1, [KWH] * 4)
    before, after = series[0], series[3]
    event = EventRow(DAY_MS + SLOT_MS + 1, 1, 1, EventCode.RESET, {})
    gap = event._replace(code=EventCode.GAP)
    assert methods.register_total(None, after, []) == "no interval before the gap"
    assert methods.register_total(before, None, []) == "no interval after the gap yet"
    assert methods.register_total(before, after._replace(journal=2), []) == "a new journal began in the gap"
    partial = after._replace(quality=int(Quality.PARTIAL))
    assert methods.register_total(before, partial, []) == "a segment of the register ends at the gap"
    for poor in (Quality.INTERPOLATED, Quality.ESTIMATED):
        for pair in ((before._replace(quality=int(poor)), after), (before, after._replace(quality=int(poor)))):
            assert methods.register_total(*pair, []) == "the register was not read beside the gap"
    for item in (event, gap):
        assert methods.register_total(before, after, [item]) == "the register began anew in the gap"
    assert methods.register_total(before, after, [event._replace(meter=2)]) == (2 * KWH, 0)
    lower = after._replace(forward_total_mwh=KWH)
    assert methods.register_total(before, lower, []) == "the register is lower after the gap than before it"


def test_like_days_are_averaged() -> None:
    spans = [Span(DAY_MS, SLOT_MS), Span(DAY_MS + SLOT_MS, SLOT_MS // 3)]
    likes = [{DAY_MS: (3 * KWH, 0), DAY_MS + SLOT_MS: (6 * KWH, 3)}, {DAY_MS: (5 * KWH, 0), DAY_MS + SLOT_MS: (0, 3)}]
    assert methods.like_day(likes, spans, 2) == [(4 * KWH, 0), (KWH, 1)]
    assert methods.like_day(likes, spans, 3) == "2 like days, expected 3"
    assert methods.like_day([likes[0], {}], spans, 2) == "1 like days, expected 2"


@pytest.mark.parametrize("number", [1, 2, 3, GRID])
def test_the_balance_gives_what_closes_it(number: int, bench: Bench) -> None:
    values = energies(1, bench.station)
    for place in range(96):
        present = {meter: (found[place], 0) for meter, found in values.items() if meter != number}
        result = methods.by_balance(bench.station, present, number, DAY_MS, 2.0)
        assert not isinstance(result, str)
        net, tolerance = result
        # The truth of the bench has the model's own loss, so that it is found to the rounding of the loss.
        assert abs(net - values[number][place]) <= 5
        closed = balance(bench.station, [SlotEnergy(DAY_MS, present | {number: (net, 0)})], 2.0)
        assert closed is not None
        assert abs(closed.imbalance_mwh) <= 1
        assert tolerance > 0


def test_why_the_balance_does_not_give_it(bench: Bench) -> None:
    values = {meter: (found[0], 0) for meter, found in energies(1, bench.station).items()}
    rest = {meter: pair for meter, pair in values.items() if meter > 2}
    assert methods.by_balance(bench.station, rest, 1, DAY_MS, 2.0) == "other meters have not reported"
    assert methods.by_balance(bench.station, values, 9, DAY_MS, 2.0) == "the meter is not in the balance"
    wild = Bench(station=bench.station)
    station = wild.station.station.model_copy(update={"loss": Loss(branch_ohm=Decimal(10**6))})
    broken = type(bench.station)(1, station, bench.station.meters, {})
    present = {meter: pair for meter, pair in values.items() if meter != 1}
    present[GRID] = (50 * KWH, 0)
    assert methods.by_balance(broken, present, 1, DAY_MS, 2.0) == "the loss model does not settle"
