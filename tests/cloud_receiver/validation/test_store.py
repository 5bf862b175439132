"""What the rules get to see from the store: days before, journals, clocks, and numbers that are meant to break it."""

import asyncio
from dataclasses import replace

import pytest
from receiver_support import FakeGateway
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError
from store_support import DAY_END_MS, NAMES, Centre, day_of, record, records, station_registry
from validation_support import DAY_MS, GRID, KWH, SLOT_MS, SLOTS, Bench

from cloud_receiver import database, schema
from cloud_receiver.checks.load import contexts
from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.checks.runner import Runner
from cloud_receiver.config import Checks
from cloud_receiver.findings import Finding
from cloud_receiver.registry import Meter, Registry
from cloud_receiver.validation import load
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.estimates import Edit, Part, State, enter
from cloud_receiver.validation.methods import Method
from cloud_receiver.validation.model import Window
from cloud_receiver.validation.proposal import Proposer
from wire.records import DetailKey, EventCode, EventRecord, Quality

DAY = SLOTS * SLOT_MS
LARGEST = 2**61


def send(centre: Centre, bench: Bench) -> None:
    centre.store(records(row for found in bench.rows.values() for row in found))


def own(found: list[Finding]) -> dict[str, str | None]:
    """Return the rules' own findings, with their meters."""
    return {item.kind.removeprefix("validation_"): item.meter for item in found if item.kind.startswith("validation_")}


def with_meter(meter: int, **changes: object) -> Registry:
    """Return the registry with something else said of a meter."""
    registry = station_registry()
    (station,) = registry.station
    meters = tuple(
        Meter.model_validate(item.model_dump() | changes) if item.id == NAMES[meter] else item for item in station.meter
    )
    return registry.model_copy(update={"station": (station.model_copy(update={"meter": meters}),)})


def window(centre: Centre, history_days: int = 7) -> Window:
    with database.reading(centre.engine) as connection:
        (context,) = contexts(connection, centre.registry)
        return load.window(
            connection,
            context,
            (DAY_MS, DAY_END_MS),
            begin_ms=DAY_MS,
            deadline_ms=DAY_END_MS,
            history_days=history_days,
            coverage_factor=2.0,
        )


def test_an_exchange_of_both_registers_is_told(centre: Centre, bench: Bench) -> None:
    """Both have the same time and code, and differ in their details only."""
    send(centre, bench)
    details = {int(DetailKey.BEFORE): 9, int(DetailKey.AFTER): 0}
    time_ms = DAY_MS + 40 * SLOT_MS + 7
    centre.store(
        [
            EventRecord("C01", time_ms, EventCode.EXCHANGE, details | {int(DetailKey.DIRECTION): direction})
            for direction in (0, 1)
        ]
    )
    assert own(centre.check()) == {"meter_exchange": "C01"}


def test_energies_that_no_sum_holds_stop_no_check(centre: Centre, bench: Bench) -> None:
    first = bench.rows[1][0]
    minutes = [
        first._replace(start_ms=first.start_ms - DAY + place * 60_000, duration_ms=60_000, forward_mwh=LARGEST)
        for place in range(15)
    ]
    centre.store(records(minutes))
    send(centre, bench)
    found = centre.check()
    assert own([item for item in found if item.day_ms == DAY_MS - DAY])["high"] == "C01"
    assert own([item for item in found if item.day_ms == DAY_MS]) == {}
    (energy,) = window(centre).history[1].values()
    assert energy == 15 * 2**42


def test_the_days_before_have_both_directions(centre: Centre, bench: Bench) -> None:
    first = bench.rows[1][0]
    slots = [
        first._replace(start_ms=first.start_ms - DAY + place * SLOT_MS, forward_mwh=forward, reverse_mwh=reverse)
        for place, (forward, reverse) in enumerate([(5, 0), (0, 7), (3, LARGEST), (0, 0)])
    ]
    centre.store(records(slots))
    begin = first.start_ms - DAY
    found = window(centre)
    assert found.history == {1: {begin: 5, begin + 2 * SLOT_MS: 3}}
    assert found.given_back == {1: {begin + SLOT_MS: 7, begin + 2 * SLOT_MS: 2**42}}
    assert window(centre, history_days=0).given_back == {}


