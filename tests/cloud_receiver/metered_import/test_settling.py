"""The receiver settles what was imported by itself: once, a bounded part at a time, and what came meanwhile too."""

import asyncio
import fcntl
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from metered_support import FIRST_MS, HOUR_MS, NOW_MS, dispatch, hours, intervals, rows, run, surroundings

from clock import SystemClock
from cloud_receiver import database, enrolment, schema
from cloud_receiver.config import Centre, Settings
from cloud_receiver.metered_import import journal, settle, settling, signing
from cloud_receiver.metered_import.settling import PART_MS, Settling
from cloud_receiver.metered_import.wish import Surroundings
from cloud_receiver.service import Service
from wire import keys

WEEK_H = PART_MS // HOUR_MS
EARLY_MS = (FIRST_MS // PART_MS - 4) * PART_MS + 24 * HOUR_MS


def rounds(task: Settling, count: int = 1) -> list[int]:
    async def some() -> list[int]:
        return [await task.round() for _ in range(count)]

    return asyncio.run(some())


def changes(around: Surroundings) -> list[tuple[int | None, int]]:
    found = sorted(rows(around.engine, schema.adjustment), key=lambda row: row.sequence)
    return [(row.factor_used, row.factor_now) for row in found]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the parts that are looked at, as they are."""
    parts: list[int] = []
    real = settle.settle

    async def noted(*arguments: Any, within: tuple[int, int], **named: Any) -> Any:
        parts.append(within[0] // PART_MS)
        assert within[1] - within[0] == PART_MS
        return await real(*arguments, within=within, **named)

    monkeypatch.setattr(settle, "settle", noted)
    return parts


def test_a_late_factor_settles_and_a_corrected_one_again(around: Surroundings) -> None:
    run(around, hours("1", "2"))
    task = Settling(around)
    assert rounds(task) == [0]
    dispatch(around, FIRST_MS, *[500_000] * 8)
    assert rounds(task, 2) == [2, 0]
    dispatch(around, FIRST_MS, *[500_000] * 4, *[600_000] * 4, issued_ms=NOW_MS + 1)
    assert rounds(task, 2) == [1, 0]
    assert changes(around) == [(None, 500_000), (None, 500_000), (500_000, 600_000)]
    assert len(intervals(around.engine)) == 2


def test_what_came_while_the_receiver_did_not_run_is_settled_after_its_start(around: Surroundings) -> None:
    run(around, hours("1"))
    dispatch(around, FIRST_MS, *[500_000] * 4)
    assert rounds(Settling(around)) == [1]
    assert rounds(Settling(around), 2) == [0, 0]


def test_only_the_parts_of_new_factors_are_looked_at_again(around: Surroundings, looked_at: list[int]) -> None:
    run(around, hours("1", *[""] * (3 * WEEK_H), "1", first_ms=EARLY_MS))
    dispatch(around, EARLY_MS, *[500_000] * 4)
    task = Settling(around)
    first = EARLY_MS // PART_MS
    assert rounds(task) == [1]
    assert looked_at == list(range(first, first + 4))
    looked_at.clear()
    late = EARLY_MS + (3 * WEEK_H + 1) * HOUR_MS
    dispatch(around, late, *[400_000] * 4, issued_ms=NOW_MS + 1)
    assert rounds(task, 2) == [1, 0]
    assert looked_at == [late // PART_MS]
    assert changes(around) == [(None, 500_000), (None, 400_000)]


def test_a_slot_may_be_of_an_interval_that_began_in_the_part_before() -> None:
    begin = (FIRST_MS // PART_MS + 1) * PART_MS
    assert settling._parts_of(begin) == (begin // PART_MS - 1, begin // PART_MS)
    assert settling._parts_of(begin + HOUR_MS) == (begin // PART_MS,) * 2


def test_a_round_is_bounded(around: Surroundings, looked_at: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    run(around, hours("1", *[""] * (3 * WEEK_H), "1", first_ms=EARLY_MS))
    dispatch(around, EARLY_MS, *[500_000] * (4 * (3 * WEEK_H + 2)))
    monkeypatch.setattr(settling, "MOST_PARTS", 3)
    task = Settling(around)
    assert rounds(task) == [1]
    assert len(looked_at) == 3
    assert rounds(task, 2) == [1, 0]
    assert len(looked_at) == 4


def test_an_import_that_is_under_way_comes_first(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    run(around, hours("1"))
    dispatch(around, FIRST_MS, *[500_000] * 4)
    monkeypatch.setattr(settling, "BRISK", replace(journal.BRISK, wait_s=0.0))
    task = Settling(around)
    with (around.data_dir / "import.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert rounds(task) == [0]
    assert rounds(task) == [1]


def test_a_store_elsewhere_is_settled_where_nothing_was_imported(around: Surroundings, tmp_path: Path) -> None:
    run(around, hours("1"))
    dispatch(around, FIRST_MS, *[500_000] * 4)
    elsewhere = replace(around, data_dir=tmp_path / "elsewhere")
    assert rounds(Settling(elsewhere)) == [0]  # without the key
    with database.writing(around.engine) as connection:
        enrolment.add(connection, "utility", around.key.public_key(), "S1", NOW_MS)
    assert rounds(Settling(elsewhere)) == [1]


def test_what_nobody_may_sign_is_told_once(around: Surroundings, caplog: pytest.LogCaptureFixture) -> None:
    run(around, hours("1"))
    with database.writing(around.engine) as connection:
        enrolment.revoke(connection, "utility", None, NOW_MS)
    task = Settling(around)
    with caplog.at_level(logging.WARNING):
        dispatch(around, FIRST_MS, *[500_000] * 4)
        assert rounds(task, 2) == [0, 0]
        dispatch(around, FIRST_MS, *[400_000] * 4, issued_ms=NOW_MS + 1)
        assert rounds(task, 2) == [0, 0]
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith("imported readings of gateway utility are not settled: gateway utility has keys")


def test_a_fault_of_one_meter_stops_no_other(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run(around, hours("1"))
    dispatch(around, FIRST_MS, *[500_000] * 4)
    real = settle.settle

    async def failing(*_: Any, **__: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(settle, "settle", failing)
    task = Settling(around)
    assert rounds(task) == [0]
    assert "imported readings of U of station S1 are not settled" in caplog.text
    monkeypatch.setattr(settle, "settle", real)
    dispatch(around, FIRST_MS, *[400_000] * 4, issued_ms=NOW_MS + 1)
    assert rounds(task) == [1]


def test_meters_of_gateways_that_send_by_themselves_are_left_alone(around: Surroundings) -> None:
    assert signing.ours(around.engine, around.data_dir, around.key) == frozenset()
    run(around, hours("1"))
    assert signing.ours(around.engine, around.data_dir, around.key) == {"utility"}
    with database.writing(around.engine) as connection:
        enrolment.add(connection, "gw9", around.key.public_key(), "S1", NOW_MS)
    assert signing.ours(around.engine, around.data_dir, around.key) == {"utility", "gw9"}


def test_what_has_no_key_here_is_nobody_elses_to_settle(around: Surroundings, caplog: pytest.LogCaptureFixture) -> None:
    run(around, hours("1"))
    signing.key_file(around.data_dir, "utility").unlink()
    dispatch(around, FIRST_MS, *[500_000] * 4)
    with caplog.at_level(logging.WARNING):
        assert rounds(Settling(around)) == [0]
    assert (caplog.records, changes(around)) == ([], [])


def test_the_intake_comes_first(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    run(around, hours("1", *[""] * (2 * WEEK_H), "1", first_ms=EARLY_MS))
    dispatch(around, EARLY_MS, *[500_000] * (4 * (2 * WEEK_H + 2)))
    monkeypatch.setattr(settling, "GIVE_WAY_S", 0)
    left = list(range(50))

    def backlog() -> int:
        return left.pop() if left else 0

    assert rounds(Settling(around, backlog)) == [2]
    assert not left


@pytest.mark.parametrize("most", [1, 7])
def test_every_meter_is_asked_in_its_turn(
    around: Surroundings, most: int, monkeypatch: pytest.MonkeyPatch, looked_at: Sequence[int]
) -> None:
    run(around, hours("1"))
    dispatch(around, FIRST_MS, *[500_000] * 4)
    with database.writing(around.engine) as connection:
        enrolment.add(connection, "gw1", around.key.public_key(), "S1", NOW_MS)
    monkeypatch.setattr(settling, "MOST_METERS", most)
    assert sum(rounds(Settling(around), 8)) == 1
    assert len(looked_at) == 1


def test_the_receiver_runs_it(tmp_path: Path) -> None:
    around = surroundings(tmp_path)
    key = tmp_path / "centre.key"
    keys.save_private(keys.generate("ed25519"), str(key))
    settings = Settings(centre=Centre(key_file=key, data_dir=tmp_path))

    async def names() -> set[str]:
        tasks = Service(settings, around.registry, SystemClock(), around.engine)._parts()  # before any link
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return {task.get_name() for task in tasks}

    assert "settling" in asyncio.run(names())
    around.engine.dispose()
