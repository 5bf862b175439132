"""The rules at the end of a day: findings by rule, what late data change, and that nothing else is touched."""

import json
from dataclasses import replace

import pytest
from receiver_support import FakeGateway
from sqlalchemy import Engine
from store_support import DAY_END_MS, Centre, record, records
from validation_support import DAY_MS, KWH, SLOT_MS, Bench

from cloud_receiver import database
from cloud_receiver.findings import Finding
from cloud_receiver.registry import Registry
from cloud_receiver.validation import estimates
from cloud_receiver.validation.automatic import author
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.estimates import Edit, Part, State
from wire.records import DetailKey, EventCode, EventRecord


def everything(bench: Bench) -> list[object]:
    return [row for found in bench.rows.values() for row in found]


def of_rule(found: list[Finding], rule: str) -> list[Finding]:
    return [item for item in found if item.kind == f"validation_{rule}"]


def test_a_healthy_day_has_no_finding_and_no_estimate(centre: Centre, bench: Bench) -> None:
    centre.store(records(row for found in bench.rows.values() for row in found))
    assert centre.check() == []
    assert centre.estimates() == []


def test_too_high_an_interval_is_found_once_the_day_is_over(centre: Centre, bench: Bench) -> None:
    bench.rows[1][20] = bench.rows[1][20]._replace(forward_mwh=40 * KWH)
    centre.store(records(row for found in bench.rows.values() for row in found))
    centre.clock.wall_ms = DAY_END_MS + 29 * 60_000
    assert of_rule(centre.check(), "high") == []
    centre.clock.wall_ms = DAY_END_MS + 30 * 60_000
    before = centre.intervals()
    (item,) = of_rule(centre.check(), "high")
    assert (item.meter, item.severity, item.state) == ("C01", "warning", "open")
    assert (item.evidence["rule"], item.evidence["verdict"]) == ("high", "failed")
    assert item.evidence["slots"] == ["2026-07-01T05:00:00+08:00"]
    assert centre.intervals() == before


def test_what_a_check_tells_of_is_not_told_twice(centre: Centre, bench: Bench) -> None:
    bench.change(1, lambda place, row: None if place == 10 else row)
    bench.rows[2][30] = bench.rows[2][30]._replace(duration_ms=SLOT_MS + 1)
    centre.store(records(row for found in bench.rows.values() for row in found))
    kinds = {(item.kind, item.meter) for item in centre.check()}
    assert {("missing_intervals", "C01"), ("interval_span", "C02")} <= kinds
    assert not [kind for kind, _ in kinds if kind in {"validation_gap", "validation_interval_length"}]


def test_late_data_close_a_finding_and_it_tells_what_changed(centre: Centre, bench: Bench) -> None:
    off = EventRecord("C01", DAY_MS + SLOT_MS, EventCode.METER_CLOCK_OFF, {int(DetailKey.DEVIATION): 90_000})
    centre.store([*records(row for found in bench.rows.values() for row in found), off])
    (item,) = of_rule(centre.check(), "meter_clock")
    assert (item.severity, item.evidence["verdict"], "changed" in item.evidence) == ("info", "suspect", False)
    assert centre.check() == [item]

    centre.clock.wall_ms += 60_000
    centre.store([replace(off, time_ms=DAY_MS + 40 * SLOT_MS)])
    (more,) = of_rule(centre.check(), "meter_clock")
    change = changes(more)[0]
    assert (change["verdict"], change["slots"], change["gone"]) == (["suspect", "suspect"], [1, 2], [])
    assert change["added"] == ["2026-07-01T10:00:00+08:00"]
    assert change["at"] == "2026-07-01T16:31:00+00:00"


def test_a_finding_that_is_healed_is_closed_and_says_why(centre: Centre, bench: Bench) -> None:
    late = [row for row in bench.rows[2] if row.start_ms >= DAY_MS + 60 * SLOT_MS]
    bench.rows[2] = bench.rows[2][:60]
    centre.store(records(row for found in bench.rows.values() for row in found))
    (item,) = of_rule(centre.check(), "prolonged_estimation")
    assert (item.meter, item.evidence["count"]) == ("C02", 36)
    centre.store(records(late))
    assert centre.check() == []
    (closed,) = of_rule(centre.check(closed=True), "prolonged_estimation")
    assert closed.state == "closed"
    last = changes(closed)[-1]
    assert (last["verdict"], last["slots"]) == (["suspect", "passed"], [36, 0])
    assert {item.state for item in centre.estimates()} == {State.MEASURED}


def changes(item: Finding) -> list[dict[str, object]]:
    found = item.evidence["changed"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("settings", [Validation(enabled=False), Validation(off=("high",))])
def test_rules_that_are_switched_off(
    settings: Validation, engine: Engine, gateway: FakeGateway, registry: Registry, bench: Bench
) -> None:
    centre = Centre(engine, gateway, registry, settings)
    bench.rows[1][20] = bench.rows[1][20]._replace(forward_mwh=40 * KWH)
    centre.store(records(row for found in bench.rows.values() for row in found))
    found = centre.check()
    assert of_rule(found, "high") == []
    assert "register_discontinuity" in {item.kind for item in found}


def test_late_readings_end_estimates_where_no_rule_is_run(
    engine: Engine, gateway: FakeGateway, registry: Registry, bench: Bench
) -> None:
    """Of slots that were missing; which readings fail nobody knows then, so that what replaces them stays."""
    centre = Centre(engine, gateway, registry, Validation(enabled=False))
    late = bench.rows[2][60:62]
    bench.rows[2] = [row for row in bench.rows[2] if row not in late]
    centre.store(records(row for found in bench.rows.values() for row in found))
    centre.check()
    missing = Edit(2, "value", tuple(Part(row.start_ms, SLOT_MS, 7, 0) for row in late), {})
    failing = Edit(1, "register", (Part(DAY_MS + 20 * SLOT_MS, SLOT_MS, 7, 0),), {}, replaces=True)
    with database.writing(engine) as connection:
        estimates.enter(connection, 1, missing, made_by="Li Ming", reason="no network", now_ms=1)
        estimates.enter(connection, 1, failing, made_by=author(), reason="validation failed: high", now_ms=1)
    centre.store(records(late[:1]))
    centre.check()
    found = {(item.meter, item.part.start_ms): item.state for item in centre.estimates()}
    assert found == {
        (2, late[0].start_ms): State.MEASURED,
        (2, late[1].start_ms): State.IN_FORCE,
        (1, DAY_MS + 20 * SLOT_MS): State.IN_FORCE,
    }


def test_evidence_is_plain_json(centre: Centre, bench: Bench) -> None:
    bench.recount(1, [row.forward_mwh * 10 for row in bench.rows[1]])
    centre.store([record(row) for found in bench.rows.values() for row in found])
    found = {item.kind: item for item in centre.check()}
    assert {"validation_multiplier", "validation_high", "balance_day"} <= found.keys()
    item = found["validation_multiplier"]
    assert item.meter == "C01"
    assert json.loads(json.dumps(item.evidence))["numbers"]["named_ratio"] == "10"