def test_a_register_that_falls_over_midnight_gaps_or_not(centre: Centre, bench: Bench) -> None:
    before = record(bench.rows[1][0])
    centre.store([replace(before, start_ms=DAY_MS - 10 * SLOT_MS, forward_total_mwh=9000 * KWH)])
    send(centre, bench)
    found = [item for item in centre.check() if item.day_ms == DAY_MS]
    assert own(found) == {"decreasing": "C01"}


def test_a_register_that_rises_beyond_its_power_in_a_gap_is_no_measured_total(centre: Centre, bench: Bench) -> None:
    def shifted(place: int, row: IntervalRow) -> IntervalRow | None:
        if 40 <= place < 44:
            return None
        return row if place < 44 else row._replace(forward_total_mwh=row.forward_total_mwh + 500 * KWH)

    truth = sum(row.forward_mwh for row in bench.rows[1][40:44])
    bench.change(1, shifted)
    send(centre, bench)
    found = [item for item in centre.check() if item.kind == "validation_high"]
    assert [(item.meter, item.evidence["slots"]) for item in found] == [("C01", ["2026-07-01T10:00:00+08:00"])]
    made = [item for item in centre.estimates() if item.state is State.IN_FORCE]
    # By the others, and beside no reading: those of the slot after the gap have not failed.
    assert {(item.method, item.replaces) for item in made} == {("balance", False)}
    assert [item.part.start_ms for item in made] == [DAY_MS + place * SLOT_MS for place in range(40, 44)]
    assert sum(item.part.forward_mwh for item in made) == pytest.approx(truth, abs=200_000)


def test_estimation_that_goes_on_over_midnight_counts_whole(centre: Centre, bench: Bench) -> None:
    poor = int(Quality.INTERPOLATED)
    last = [row._replace(quality=poor) for row in day_of(bench, -1, 7) if row.meter == 1][-5:]
    centre.store(records(last))
    bench.change(1, lambda place, row: row._replace(quality=poor) if place < 5 else row)
    send(centre, bench)
    assert window(centre).unmeasured == {1: frozenset(row.start_ms for row in last)}
    (item,) = [item for item in centre.check() if item.kind == "validation_prolonged_estimation"]
    numbers = item.evidence["numbers"]
    assert isinstance(numbers, dict)
    assert (item.day_ms, numbers["longest_run_slots"]) == (DAY_MS, 10)


@pytest.mark.parametrize("days", [1, 30])
def test_a_meter_clock_stays_off_until_it_is_right(days: int, centre: Centre, bench: Bench) -> None:
    send(centre, bench)
    off = EventRecord("C01", DAY_MS - days * DAY, EventCode.METER_CLOCK_OFF, {int(DetailKey.DEVIATION): 90_000})
    centre.store(
        [
            off,
            replace(off, meter="C02"),
            replace(off, meter="C02", time_ms=off.time_ms + 1, code=EventCode.METER_CLOCK_RIGHT),
        ]
    )
    assert own([item for item in centre.check() if item.day_ms == DAY_MS]) == {"meter_clock": "C01"}


def test_the_events_come_in_one_order(centre: Centre, bench: Bench) -> None:
    send(centre, bench)
    times = [DAY_MS + place for place in (5, 3, 3, 9)]
    centre.store([EventRecord("C01", time, EventCode.JUMP, {1: time}) for time in times])
    assert [item.time_ms for item in window(centre).events] == sorted(times)


def test_of_a_charger_known_by_orders_nothing_is_missed_nor_estimated(
    engine: Engine, gateway: FakeGateway, bench: Bench
) -> None:
    centre = Centre(engine, gateway, with_meter(2, only_orders=True))
    bench.rows[2] = []
    send(centre, bench)
    assert own(centre.check()) == {}
    assert centre.estimates() == []


