"""The daily report in its three forms, against golden output."""

import asyncio
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, interval, station_model
from sqlalchemy import Engine, insert

from clock import ManualClock
from cloud_receiver import database, report, report_text, report_words, schema
from cloud_receiver.checks.model import Kind
from cloud_receiver.checks.runner import Runner
from cloud_receiver.commit import Committer
from cloud_receiver.config import Checks
from cloud_receiver.counters import Counters
from cloud_receiver.enrolment import enrolled
from cloud_receiver.quarantine import Quarantine
from cloud_receiver.registry import Registry
from cloud_receiver.report import Report, ReportError
from cloud_receiver.report_text import Language
from cloud_receiver.verify import verify
from wire.records import AdjustmentRecord, FreezeKind, FreezeRecord, FreezeSource, Quality, Record

GOLDEN = Path(__file__).parent / "golden"
DAY = date(2026, 7, 1)
NEXT_DAY_MS = DAY_MS + 96 * SLOT_MS


def records() -> list[Record]:
    """Return a day: C01 and C02 charge 1 kWh in every slot, C03 is silent from noon on, the grid sees 3.1 kWh.

    C01 has a freeze of its own beside the gateway's; the grid side's is one of a month, too.
    """
    result: list[Record] = []
    for slot in range(96):
        result += [interval(slot, "C01"), interval(slot, "C02", quality=Quality(slot == 5))]
        result += [interval(slot, "C03")] if slot < 48 else []
        result.append(interval(slot, "G", energy=3_100_000))
    result.append(AdjustmentRecord("C01", DAY_MS, SLOT_MS, 1_000_000, 0, FACTOR, FACTOR, 0, 0, b"s"))
    result += [frozen("C01", 96_000_000), frozen("G", 297_600_000)]
    monthly = frozen("G", 297_600_000, FreezeKind.MONTHLY)
    carbon = 96_000_000 * FACTOR // 1000
    own = FreezeRecord("C01", NEXT_DAY_MS, FreezeKind.DAILY, 95_990_000, 10_000, carbon, 0, FreezeSource.METER)
    return [*result, monthly, own]


def frozen(meter: str, forward: int, kind: FreezeKind = FreezeKind.DAILY) -> FreezeRecord:
    return FreezeRecord(
        meter, NEXT_DAY_MS, kind, forward, 0, forward * FACTOR // 1000, 0, FreezeSource.GATEWAY_MEASURED
    )


@pytest.fixture
def made(engine: Engine, gateway: FakeGateway, registry: Registry) -> Report:
    committer = Committer(engine, Quarantine(60, 100), Counters())
    with database.reading(engine) as connection:
        known = enrolled(connection)
    everything = records()
    for place in range(0, len(everything), 64):
        envelope = gateway.envelope(place + 1, everything[place : place + 64])
        committer.commit([verify(gateway.topic, envelope, known)], (), DAY_MS)
    with database.writing(engine) as connection:
        rows = [
            {
                "node": "node1",
                "start_ms": DAY_MS + slot * SLOT_MS,
                "issued_ms": 1,
                "slot_ms": SLOT_MS,
                "factor": FACTOR,
                "solve_id": b"x",
            }
            for slot in range(96)
        ]
        connection.execute(insert(schema.factor), rows)
    runner = Runner(engine, registry, ManualClock(wall_ms=NEXT_DAY_MS + 1_800_000), Checks())
    asyncio.run(runner.round())
    with database.reading(engine) as connection:
        return report.make(connection, registry, Checks(), "S1", DAY)


@pytest.mark.parametrize("language", list(Language))
def test_table(language: Language, made: Report) -> None:
    assert report_text.table_text(made, language) == (GOLDEN / f"report.{language}.txt").read_text()


def test_csv(made: Report) -> None:
    assert report_text.csv_text(made) == (GOLDEN / "report.csv").read_text()


def test_json(made: Report) -> None:
    content = json.loads(report_text.json_text(made))
    assert content == json.loads((GOLDEN / "report.json").read_text())
    # Exact values leave as text: no reader turns them into floats by itself.
    assert content["meters"][0]["energy_forward_kwh"] == "96.000000"
    assert content["meters"][0]["carbon_forward_kg"] == "54.748800000"


def test_an_adjustment_counts_where_its_interval_does(engine: Engine, gateway: FakeGateway, registry: Registry) -> None:
    # A journal was lost: the same interval comes in a second one, both were adjusted.
    change = AdjustmentRecord("C01", DAY_MS, SLOT_MS, 1_000_000, 0, FACTOR, FACTOR + 1000, 1_000_000, 0, b"s")
    committer = Committer(engine, Quarantine(60, 100), Counters())
    with database.reading(engine) as connection:
        known = enrolled(connection)
    for context in (b"journal1", b"journal2"):
        envelope = gateway.envelope(1, [interval(0), change], context=context)
        committer.commit([verify(gateway.topic, envelope, known)], (), DAY_MS)
    with database.reading(engine) as connection:
        found = report.make(connection, registry, Checks(), "S1", DAY).meters[0]
    assert (found.intervals, found.carbon_forward_ug) == (1, interval(0).carbon_forward_ug + 1_000_000)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_finding_has_its_words(kind: Kind, made: Report) -> None:
    finding = replace(made.findings[0], kind=kind.value, evidence={"slots": [], "details": []})
    text = report_text.table_text(replace(made, findings=[finding]), Language.BOTH)
    assert f" {report_words.WORDS[kind][1]}:" in text


def test_a_name_can_not_write_to_the_terminal() -> None:
    assert report_text.printable("C01 充电桩\x1b[2J\n\u202e") == "C01 充电桩\\x1b[2J\\n\\u202e"


def test_a_station_without_any_record(engine: Engine, registry: Registry) -> None:
    with database.reading(engine) as connection:
        empty = report.make(connection, registry, Checks(), "S1", DAY)
    assert empty.balance is None
    assert [(meter.meter, meter.intervals, meter.expected) for meter in empty.meters][-1] == ("G", 0, 96)
    assert "no slot in which every meter reported" in report_text.table_text(empty, Language.ENGLISH)


def test_an_unknown_station_names_the_known_ones(engine: Engine, registry: Registry) -> None:
    with (
        database.reading(engine) as connection,
        pytest.raises(ReportError, match=r"'S9' is not in the registry \(known: S1\)"),
    ):
        report.make(connection, registry, Checks(), "S9", DAY)


def test_a_day_of_the_clock_change_has_its_own_number_of_slots(engine: Engine) -> None:
    summer = Registry(station=(station_model(timezone="Europe/Berlin"),))
    with database.reading(engine) as connection:
        assert report.make(connection, summer, Checks(), "S1", date(2026, 3, 29)).slots_in_day == 92
