"""What is kept of a finding's changes, and why they came about: late records, factors, the registry, deadlines."""

import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "checks"))

from checks_support import DAY_END_MS, GRACE_MS, SLOTS, Centre, day, slots_of  # needs the path above
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway
from sqlalchemy import Engine, select

from cloud_receiver import database, finding_history, findings, schema
from cloud_receiver.checks.day import Draft
from cloud_receiver.checks.model import Context
from cloud_receiver.finding_history import Change
from cloud_receiver.registry import Registry


@pytest.fixture
def centre(engine: Engine, gateway: FakeGateway, registry: Registry) -> Centre:
    result = Centre(engine, gateway, registry)
    result.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    return result


def history(centre: Centre, number: int) -> list[Change]:
    with database.reading(centre.engine) as connection:
        return finding_history.of(connection, number)


def test_a_finding_that_late_records_close_says_which(centre: Centre) -> None:
    records = day()
    late = [record for record in records if record.meter == "C02"]
    centre.store([record for record in records if record.meter != "C02"])
    (item,) = centre.check()
    centre.clock.wall_ms += 600_000
    centre.store(late)
    assert centre.check() == []
    opened, closed = history(centre, item.id)
    assert (opened.change, opened.state, opened.evidence, opened.cause) == ("opened", None, None, {"first_check": True})
    assert (closed.change, closed.changed_ms) == ("closed", centre.clock.wall_ms)
    assert (closed.state, closed.severity) == ("open", "warning")
    assert (closed.first_ms, closed.last_ms) == (DAY_MS, DAY_END_MS - SLOT_MS)
    assert closed.evidence == item.evidence
    assert closed.cause == {
        "records": [
            {
                "gateway": "gw1",
                "count": SLOTS,
                "kinds": {"intervals": SLOTS},
                "meters": ["C02"],
                "meter_count": 1,
                "first": "2026-07-01T00:00:00+08:00",
                "last": "2026-07-01T23:45:00+08:00",
                "received_first": "2026-07-02T00:40:00+08:00",
                "received_last": "2026-07-02T00:40:00+08:00",
            }
        ]
    }


def test_late_records_that_open_a_closed_finding_again_say_so(centre: Centre) -> None:
    records = day()
    missing = [record for record in records if record.meter == "C02"]
    centre.store([record for record in records if record.meter != "C02"])
    (item,) = centre.check()
    centre.store(missing)
    assert centre.check() == []
    wrong = replace(missing[40], carbon_forward_ug=missing[40].carbon_forward_ug + 5_000)
    centre.store([wrong])
    found = {each.kind for each in centre.check()}
    assert "overlapping_intervals" in found
    again = next(each for each in centre.check() if each.kind == "overlapping_intervals")
    (opened,) = history(centre, again.id)
    assert opened.cause["records"][0]["count"] == 1
    assert opened.cause["records"][0]["first"] == "2026-07-01T10:00:00+08:00"
    assert [change.change for change in history(centre, item.id)] == ["opened", "closed"]


def test_what_changed_of_a_finding_is_kept_each_time(centre: Centre) -> None:
    records = day()
    late = [record for record in records if record.meter == "C02"]
    centre.store([record for record in records if record.meter != "C02"])
    centre.check()
    for place in range(0, 30, 10):
        centre.store(late[place : place + 10])
        item = next(each for each in centre.check() if each.kind == "missing_intervals")
    changes = history(centre, item.id)
    assert [change.change for change in changes] == ["opened", "changed", "changed", "changed"]
    assert [len(change.evidence["slots"]) for change in changes if change.evidence] == [SLOTS, SLOTS - 10, SLOTS - 20]
    assert len(slots_of(item)) == SLOTS - 30


def test_changes_while_the_day_runs_are_one(centre: Centre) -> None:
    records = [record for record in day() if record.meter != "C02"]
    for number in range(10, 20):
        centre.clock.wall_ms = DAY_MS + number * SLOT_MS + GRACE_MS
        centre.store([record for record in records if record.start_ms == DAY_MS + (number - 1) * SLOT_MS])
        found = centre.check()
    item = next(each for each in found if each.meter == "C02")
    opened, changed = history(centre, item.id)
    assert (opened.change, changed.change, changed.times) == ("opened", "changed", 9)
    assert changed.changed_ms == centre.clock.wall_ms
    assert changed.evidence is not None
    assert len(slots_of(item)) == len(changed.evidence["slots"]) + 9