def hours(rows: list[IntervalRow]) -> list[IntervalRow]:
    groups = [rows[place : place + 4] for place in range(0, len(rows), 4)]
    return [
        group[-1]._replace(
            start_ms=group[0].start_ms, duration_ms=4 * SLOT_MS, forward_mwh=sum(row.forward_mwh for row in group)
        )
        for group in groups
    ]


def test_an_hour_that_is_missing_is_estimated_until_it_comes(
    engine: Engine, gateway: FakeGateway, bench: Bench
) -> None:
    centre = Centre(engine, gateway, with_meter(GRID, interval_s=3600))
    bench.rows[GRID] = hours(bench.rows[GRID])
    late = bench.rows[GRID].pop(10)
    send(centre, bench)
    assert {(item.kind, item.meter) for item in centre.check()} == {("missing_intervals", "G")}
    made = centre.estimates()
    assert [item.part.start_ms for item in made] == [DAY_MS + place * SLOT_MS for place in range(40, 44)]
    assert {(item.method, item.state) for item in made} == {("register", State.IN_FORCE)}
    assert sum(item.part.forward_mwh for item in made) == late.forward_mwh
    centre.store(records([late]))
    assert centre.check() == []
    assert {item.state for item in centre.estimates()} == {State.MEASURED}


def test_nothing_is_estimated_of_the_time_after_a_meter_was_taken_out(
    engine: Engine, gateway: FakeGateway, bench: Bench
) -> None:
    until_ms = DAY_MS + 48 * SLOT_MS + 420_000
    centre = Centre(engine, gateway, with_meter(2, until="2026-07-01T12:07:00+08:00"))
    bench.recount(2, bench.counted(2)[:48] + [0] * 48)
    bench.balance()
    bench.rows[2] = bench.rows[2][:46]
    send(centre, bench)
    centre.check()
    made = [item for item in centre.estimates() if item.meter == 2]
    assert [item.part.start_ms + item.part.duration_ms for item in made] == [
        *(DAY_MS + place * SLOT_MS for place in (47, 48)),
        until_ms,
    ]


def test_an_hour_that_failed_is_estimated_whole(engine: Engine, gateway: FakeGateway, bench: Bench) -> None:
    centre = Centre(engine, gateway, with_meter(GRID, interval_s=3600))
    bench.rows[GRID] = hours(bench.rows[GRID])
    truth = bench.rows[GRID][10].forward_mwh
    bench.rows[GRID][10] = bench.rows[GRID][10]._replace(forward_mwh=LARGEST)
    send(centre, bench)
    assert own(centre.check())["high"] == "G"
    made = centre.estimates()
    assert [item.part.start_ms for item in made] == [DAY_MS + place * SLOT_MS for place in range(40, 44)]
    assert {(item.method, item.replaces) for item in made} == {("balance", True)}
    assert sum(item.part.forward_mwh for item in made) == pytest.approx(truth, abs=200_000)


@pytest.mark.parametrize(("count", "estimated"), [(5, True), (300, False)])
def test_crumbs_are_not_estimated_one_by_one(count: int, estimated: bool, centre: Centre, bench: Bench) -> None:
    row = bench.rows[1][30]
    crumbs = [
        row._replace(start_ms=row.start_ms + 2_000 * place, duration_ms=1_000, forward_mwh=0, sequence=10**6 + place)
        for place in range(count)
    ]
    bench.rows[1] = [*bench.rows[1][:30], *crumbs, *bench.rows[1][31:]]
    send(centre, bench)
    centre.check()
    assert bool(centre.estimates()) is estimated


