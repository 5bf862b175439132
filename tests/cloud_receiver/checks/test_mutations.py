"""Two honest days at the end of a month with one fault each: the check of that name finds it, and no other does.

What follows from a fault for certain is named too. The rules of validation have a table of their own, and are off here.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from checks_support import KWH
from month_end_support import Days
from receiver_support import FACTOR, SLOT_MS, FakeGateway
from sqlalchemy import Engine

from wire.records import (
    AdjustmentRecord,
    DetailKey,
    EventCode,
    EventRecord,
    FactorQuality,
    FreezeRecord,
    FreezeSource,
    IntervalRecord,
    Record,
)

M = "C02"
"""The meter that most faults are seeded in."""
Found = set[tuple[str, str | None]]


def found(days: Days, engine: Engine, gateway: FakeGateway, **settings: object) -> Found:
    centre = days.centre(engine, gateway, **settings)
    centre.store(days.records())
    return {(item.kind, item.meter) for item in centre.check()}


def station(*kinds: str) -> Found:
    return {(kind, None) for kind in kinds}


def meter(*kinds: str, name: str = M) -> Found:
    return {(kind, name) for kind in kinds}


def wrong_carbon(days: Days) -> None:
    """Have a little too much carbon in one interval, and the register go on from it."""
    at = days.busy(M)

    def change(key: tuple[str, int], each: IntervalRecord) -> IntervalRecord:
        if key[0] != M or key[1] < at:
            return each
        more = 5000 if key[1] == at else 0
        return replace(
            each,
            carbon_forward_ug=each.carbon_forward_ug + more,
            carbon_forward_total_ug=each.carbon_forward_total_ug + 5000,
        )

    days.changes.append(change)
    days.frozen = lambda each: (
        replace(each, carbon_forward_total_ug=each.carbon_forward_total_ug + 5000)
        if each.meter == M and each.time_ms > days.first_ms
        else each
    )


def jump(days: Days) -> None:
    """Have a register go on elsewhere."""
    days.changes.append(
        lambda key, each: (
            replace(each, forward_total_mwh=each.forward_total_mwh + KWH) if key[0] == M and key[1] >= 30 else each
        )
    )
    days.frozen = lambda each: (
        replace(each, forward_total_mwh=each.forward_total_mwh + KWH)
        if each.meter == M and each.time_ms > days.first_ms
        else each
    )


def again(days: Days) -> None:
    place = days.busy(M)
    days.more.append(days.intervals()[M, place])


def frozen(days: Days, name: str, source: FreezeSource, **more: int) -> None:
    """Have one midnight's freeze stand elsewhere than it should."""

    def change(each: FreezeRecord) -> FreezeRecord:
        if (each.meter, each.source, each.time_ms) != (name, source, days.midnights[1]):
            return each
        return replace(each, **{key: getattr(each, key) + value for key, value in more.items()})  # type: ignore[arg-type] # whole numbers

    days.frozen = change


def stranger(days: Days) -> None:
    days.more.append(replace(days.intervals()[M, 3], meter="X9"))


def old_factor(days: Days, quality: FactorQuality, slots: int) -> None:
    """Count some slots with another factor than was dispatched; the registers go on from there."""
    first = days.busy(M)
    counted = days.intervals()
    lost = [
        counted[M, number].forward_mwh * (FACTOR - 500_000) // 1000 if first <= number < first + slots else 0
        for number in range(days.slots)
    ]

    def change(key: tuple[str, int], each: IntervalRecord) -> IntervalRecord:
        if key[0] != M:
            return each
        less = lost[key[1]]
        total = each.carbon_forward_total_ug - sum(lost[: key[1] + 1])
        each = replace(each, carbon_forward_total_ug=total)
        if not first <= key[1] < first + slots:
            return each
        carbon = each.carbon_forward_ug - less
        return replace(each, factor=500_000, factor_quality=quality, carbon_forward_ug=carbon)

    def later(each: FreezeRecord) -> FreezeRecord:
        number = (each.time_ms - days.first_ms) // SLOT_MS
        less = sum(lost[:number]) if each.meter == M else 0
        return replace(each, carbon_forward_total_ug=each.carbon_forward_total_ug - less)

    days.changes.append(change)
    days.frozen = later


