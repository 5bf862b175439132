"""From a file to the store: what is entered, what again, what contradicts, and that it is signed."""

import asyncio
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from intake_support import Bench, Message, batch
from metered_support import (
    FIRST_MS,
    HOUR_MS,
    NOW_MS,
    dispatch,
    form,
    hours,
    intervals,
    registry,
    rows,
    run,
    shown,
    surroundings,
    wish,
    write,
)
from receiver_support import enrol, interval, stored_sequences
from row_counts_support import counted, kept

from cloud_receiver import database, enrolment, schema
from cloud_receiver.checks import gateways
from cloud_receiver.checks.load import contexts, slots
from cloud_receiver.checks.readings import continuity
from cloud_receiver.metered_import import importing, journal, signing
from cloud_receiver.metered_import.signing import ImportKeyError
from cloud_receiver.metered_import.wish import Outcome, Surroundings
from cloud_receiver.mistakes import InputError
from wire.envelope import KeyRing, open_envelope
from wire.keys import load_private
from wire.records import DetailKey, EventCode, EventRecord, FactorQuality, FreezeKind, FreezeSource, Quality

DAY = ["1"] * 24


def energies(around: Surroundings) -> list[tuple[int, int, int]]:
    """Return (hour, energy, cumulative register) in kWh of what is stored."""
    return [
        ((row.start_ms - FIRST_MS) // HOUR_MS, row.forward_mwh // 1_000_000, row.forward_total_mwh // 1_000_000)
        for row in intervals(around.engine)
    ]


def discontinuities(around: Surroundings) -> list[Any]:
    with database.reading(around.engine) as connection:
        (context,) = contexts(connection, around.registry)
        starts = {row.start_ms // 900_000 * 900_000 for row in intervals(around.engine)}
        return [found for slot in slots(connection, context, starts, 0, 2**50) for found in continuity(slot)]


def test_what_is_imported_is_counted_among_the_rows_of_its_station(around: Surroundings) -> None:
    for text in (hours(*DAY), hours("1", "2", first_ms=FIRST_MS + 23 * HOUR_MS)):
        run(around, text)
        assert kept(around.engine) == counted(around.engine)
    assert sum(records for records, _ in kept(around.engine).values()) > 25


def test_energies_become_records_whose_registers_add_up(around: Surroundings) -> None:
    outcome = run(around, hours("1", "2", "", "4"))
    assert (outcome.new, outcome.same, outcome.gaps, outcome.forward_mwh) == (3, 0, 1, 7_000_000)
    assert energies(around) == [(0, 1, 1), (1, 2, 3), (3, 4, 7)]
    first = intervals(around.engine)[0]
    assert (first.duration_ms, first.readings, first.quality) == (HOUR_MS, 1, Quality.MEASURED)
    assert (first.factor, first.factor_quality) == (None, FactorQuality.UNDEFINED)


def test_the_same_file_again_stores_nothing(around: Surroundings) -> None:
    run(around, hours(*DAY))
    before = {table: rows(around.engine, table) for table in (schema.interval, schema.message, schema.event)}
    outcome = run(around, hours(*DAY))
    assert (outcome.new, outcome.same, outcome.records) == (0, 24, 0)
    assert before == {table: rows(around.engine, table) for table in before}


def test_a_file_that_goes_on_does_so_in_the_same_journal(around: Surroundings) -> None:
    run(around, hours("1", "2"), base_mwh=100_000_000)
    outcome = run(around, hours("1", "2", "3"))
    assert (outcome.new, outcome.same, outcome.begun) == (1, 2, False)
    assert energies(around) == [(0, 1, 101), (1, 2, 103), (2, 3, 106)]
    assert len(rows(around.engine, schema.journal)) == 1
    assert [(row.first, row.last) for row in rows(around.engine, schema.received_range)] == [(1, 8)]
    assert discontinuities(around) == []


def test_other_values_are_refused_line_by_line_and_the_rest_entered(around: Surroundings) -> None:
    run(around, hours("1", "2", "3"))
    outcome = run(around, hours("1", "7", "3", "4"))
    assert (outcome.new, outcome.same, outcome.refused) == (1, 2, 1)
    (problem,) = outcome.contradictions
    assert (problem.file, problem.place) == ("utility.csv", "line 3")
    assert "expected what is stored: 2 kWh forward" in problem.text
    assert energies(around) == [(0, 1, 1), (1, 2, 3), (2, 3, 6), (3, 4, 10)]


def test_a_correction_stands_beside_and_counts(around: Surroundings) -> None:
    run(around, hours("1", "2", "3"))
    outcome = run(around, hours("1", "7", "3"), correct=True)
    assert (outcome.corrected, outcome.same, outcome.begun) == (1, 2, True)
    assert energies(around) == [(0, 1, 1), (1, 2, 3), (1, 7, 8), (2, 3, 6)]
    again = run(around, hours("1", "7", "3"))
    assert (again.same, again.refused, again.records) == (3, 0, 0)
    assert run(around, hours("1", "2", "3")).refused == 1
    assert discontinuities(around) == []


def test_a_correction_of_the_last_interval_is_what_the_next_one_goes_on_from(around: Surroundings) -> None:
    run(around, hours("1", "2"))
    run(around, hours("1", "5"), correct=True)
    run(around, hours("1", "5", "1"))
    assert energies(around)[-1] == (2, 1, 7)
    assert discontinuities(around) == []


def test_what_fills_a_gap_begins_a_journal_so_that_no_register_jumps(around: Surroundings) -> None:
    run(around, hours("1", "", "3"))
    outcome = run(around, hours("1", "2", "3", "4"))
    assert (outcome.new, outcome.begun) == (2, True)
    assert energies(around) == [(0, 1, 1), (1, 2, 3), (2, 3, 4), (3, 4, 8)]
    assert discontinuities(around) == []


def test_journals_of_imports_are_no_lost_journals(around: Surroundings) -> None:
    run(around, hours("1", "", "3"))
    run(around, hours("1", "2", "3"))
    run(around, hours("1", "2", "3", "", "5"))
    now = around.clock.now_ms()
    with database.reading(around.engine) as connection:
        station = connection.execute(schema.station.select()).one().id
        assert gateways.findings(connection, station, now - 1, now + 1) == []


@pytest.mark.parametrize(("before", "reports_status"), [(1, False), (0, True)])
def test_a_device_hides_no_journal_behind_an_import(around: Surroundings, before: int, *, reports_status: bool) -> None:
    gateway = enrol(around.engine, "gw1")
    bench = Bench(around.engine)
    opening = EventRecord(None, NOW_MS, EventCode.CONTEXT_OPENED, {})
    said = EventRecord("C01", NOW_MS, EventCode.IMPORTED, {})
    first, second = [opening, interval(0)], [opening, *[interval(1)] * before, said]
    for context, records in ((b"journal1", first), (b"journal2", second)):
        bench.take(Message(gateway.topic, gateway.envelope(1, [*records], context=context)))
    with database.writing(around.engine) as connection:
        owner = connection.execute(schema.gateway.select().where(schema.gateway.c.name == "gw1")).one()
        connection.execute(schema.journal.update().values(opened_ms=NOW_MS))
        if reports_status:
            status = {"state": 1, "time_ms": 0, "seen_ms": 0, "context": b"journal2", "next_sequence": 3}
            counts = {"unacknowledged": 0, "clock_state": 1, "dropped": 0}
            connection.execute(schema.gateway_status.insert().values(gateway=owner.id, **status, **counts))
        found = gateways.findings(connection, owner.station, NOW_MS, NOW_MS + 1)
    assert [item.kind for item in found] == ["journal_opened"]


def test_registers_bridge_gaps_of_the_file(around: Surroundings) -> None:
    text = "time,register_kwh\n" + "".join(
        f"{shown(FIRST_MS + hour * HOUR_MS)},{value}\n" for hour, value in ((0, 100), (1, 101), (4, 110), (5, 112))
    )
    outcome = run(around, text)
    assert outcome.gaps == 1
    assert energies(around) == [(0, 1, 101), (4, 2, 112)]


def test_a_file_of_registers_joins_the_last_register_stored(around: Surroundings) -> None:
    def text(*found: tuple[int, int]) -> str:
        lines = [f"{shown(FIRST_MS + hour * HOUR_MS)},{value}" for hour, value in found]
        return "\n".join(["time,register_kwh", *lines, ""])

    run(around, text((0, 100), (1, 101)))
    outcome = run(around, text((2, 103), (3, 104)))
    assert (outcome.new, outcome.begun) == (2, False)
    assert energies(around) == [(0, 1, 101), (1, 2, 103), (2, 1, 104)]
    assert run(around, text((2, 103), (3, 104))).records == 0
    run(around, text((4, 109)))
    assert energies(around)[-1] == (3, 5, 109)
    # 9000 kWh in an hour is not what this meter counts: its register is another one now.
    run(around, text((5, 9000), (6, 9001)))
    assert energies(around)[-1] == (5, 1, 9001)
    assert discontinuities(around) == []


def test_registers_go_on_over_a_rollover_between_two_files(around: Surroundings) -> None:
    def text(*values: str, first: int) -> str:
        lines = [f"{shown(FIRST_MS + (first + place) * HOUR_MS)},{value}" for place, value in enumerate(values)]
        return "\n".join(["time,register_kwh", *lines, ""])

    wanted = form(rollover=Decimal(1000))
    run(around, text("998", "999", "1", first=0), form=wanted)
    run(around, text("2", "3", first=3), form=wanted)
    assert energies(around) == [(0, 1, 999), (1, 2, 1001), (2, 1, 1002), (3, 1, 1003)]


def test_midnights_are_frozen_and_the_first_of_a_month_twice(around: Surroundings) -> None:
    run(around, hours(*DAY, "1", first_ms=FIRST_MS - HOUR_MS * 24))
    found = [(row.time_ms, row.kind, row.forward_total_mwh, row.source) for row in rows(around.engine, schema.freeze)]
    measured = FreezeSource.GATEWAY_MEASURED
    assert found == [
        (FIRST_MS - HOUR_MS * 24, FreezeKind.DAILY, 0, measured),
        (FIRST_MS, FreezeKind.DAILY, 24_000_000, measured),
        (FIRST_MS, FreezeKind.MONTHLY, 24_000_000, measured),
    ]


def test_an_interval_over_a_local_midnight_is_divided_there(tmp_path: Path) -> None:
    around = surroundings(tmp_path, registry(timezone="Asia/Kolkata"))
    midnight = FIRST_MS + 2 * HOUR_MS + HOUR_MS // 2  # 00:00 at +05:30
    outcome = run(around, hours("1", "1", "0.000003", "1"))
    assert outcome.divided == 1
    parts = [row for row in intervals(around.engine) if row.duration_ms < HOUR_MS]
    assert [(row.start_ms, row.forward_mwh, row.quality) for row in parts] == [
        (midnight - HOUR_MS // 2, 1, Quality.ESTIMATED),
        (midnight, 2, Quality.INTERPOLATED),
    ]
    (freeze, _) = rows(around.engine, schema.freeze)
    assert (freeze.time_ms, freeze.forward_total_mwh) == (midnight, 2_000_001)
    assert freeze.source == FreezeSource.GATEWAY_INTERPOLATED
    assert run(around, hours("1", "1", "0.000003", "1")).same == 4


def test_carbon_is_that_of_the_factors_dispatched(around: Surroundings) -> None:
    dispatch(around, FIRST_MS, *[500_000] * 4, *[500_000, 500_000, 600_000, 600_000], *[None] * 4)
    outcome = run(around, hours("1", "1.000001", "1", "1"))
    assert (outcome.divided, outcome.without_factor) == (1, 2)
    found = [
        (row.duration_ms // 60_000, row.forward_mwh, row.factor, row.factor_quality, row.carbon_forward_ug)
        for row in intervals(around.engine)
    ]
    assert found == [
        (60, 1_000_000, 500_000, FactorQuality.DISPATCHED, 500_000_000),
        (30, 500_000, 500_000, FactorQuality.DISPATCHED, 250_000_000),
        (30, 500_001, 600_000, FactorQuality.DISPATCHED, 300_000_600),
        (60, 1_000_000, None, FactorQuality.UNDEFINED, 0),
        (60, 1_000_000, None, FactorQuality.UNDEFINED, 0),
    ]
    assert intervals(around.engine)[-1].carbon_forward_total_ug == 1_050_000_600


def test_by_slot_divides_every_interval(around: Surroundings) -> None:
    outcome = run(around, hours("0.000007"), by_slot=True)
    assert outcome.divided == 1
    assert [row.forward_mwh for row in intervals(around.engine)] == [1, 2, 2, 2]


def test_who_imported_what_is_in_the_signed_journal(around: Surroundings) -> None:
    outcome = run(around, hours("1"))
    (message,) = rows(around.engine, schema.message)
    ring = KeyRing()
    ring.add(load_private(signing.key_file(around.data_dir, "utility")).public_key(), "utility")
    open_envelope(bytes(message.envelope), message.topic, ring)
    opened, imported = sorted(rows(around.engine, schema.event), key=lambda row: row.sequence)
    assert (opened.code, imported.code) == (EventCode.CONTEXT_OPENED, EventCode.IMPORTED)
    details = json.loads(imported.details)
    assert details[str(int(DetailKey.TEXT))] == "utility.csv by Li Lei"
    assert details[str(int(DetailKey.DIGEST))] == outcome.sha256
    assert details[str(int(DetailKey.COUNT))] == 1
    assert imported.time_ms == around.clock.now_ms()


def test_a_long_name_is_cut_and_none_too_long_to_travel(around: Surroundings) -> None:
    run(around, hours("1"), name="电" * 300, by="碳" * 300)
    details = json.loads(rows(around.engine, schema.event)[-1].details)
    assert len(details[str(int(DetailKey.TEXT))].encode()) <= 256


def test_the_checks_are_told(around: Surroundings) -> None:
    run(around, hours("1", "1"))
    spans = [(row.first_ms, row.last_ms) for row in rows(around.engine, schema.dirty)]
    assert (FIRST_MS, FIRST_MS + HOUR_MS) in spans


def test_a_wrong_line_keeps_all_out_unless_it_may_be_left_out(around: Surroundings) -> None:
    text = hours("1", "x", "3")
    with pytest.raises(InputError, match="line 3 column 2"):
        run(around, text)
    assert intervals(around.engine) == []
    outcome = run(around, text, skip_bad=True)
    assert (outcome.new, outcome.told.count) == (2, 1)


def test_a_dry_run_stores_nothing_and_enrols_nobody(around: Surroundings) -> None:
    outcome = run(around, hours("1", "2"), dry_run=True)
    assert (outcome.new, outcome.records, outcome.context) == (2, 6, "")
    assert rows(around.engine, schema.gateway) == rows(around.engine, schema.interval) == []
    assert not signing.key_file(around.data_dir, "utility").exists()


def test_without_a_key_nothing_is_entered(around: Surroundings) -> None:
    with pytest.raises(ImportKeyError, match="--enrol makes its key"):
        run(around, hours("1"), enrol=False)


def test_the_name_of_a_gateway_that_sends_itself_is_not_taken(around: Surroundings) -> None:
    enrol(around.engine, "utility")
    with pytest.raises(ImportKeyError, match="a gateway that sends by itself"):
        run(around, hours("1"))
    assert intervals(around.engine) == []


def test_the_centres_own_key_may_be_enrolled_for_it(around: Surroundings) -> None:
    with database.writing(around.engine) as connection:
        enrolment.add(connection, "utility", around.key.public_key(), "S1", 0)
    assert run(around, hours("1"), enrol=False).new == 1


def test_a_revoked_key_signs_nothing(around: Surroundings) -> None:
    run(around, hours("1"))
    with database.writing(around.engine) as connection:
        enrolment.revoke(connection, "utility", None, around.clock.now_ms())
    with pytest.raises(ImportKeyError):
        run(around, hours("1", "2"))


def test_an_import_that_was_interrupted_goes_on(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "BATCH", 4)
    path = write(around.data_dir, hours(*DAY))

    slow = replace(around, pace=journal.Pace(messages=2, attempts=1))

    async def cut() -> None:
        def told(text: str) -> None:
            if text.startswith("storing: 16 "):
                asyncio.current_task().cancel()  # type: ignore[union-attr]  # a task runs it

        await importing.run(path, wish(around), slow, told)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cut())
    stored = len(intervals(around.engine))
    assert 0 < stored < 24
    outcome = run(around, hours(*DAY))
    assert (outcome.same, outcome.new, outcome.begun) == (stored, 24 - stored, False)
    assert energies(around)[-1] == (23, 1, 24)
    assert discontinuities(around) == []


def test_two_imports_at_once_take_turns(around: Surroundings) -> None:
    one = write(around.data_dir, hours(*DAY), "one.csv")
    two = write(around.data_dir, hours(*["2"] * 24, first_ms=FIRST_MS + 24 * HOUR_MS), "two.csv")

    async def both() -> list[Outcome]:
        signing.enrol(around.engine, "utility", "S1", data_dir=around.data_dir, centre_key=around.key, now_ms=0)
        return list(await asyncio.gather(*(importing.run(path, wish(around), around) for path in (one, two))))

    assert [outcome.new for outcome in asyncio.run(both())] == [24, 24]
    assert len(intervals(around.engine)) == 48
    assert rows(around.engine, schema.quarantine) == []
    ranges = [(row.first, row.last) for row in rows(around.engine, schema.received_range)]
    assert all(first == 1 for first, _ in ranges)


def test_a_journal_that_another_program_wrote_into_is_told(around: Surroundings) -> None:
    run(around, hours("1"))
    writer = journal.Writer(
        around.engine,
        around.registry,
        around.intake,
        around.clock,
        signing.signer(around.engine, "utility", around.data_dir, around.key, around.clock.now_ms()),
    )
    with database.reading(around.engine) as connection:
        owner = connection.execute(schema.gateway.select()).one()
        found = journal.newest(connection, "utility")
    assert found is not None
    place = journal.Place(found[1].context, 2)
    event = journal.opened(None, 0, bytes).opening
    with pytest.raises(journal.ImportConflictError, match="import again"):
        asyncio.run(
            writer.write(enrolment.GatewayRow(owner.id, owner.name, owner.station), place, event, lambda _: None)
        )


def test_an_import_beside_a_running_intake_loses_nothing_of_either(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "BATCH", 2)
    monkeypatch.setattr(journal, "PAUSE_S", 0.001)
    gateway = enrol(around.engine, "gw1")
    bench = Bench(around.engine)
    path = write(around.data_dir, hours(*DAY))
    messages = [batch(gateway, first, 1) for first in range(1, 41)]

    async def both() -> Outcome:
        running = asyncio.create_task(bench.intake.run())
        imported = asyncio.create_task(
            importing.run(path, wish(around), replace(around, pace=journal.Pace(messages=1, attempts=3)))
        )
        for message in messages:
            bench.intake.receive(message)
            await asyncio.sleep(0)
        outcome = await imported
        bench.intake.stop()
        await running
        return outcome

    assert asyncio.run(both()).new == 24
    assert len(intervals(around.engine)) == 24
    assert stored_sequences(around.engine) == list(range(1, 41))
    assert all(message.acked for message in messages)
    assert rows(around.engine, schema.quarantine) == []
