"""A month's balance: of its days, over gaps that registers bridge, and anew when one of its days changes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from checks_support import GRACE_MS, KWH, Centre, first
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, station_model
from sqlalchemy import Engine, update

from cloud_receiver import database, finding_history, schema
from cloud_receiver.checks import bridging, causes, load, month
from cloud_receiver.checks.month import Month
from cloud_receiver.config import Checks
from cloud_receiver.registry import Registry, Station
from wire.records import EventCode, EventRecord, FactorQuality, IntervalRecord, Quality

DAY_LENGTH_MS = 96 * SLOT_MS
FIRST_MS = DAY_MS + 29 * DAY_LENGTH_MS  # 2026-07-30: the station's first day
MONTH_END_MS = DAY_MS + 31 * DAY_LENGTH_MS
SLOTS = 193  # two days, and the first slot of August


def registers(name: str, energy: int, *, slots: range = range(SLOTS)) -> list[IntervalRecord]:
    """Return a meter's records, of a load that is on for half of each hour; carbon as its register has it."""
    result, total = [], 5 * KWH
    for number in range(SLOTS):
        amount = energy if number % 4 < 2 else 0
        total += amount
        carbon = [value * FACTOR // 1000 for value in (total - amount, total)]
        start = FIRST_MS + number * SLOT_MS
        result.append(
            IntervalRecord(
                *(name, start, SLOT_MS, amount, 0, total, 0, FACTOR, FactorQuality.DISPATCHED),
                *(carbon[1] - carbon[0], 0, carbon[1], 0, 15, Quality.MEASURED),
            )
        )
    return [result[number] for number in slots]


def station(**changes: object) -> Station:
    return station_model(1, since="2026-07-30T00:00:00+08:00", **changes)


@pytest.fixture
def centre(engine: Engine, gateway: FakeGateway) -> Centre:
    result = Centre(engine, gateway, Registry(station=(station(),)))
    result.clock.wall_ms = MONTH_END_MS + GRACE_MS
    result.dispatch({number + 29 * 96: FACTOR for number in range(SLOTS)})
    return result


def store(centre: Centre, *records: Sequence[IntervalRecord]) -> None:
    centre.store(sorted((each for some in records for each in some), key=lambda each: each.start_ms))


def made(centre: Centre) -> Month:
    registry = centre.registry
    with database.reading(centre.engine) as connection:
        context = load.contexts(connection, registry)[0]
        digest = causes.digest(context.station)
        return month.make(connection, context, DAY_MS, Checks(), begin_ms=FIRST_MS, registry=digest)


def without(records: list[IntervalRecord], gap: range) -> list[IntervalRecord]:
    return [each for each in records if (each.start_ms - FIRST_MS) // SLOT_MS not in gap]


def instant(slot: int) -> int:
    return FIRST_MS + slot * SLOT_MS


def test_a_clean_month_has_no_finding_and_one_run(centre: Centre) -> None:
    store(centre, registers("C01", 10 * KWH), registers("G", 10 * KWH))
    assert centre.check() == []
    found = made(centre)
    assert found.energy is not None
    assert found.carbon is not None
    assert (found.energy.slots, found.carbon.slots, found.expected_ms) == (192, 192, 192 * SLOT_MS)
    assert (list(found.bridged), list(found.missing)) == ([], [])
    assert found.energy.chargers_mwh == 96 * 10 * KWH
    assert found.carbon.chargers_ug == 96 * 10 * FACTOR * 1000
    one = 0.01 * KWH * (2 / 3) ** 0.5
    assert found.energy.terms_mwh["register_step"] == pytest.approx(one, abs=1)


def test_a_month_beyond_its_classes_is_a_finding_at_its_first_day(centre: Centre) -> None:
    store(centre, registers("C01", 10_300_000), registers("G", 10 * KWH))
    found = {item.kind: item for item in centre.check()}
    item = found["balance_month"]
    assert (item.day_ms, item.severity, item.evidence["month"]) == (DAY_MS, "alarm", "2026-07")
    assert (item.evidence["expected_slots"], item.evidence["missing_slots"]) == (192, 0)
    assert first(item)["imbalance_mwh"] == 96 * 300_000
    assert first(item)["imbalance_mwh"] > first(item)["tolerance_mwh"]
    assert "carbon_balance_month" not in found


def test_a_month_that_runs_is_not_judged_yet(centre: Centre) -> None:
    centre.clock.wall_ms -= 1
    store(centre, registers("C01", 10_300_000), registers("G", 10 * KWH))
    assert "balance_month" not in {item.kind for item in centre.check()}
    centre.clock.wall_ms += 1
    assert "balance_month" in {item.kind for item in centre.check()}


@pytest.mark.parametrize("gap", [range(50, 60), range(8), range(150, 192)], ids=["middle", "begin", "end"])
def test_a_register_bridges_a_gap(centre: Centre, gap: range) -> None:
    charger = registers("C01", 10 * KWH)
    before = [replace(charger[0], start_ms=instant(-1), forward_mwh=0, forward_total_mwh=5 * KWH, quality=0)]
    before[0] = replace(before[0], carbon_forward_ug=0, carbon_forward_total_ug=5 * KWH * FACTOR // 1000)
    grid = [replace(before[0], meter="G")]
    store(centre, before, grid, without(charger, gap), registers("G", 10 * KWH))
    centre.check()
    found = made(centre)
    assert list(found.bridged) == [(instant(gap.start), instant(gap.stop))]
    assert list(found.missing) == []
    assert found.energy is not None
    assert (found.energy.slots, found.energy.chargers_mwh) == (193, 96 * 10 * KWH)
    assert found.energy.terms_mwh["register_step"] == pytest.approx(0.01 * KWH * (2 / 3) ** 0.5, abs=1)
    assert found.carbon is not None
    assert (found.carbon.slots, found.carbon.chargers_ug) == (193, 96 * 10 * FACTOR * 1000)


def test_what_a_bridged_gap_hides_is_found_by_the_month(centre: Centre) -> None:
    """The charger counts 20 kWh too much in a gap of the records: no slot shows it, the registers do."""
    charger = registers("C01", 10 * KWH)
    high = [
        replace(each, forward_total_mwh=each.forward_total_mwh + 20 * KWH) if each.start_ms >= instant(60) else each
        for each in charger
    ]
    store(centre, without(high, range(50, 60)), registers("G", 10 * KWH))
    found = {item.kind: item for item in centre.check()}
    assert "balance_day" not in found
    assert first(found["balance_month"])["imbalance_mwh"] == 20 * KWH
    assert found["balance_month"].evidence["bridged"] == [["2026-07-30T12:30:00+08:00", "2026-07-30T15:00:00+08:00"]]


@pytest.mark.parametrize("code", [EventCode.RESET, EventCode.EXCHANGE, EventCode.JUMP, EventCode.GAP])
def test_a_register_that_was_broken_off_bridges_nothing(centre: Centre, code: EventCode) -> None:
    store(centre, without(registers("C01", 10 * KWH), range(50, 60)), registers("G", 10 * KWH))
    centre.store([EventRecord("C01", instant(55), code)])
    centre.check()
    found = made(centre)
    assert list(found.bridged) == []
    assert list(found.missing) == [(instant(50), instant(60))]
    assert found.energy is not None
    assert found.energy.slots == 182


def test_a_gap_at_whose_end_nothing_is_known_is_missing(centre: Centre) -> None:
    store(centre, without(registers("C01", 10 * KWH), range(180, SLOTS)), registers("G", 10 * KWH))
    centre.check()
    assert list(made(centre).missing) == [(instant(180), MONTH_END_MS)]


def test_an_interval_that_lacks_energy_bridges_nothing(centre: Centre) -> None:
    records = registers("C01", 10 * KWH)
    records[55] = replace(records[55], quality=Quality.PARTIAL)
    store(centre, records, registers("G", 10 * KWH))
    centre.check()
    assert list(made(centre).missing) == [(instant(55), instant(56))]


def test_more_than_the_rated_power_gives_is_no_bridge(centre: Centre) -> None:
    records = registers("C01", 10 * KWH)
    high = [replace(each, forward_total_mwh=each.forward_total_mwh + 500 * KWH) for each in records[60:]]
    store(centre, records[:50], high, registers("G", 10 * KWH))
    centre.check()
    assert list(made(centre).missing) == [(instant(50), instant(60))]


@pytest.mark.parametrize("broken", [False, True])
def test_a_new_journal_goes_on_with_the_meter_s_register(centre: Centre, gateway: FakeGateway, broken: bool) -> None:
    records = registers("C01", 10 * KWH)
    store(centre, records[:50], registers("G", 10 * KWH))
    if broken:
        centre.store([EventRecord("C01", instant(3), EventCode.EXCHANGE)])
    centre.gateway = replace(gateway, context=b"journal2")
    centre.next = 1
    centre.store(records[60:])
    centre.check()
    found = made(centre)
    assert list(found.bridged) == ([] if broken else [(instant(50), instant(60))])
    assert found.energy is not None
    assert found.energy.chargers_mwh == (92 if broken else 96) * 10 * KWH
    assert found.carbon is not None
    assert found.carbon.slots == 182  # the carbon register of a journal is its own


def test_late_records_change_the_month_and_the_finding_says_which(centre: Centre) -> None:
    charger = registers("C01", 10_300_000)
    store(centre, without(charger, range(50, 60)), registers("G", 10 * KWH))
    before = next(item for item in centre.check() if item.kind == "balance_month")
    assert before.evidence["bridged_slots"] == 10
    centre.clock.wall_ms += 600_000
    centre.store(charger[50:60])
    after = next(item for item in centre.check() if item.kind == "balance_month")
    assert after.evidence["bridged_slots"] == 0
    with database.reading(centre.engine) as connection:
        changes = finding_history.of(connection, after.id)
    assert [change.change for change in changes] == ["opened", "changed"]
    assert changes[1].cause["records"][0]["count"] == 10
    assert changes[1].cause["records"][0]["first"] == "2026-07-30T12:30:00+08:00"


def test_days_that_another_registry_summed_are_summed_anew(centre: Centre) -> None:
    store(centre, registers("C01", 10 * KWH), registers("G", 10 * KWH))
    centre.check()
    loss = {"fixed_w": "400"}
    centre.registry = Registry(station=(station(loss=loss),))
    found = made(centre)
    assert found.energy is not None
    assert found.energy.loss_mwh == 400 * 48 * 1000


def test_days_without_a_sum_are_summed_from_their_slots(centre: Centre) -> None:
    store(centre, registers("C01", 10 * KWH), registers("G", 10 * KWH))
    centre.check()
    with database.writing(centre.engine) as connection:
        connection.execute(update(schema.day_check).values(content="{}"))
    found = made(centre)
    assert found.energy is not None
    assert found.energy.slots == 192


def test_gaps_are_what_runs_leave() -> None:
    assert bridging.gaps([], 0, 10) == [(0, 10)]
    assert bridging.gaps([(0, 10)], 0, 10) == []
    assert bridging.gaps([(2, 4), (4, 6), (8, 9)], 0, 10) == [(0, 2), (6, 8), (9, 10)]
    assert bridging.gaps([(2, 4)], 4, 4) == []


@pytest.mark.parametrize(
    ("time_ms", "zone", "start_ms"),
    [
        (DAY_MS, "Asia/Shanghai", DAY_MS),
        (MONTH_END_MS - 1, "Asia/Shanghai", DAY_MS),
        (MONTH_END_MS, "Asia/Shanghai", MONTH_END_MS),
        (DAY_MS, "UTC", DAY_MS - 30 * DAY_LENGTH_MS + 8 * 3_600_000),
    ],
)
def test_a_month_begins_at_local_midnight(time_ms: int, zone: str, start_ms: int) -> None:
    assert month.start_ms(time_ms, zone) == start_ms