def part_settled(days: Days) -> None:
    """Settle a held factor by an adjustment that has the wrong amount."""
    old_factor(days, FactorQuality.HELD, 1)
    place = days.busy(M)
    each = days.intervals()[M, place]
    more = each.forward_mwh * (FACTOR - 500_000) // 1000
    change = (M, each.start_ms, SLOT_MS, each.forward_mwh, 0, 500_000, FACTOR, more + 5000, 0, b"solve")
    days.more.append(AdjustmentRecord(*change))


def event_of(days: Days) -> None:
    counts = {int(DetailKey.COUNT): 7, int(DetailKey.FIRST_SEQUENCE): 3, int(DetailKey.LAST_SEQUENCE): 9}
    days.more.append(EventRecord(None, days.first_ms + 5 * SLOT_MS, EventCode.RECORDS_DROPPED, counts))


Seed = Callable[[Days], object]
# A charge that comes to 7 kg instead of 8 is far beyond tolerance in its slot, and nothing beside a day's.
IMBALANCE = station("balance_slot", "balance_day", "balance_month")
CASES: dict[str, tuple[Seed, Found]] = {
    "nothing": (lambda days: None, set()),
    "one slot is far off": (lambda days: days.extra.update({(M, days.busy(M)): 4 * KWH}), station("balance_slot")),
    "a charger shows too much": (
        lambda days: days.gain.update({M: 50}),
        station("balance_slot", "balance_day", "balance_month") | meter("charger_error"),
    ),
    "all chargers show too much": (lambda days: days.gain.update(C01=40, C02=40), IMBALANCE),
    "the grid side shows too little": (lambda days: days.gain.update(G=-50), IMBALANCE),
    "the grid side is registered the other way round": (
        lambda days: days.meters.update(G={"inverted": True}),
        IMBALANCE,
    ),
    "another factor all the time": (
        lambda days: days.factor.update({M: FACTOR + 60_000}),
        meter("factor_mismatch") | station("carbon_balance_slot", "carbon_balance_day", "carbon_balance_month"),
    ),
    "another factor in one slot": (
        lambda days: old_factor(days, FactorQuality.DISPATCHED, 1),
        meter("factor_mismatch") | station("carbon_balance_slot"),
    ),
    "a held factor that nobody settles": (
        lambda days: old_factor(days, FactorQuality.HELD, 1),
        meter("factor_unsettled") | station("carbon_balance_slot"),
    ),
    "an adjustment of the wrong amount": (part_settled, meter("carbon_arithmetic")),
    "carbon that is not energy times factor": (wrong_carbon, meter("carbon_arithmetic")),
    "intervals that never came": (lambda days: days.drop(M, range(30, 34)), meter("missing_intervals")),
    "a register that jumps": (jump, meter("register_discontinuity")),
    "an interval told twice": (again, meter("overlapping_intervals")),
    "an interval beyond its slot": (
        lambda days: days.change(M, [30], duration_ms=SLOT_MS + 1),
        meter("interval_span", "missing_intervals"),
    ),
    "a meter nobody registered": (stranger, meter("unknown_meter", name="X9")),
    "a meter's freeze that is off": (
        lambda days: frozen(days, "C01", FreezeSource.METER, forward_total_mwh=40 * KWH),
        meter("freeze_difference", name="C01"),
    ),
    "a gateway's freeze that is not its register": (
        lambda days: frozen(days, M, FreezeSource.GATEWAY_MEASURED, forward_total_mwh=1),
        meter("freeze_difference"),
    ),
    "a gateway's frozen carbon that is not its register": (
        lambda days: frozen(days, M, FreezeSource.GATEWAY_MEASURED, carbon_forward_total_ug=1),
        meter("freeze_difference"),
    ),
    "a device that counts carbon of its own": (
        lambda days: setattr(days, "device_gain", 100),
        meter("carbon_party_day", name="C01"),
    ),
    "records given up": (event_of, station("records_dropped")),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_found_by_its_check_alone(name: str, engine: Engine, gateway: FakeGateway) -> None:
    days = Days()
    seed, expected = CASES[name]
    seed(days)
    assert found(days, engine, gateway) == expected


def test_a_gateway_below_its_limits(engine: Engine, gateway: FakeGateway) -> None:
    days = Days()
    days.drop(M, range(10, 50))
    kinds = {kind for kind, _ in found(days, engine, gateway, complete_percent="98")}
    assert kinds == {"missing_intervals", "completeness_day", "completeness_month"}


def fed_back(days: Days) -> None:
    """Have vehicles feed back what they took (V2G), more than others take now and then."""
    days.flow[M] = [(0, forward) if place % 3 else (forward, 0) for place, (forward, _) in enumerate(days.flow[M])]


def idle(days: Days) -> None:
    days.flow = {name: [(0, 0)] * days.slots for name in days.flow}


def near_their_limits(days: Days) -> None:
    days.gain.update(C01=8, C02=-8, G=4)


def behind_conversion(days: Days) -> None:
    """Have both meter what comes out of them, one of a better make than the registry says."""
    days.gain.update(C01=-50, C02=-35)
    days.meters.update(C01={"dc_output": True}, C02={"dc_output": True})


HONEST: dict[str, Seed] = {
    "vehicles that feed back": fed_back,
    "a station nobody uses": idle,
    "meters near the limits of their classes": near_their_limits,
    "chargers that meter their output": behind_conversion,
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_station_has_no_finding(name: str, engine: Engine, gateway: FakeGateway) -> None:
    days = Days()
    HONEST[name](days)
    assert found(days, engine, gateway) == set()


BERLIN_OCTOBER_MS = 1_792_792_800_000  # 2026-10-24 00:00 +02:00; the day after has 25 hours
BERLIN_MARCH_MS = 1_774_652_400_000  # 2026-03-28 00:00 +01:00; the day after has 23 hours


@pytest.mark.parametrize(("first_ms", "slots"), [(BERLIN_OCTOBER_MS, 197), (BERLIN_MARCH_MS, 189)])
def test_a_day_on_which_the_clock_changes_has_no_finding(
    first_ms: int, slots: int, engine: Engine, gateway: FakeGateway
) -> None:
    days = Days(first_ms, "Europe/Berlin")
    assert days.slots == slots
    assert found(days, engine, gateway, complete_percent="100") == set()


def test_minutes_are_balanced_as_slots_are(engine: Engine, gateway: FakeGateway) -> None:
    """A meter whose records are minutes among others whose are slots."""
    days = Days(meters={M: {"interval_s": 60}})
    centre = days.centre(engine, gateway)
    records = [piece for each in days.records() for piece in (minutes(each) if of_m(each) else [each])]
    centre.store(records)
    assert {(item.kind, item.meter) for item in centre.check()} == set()


def of_m(each: Record) -> bool:
    return isinstance(each, IntervalRecord) and each.meter == M


def minutes(each: Record) -> list[Record]:
    assert isinstance(each, IntervalRecord)
    energy = [each.forward_mwh * number // 15 for number in range(16)]
    before = each.forward_total_mwh - each.forward_mwh
    carbon = [(each.carbon_forward_total_ug - each.carbon_forward_ug) + amount * FACTOR // 1000 for amount in energy]
    return [
        replace(
            each,
            start_ms=each.start_ms + number * 60_000,
            duration_ms=60_000,
            forward_mwh=energy[number + 1] - energy[number],
            forward_total_mwh=before + energy[number + 1],
            carbon_forward_ug=carbon[number + 1] - carbon[number],
            carbon_forward_total_ug=carbon[number + 1],
        )
        for number in range(15)
    ]


def test_a_late_gateway_leaves_nothing_open(engine: Engine, gateway: FakeGateway) -> None:
    """Everything of a meter comes after the month was judged without it."""
    days = Days()
    centre = days.centre(engine, gateway)
    records = days.records()
    late = [each for each in records if getattr(each, "meter", None) == M]
    centre.store([each for each in records if each not in late])
    assert {(item.kind, item.meter) for item in centre.check()} == meter("missing_intervals")
    centre.store(late)
    assert centre.check() == []