def test_two_receivers_make_one_estimate(centre: Centre, bench: Bench) -> None:
    bench.change(1, lambda place, row: None if 40 <= place < 48 else row)
    send(centre, bench)
    other = Runner(centre.engine, centre.registry, centre.clock, Checks())

    async def both() -> None:
        await asyncio.gather(centre.runner.round(), other.round())
        await asyncio.gather(other.round(), centre.runner.round())

    asyncio.run(both())
    assert [item.version for item in centre.estimates()] == [1] * 8
    kinds = [item.kind for item in centre.check()]
    assert kinds == ["missing_intervals", "validation_prolonged_estimation"]


def test_a_receiver_that_comes_second_supersedes_nothing(centre: Centre, bench: Bench) -> None:
    """On a store without a lock for writers both may find the same version to be the next: only one is kept."""
    edit = Edit(1, "value", (Part(DAY_MS, SLOT_MS, 7, 0),), {})
    send(centre, bench)
    with database.writing(centre.engine) as connection:
        enter(connection, 1, edit, made_by="Li Ming", reason="x", now_ms=1)
    row = {"station": 1, "start_ms": DAY_MS, "meter": 1, "version": 1}
    with database.reading(centre.engine) as connection:
        stored = dict(connection.execute(select(schema.estimate)).mappings().one())
    with pytest.raises(IntegrityError), database.writing(centre.engine) as connection:
        connection.execute(insert(schema.estimate), [stored | row | {"edit": "b" * 16}])
    assert [item.edit for item in centre.estimates()] == [stored["edit"]]


BERLIN_MS = 1_792_886_400_000 - 2 * 3_600_000  # 2026-10-25T00:00:00+02:00, a day of 25 hours


def test_the_hour_that_comes_twice_has_like_days(engine: Engine, gateway: FakeGateway, bench: Bench) -> None:
    registry = station_registry()
    (station,) = registry.station
    centre = Centre(engine, gateway, Registry(station=(station.model_copy(update={"timezone": "Europe/Berlin"}),)))
    weeks = [
        replace(record(row), start_ms=row.start_ms - DAY_MS + BERLIN_MS - days * DAY)
        for days in (7, 14, 21)
        for row in bench.rows[1]
    ]
    centre.store(list(weeks))
    with database.reading(engine) as connection:
        (context,) = contexts(connection, centre.registry)
        # 02:00 to 03:00 in summer time, and again in winter time.
        edit = Proposer(connection, context, Validation(), 2.0).gap(
            1, BERLIN_MS + 8 * SLOT_MS, BERLIN_MS + 16 * SLOT_MS, Method.LIKE_DAY
        )
    hour = [row.forward_mwh for row in bench.rows[1][8:12]]
    assert [part.forward_mwh for part in edit.parts] == hour + hour


@pytest.mark.parametrize(("begin_ms", "slots"), [(BERLIN_MS, 100), (1_806_188_400_000, 92)])
def test_days_on_which_the_clocks_are_changed(begin_ms: int, slots: int, engine: Engine, gateway: FakeGateway) -> None:
    (station,) = station_registry().station
    centre = Centre(engine, gateway, Registry(station=(station.model_copy(update={"timezone": "Europe/Berlin"}),)))
    bench = Bench(1, slots=slots)
    gone = {2: range(50, 53)}
    sent = [
        row._replace(start_ms=row.start_ms - DAY_MS + begin_ms)
        for meter, found in bench.rows.items()
        for place, row in enumerate(found)
        if place not in gone.get(meter, ())
    ]
    centre.clock.wall_ms = begin_ms + slots * SLOT_MS + 1_800_000
    centre.store(records(sent))
    found = [(item.kind, item.meter, item.day_ms) for item in centre.check()]
    assert found == [("missing_intervals", "C02", begin_ms)]
    made = centre.estimates(begin_ms, begin_ms + slots * SLOT_MS)
    assert [part.part.start_ms for part in made] == [begin_ms + place * SLOT_MS for place in gone[2]]
    with database.reading(engine) as connection:
        balance = connection.execute(select(schema.slot_check.c.complete)).scalars().all()
    assert sum(balance) == slots - 3