def test_a_deadline_that_passes_is_a_cause(centre: Centre) -> None:
    centre.clock.wall_ms = DAY_MS + 11 * SLOT_MS
    centre.store([record for record in day() if record.start_ms < DAY_MS + 10 * SLOT_MS])
    assert centre.check() == []
    centre.clock.wall_ms = DAY_MS + 13 * SLOT_MS
    item = centre.check()[0]
    (opened,) = history(centre, item.id)
    assert opened.cause == {"time_passed": True}


def test_a_factor_that_comes_late_is_a_cause(centre: Centre) -> None:
    centre.store([replace(record, factor_quality=1) for record in day()])
    assert centre.check() == []
    centre.clock.wall_ms += 3_600_000
    centre.dispatch({4: FACTOR + 1000}, issued_ms=centre.clock.wall_ms)
    centre.store([replace(day()[0], meter="X9")])
    centre.clock.wall_ms += GRACE_MS + SLOT_MS
    centre.notice()
    found = [each for each in centre.check() if each.kind == "factor_unsettled"]
    assert len(found) == 4
    (opened,) = history(centre, found[0].id)
    assert opened.cause["factors"]["count"] == 1
    assert opened.cause["factors"]["first"] == "2026-07-01T01:00:00+08:00"
    assert opened.cause["records"][0]["count"] == 1


def test_a_registry_that_changed_is_a_cause(centre: Centre) -> None:
    centre.store(list(day({"C02": 20})))
    before = {each.kind for each in centre.check()}
    assert "charger_error" in before
    station = centre.registry.station[0]
    meters = tuple(meter.model_copy(update={"accuracy_class": Decimal(5)}) for meter in station.meter)
    centre.registry = Registry(station=(station.model_copy(update={"meter": meters}),))
    centre.restart()
    centre.notice()
    assert centre.check() == []
    for item in centre.check(closed=True):
        closed = history(centre, item.id)[-1]
        assert (closed.change, closed.cause) == ("closed", {"registry": True})


def test_an_acknowledgement_is_a_change(centre: Centre) -> None:
    centre.store([record for record in day() if record.meter != "C02"])
    (item,) = centre.check()
    with database.writing(centre.engine) as connection:
        assert findings.acknowledge(connection, item.id, 5)
        assert not findings.acknowledge(connection, item.id, 6)
    assert [(change.change, change.changed_ms, change.state) for change in history(centre, item.id)[1:]] == [
        ("acknowledged", 5, "open")
    ]


def test_the_number_of_changes_that_are_kept_is_bounded(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding_history, "MOST", 3)
    records = day()
    late = [record for record in records if record.meter == "C02"]
    centre.store([record for record in records if record.meter != "C02"])
    centre.check()
    for place in range(5):
        centre.store([late[place]])
        (item,) = centre.check()
    changes = history(centre, item.id)
    assert [(change.change, change.times) for change in changes] == [("opened", 1), ("changed", 1), ("changed", 4)]
    assert changes[-1].evidence is not None
    assert len(changes[-1].evidence["slots"]) == SLOTS - 1


def test_what_opens_and_closes_again_and_again_is_bounded_too(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding_history, "MOST", 3)
    centre.store([record for record in day() if record.meter != "C02"])
    (item,) = centre.check()
    context = Context(1, centre.registry.station[0], {}, {})
    draft = Draft("missing_intervals", item_meter(centre, item.id), "warning", [item.first_ms], [], {})
    for number in range(4):
        for drafts in ([], [draft]):
            with database.writing(centre.engine) as connection:
                findings.synchronise(connection, context, item.day_ms, drafts, 10 + number)
    changes = history(centre, item.id)
    assert [(change.change, change.times) for change in changes] == [("opened", 1), ("closed", 1), ("reopened", 7)]
    assert (changes[-1].state, changes[-1].changed_ms) == ("closed", 13)


def item_meter(centre: Centre, number: int) -> int:
    with database.reading(centre.engine) as connection:
        found = connection.execute(select(schema.finding.c.meter).where(schema.finding.c.id == number))
        return int(found.scalar_one())


def test_the_newest_change_of_several_findings(centre: Centre) -> None:
    centre.store([record for record in day() if record.meter not in {"C01", "C02"}])
    first, second = centre.check()
    with database.writing(centre.engine) as connection:
        findings.acknowledge(connection, second.id, 5)
        found = finding_history.latest(connection, [first.id, second.id, 99])
    assert {number: change.change for number, change in found.items()} == {
        first.id: "opened",
        second.id: "acknowledged",
    }
