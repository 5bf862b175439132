"""The module itself: the stub's names, buffers, refusals that change nothing, schedules, and the released GIL."""

import ast
import gc
import threading
from array import array
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import diantan_core as core
from wire.records import EventCode, FactorQuality, FreezeKind, Quality

QUARTER = 900_000
MIDNIGHT = 1_772_121_600_000 + 16 * 3_600_000
STUB = Path(__file__).parents[2] / "diantan_core.pyi"


def fed() -> tuple[core.RegisterIntegrator, core.FactorSchedule]:
    """Return an integrator that has one reading, and a schedule."""
    integrator, schedule = core.RegisterIntegrator(), core.FactorSchedule(default=500_000)
    integrator.feed_one(MIDNIGHT, 100, 10, schedule)
    return integrator, schedule


def members(tree: ast.Module | ast.ClassDef) -> set[str]:
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return names | {
        node.target.id for node in tree.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def test_the_stub_says_what_there_is() -> None:
    stub = ast.parse(STUB.read_text(encoding="utf-8"))
    public = {name for name in vars(core) if not name.startswith("_")} - {"diantan_core"}
    assert members(stub) == public
    for node in stub.body:
        if isinstance(node, ast.ClassDef) and not issubclass(getattr(core, node.name), Exception):
            runtime = {name for name in dir(getattr(core, node.name)) if not name.startswith("_")}
            stated = {name for name in members(node) if not name.startswith("_")}
            assert stated <= runtime, node.name
            if node.name != "Columns":
                assert runtime == stated, node.name


def test_codes_are_those_of_the_wire() -> None:
    for prefix, codes in (
        ("FACTOR_", FactorQuality),
        ("QUALITY_", Quality),
        ("FREEZE_", FreezeKind),
    ):
        assert {code.name: code.value for code in codes} == {
            name.removeprefix(prefix): getattr(core, name) for name in vars(core) if name.startswith(prefix)
        }
    events = {name.removeprefix("EVENT_"): getattr(core, name) for name in vars(core) if name.startswith("EVENT_")}
    assert {code.name: code.value for code in EventCode if code.value < 100} == events


@pytest.mark.parametrize(
    "make", [lambda v: array("q", v), lambda v: np.array(v, dtype=np.int64), lambda v: memoryview(array("q", v))]
)
def test_buffers_of_several_makes(make: Callable[[list[int]], Any]) -> None:
    integrator, schedule = fed()
    closed = integrator.feed(make([MIDNIGHT + QUARTER]), make([1100]), make([20]), schedule)
    assert [row[2:4] for row in closed.intervals] == [(1000, 10)]
    empty = integrator.feed(make([]), make([]), make([]), schedule)
    assert (len(empty), empty.intervals, empty.freezes, empty.events) == (0, [], [], [])
    assert [column.tolist() for column in empty.columns()] == [[]] * 14


def test_columns_are_views_that_outlive_what_they_came_from() -> None:
    integrator, schedule = fed()
    columns = integrator.feed_one(MIDNIGHT + 2 * QUARTER, 3000, 20, schedule).columns()
    start = columns.start_ms
    assert (start.format, start.shape, start.readonly, start.c_contiguous) == ("q", (2,), True, True)
    del columns
    gc.collect()
    assert start.tolist() == [MIDNIGHT, MIDNIGHT + QUARTER]
    lent = np.frombuffer(start, dtype=np.int64)
    del start
    gc.collect()
    assert lent.tolist() == [MIDNIGHT, MIDNIGHT + QUARTER]
    with pytest.raises(ValueError, match="read-only"):
        lent[0] = 0


def test_a_call_large_enough_for_large_pages_gives_every_row() -> None:
    steps = 600_000  # of 8 bytes a column: above the 4 MiB from which the core asks for large pages
    times = np.arange(MIDNIGHT, MIDNIGHT + (steps + 1) * 60_000, 60_000, dtype=np.int64)
    energy = np.arange(steps + 1, dtype=np.int64)
    integrator = core.RegisterIntegrator(interval_ms=60_000)
    columns = integrator.feed(times, energy, energy, core.FactorSchedule(default=1000)).columns()
    assert np.array_equal(np.frombuffer(columns.start_ms, dtype=np.int64), times[:-1])
    assert np.array_equal(np.frombuffer(columns.forward_total_mwh, dtype=np.int64), energy[1:])
    assert np.array_equal(np.frombuffer(columns.carbon_reverse_total_ug, dtype=np.int64), energy[1:])


def test_a_strided_buffer_is_copied_in_order() -> None:
    integrator, schedule = fed()
    times = np.arange(MIDNIGHT + 1, MIDNIGHT + 9, dtype=np.int64)[::2]
    integrator.feed(times, times - MIDNIGHT + 100, times - MIDNIGHT + 100, schedule)
    assert integrator.last_time_ms == MIDNIGHT + 7
    assert integrator.forward_mwh == 107


def test_a_buffer_of_the_other_byte_order_is_refused() -> None:
    integrator, schedule = fed()
    own = np.array([MIDNIGHT + 1], dtype=np.int64)
    other = own.astype(own.dtype.newbyteorder("S"))
    assert own.tolist() == other.tolist()
    with pytest.raises(core.IntegrationError, match="forward_mwh: expected the byte order of this machine"):
        integrator.feed(own, other, own, schedule)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: core.day_start_ms(2**63, "Asia/Shanghai"), core.IntegrationError),
        (lambda: core.next_day_start_ms(-(2**63) - 1, "Asia/Shanghai"), core.IntegrationError),
        (lambda: core.next_month_start_ms(2**63, "Asia/Shanghai"), core.IntegrationError),
        (lambda: core.RegisterIntegrator(interval_ms=2**63), core.IntegrationError),
        (lambda: core.RegisterIntegrator(rollover_mwh=2**63), core.IntegrationError),
        (lambda: core.PowerIntegrator(max_gap_ms=2**63), core.IntegrationError),
        (lambda: core.FactorSchedule(slot_ms=2**63), core.ScheduleError),
        (lambda: core.FactorSchedule(hold_ms=2**63), core.ScheduleError),
        (lambda: core.FactorSchedule().at(2**63), core.ScheduleError),
        (lambda: core.FactorSchedule().set(900_000 * 2**63, 1), core.ScheduleError),
        (lambda: core.FactorSchedule().extend([900_000 * 2**63], [1]), core.ScheduleError),
        (lambda: core.FactorSchedule().forget_before(2**63), core.ScheduleError),
        (lambda: core.round_to_interval(Decimal("1E+500"), "1"), core.QuantityError),
    ],
)
def test_numbers_beyond_64_bits_raise_the_errors_of_the_module(
    call: Callable[[], object], error: type[core.CoreError]
) -> None:
    with pytest.raises(error):
        call()


@pytest.mark.parametrize(
    "wrong", [array("d", [1.0]), array("i", [1]), array("Q", [1]), b"12345678", [1], np.zeros((1, 1), dtype=np.int64)]
)
def test_other_buffers_are_refused_by_name(wrong: Any) -> None:
    integrator, schedule = fed()
    state = integrator.state()
    with pytest.raises((core.IntegrationError, TypeError), match="forward_mwh"):
        integrator.feed(array("q", [MIDNIGHT + 1]), wrong, array("q", [1]), schedule)
    assert integrator.state() == state


def test_refused_calls_change_nothing_and_name_the_reading() -> None:
    integrator, schedule = fed()
    state = integrator.state()
    for times, forward, match in (
        ([MIDNIGHT + 1, MIDNIGHT + 2], [200, -1], "reading 1 of the call: forward register -1 mWh"),
        ([MIDNIGHT + 1, 2**63 - 1], [200, 300], "reading 1 of the call: time 9223372036854775807 ms is outside"),
        ([MIDNIGHT + 1, MIDNIGHT + QUARTER], [200, 2**63 - 1], "reading 1 of the call: the cumulative forward carbon"),
        ([MIDNIGHT + 1], [200, 300], "columns of different lengths: 1 times, forward has 2"),
    ):
        with pytest.raises(core.IntegrationError, match=match):
            integrator.feed(array("q", times), array("q", forward), array("q", [10] * len(times)), schedule)
        assert integrator.state() == state
    with pytest.raises(core.IntegrationError, match="time_ms 9223372036854775808: expected 64 bits"):
        integrator.feed_one(2**63, 1, 1, schedule)
    with pytest.raises(TypeError):
        integrator.feed_one(MIDNIGHT + 1, 1.5, 1, schedule)  # type: ignore[arg-type]  # the point of the test
    assert integrator.state() == state


def test_an_exchange_by_feed_and_by_feed_one() -> None:
    one, schedule = fed()
    many, _ = fed()
    events = one.feed_one(MIDNIGHT + 5, 7, 8, schedule, exchanged=True).events
    assert events == [(MIDNIGHT + 5, core.EVENT_EXCHANGE, 0, 100, 7), (MIDNIGHT + 5, core.EVENT_EXCHANGE, 1, 10, 8)]
    columns = (array("q", [MIDNIGHT + 5]), array("q", [7]), array("q", [8]))
    assert many.feed(*columns, schedule, exchanged=True).events == events
    assert (one.forward_mwh, one.reverse_mwh) == (100, 10)
    assert one.state() == many.state()


@pytest.mark.parametrize(
    "state", [b"", b"x" * 200, core.RegisterIntegrator().state()[:-1], core.PowerIntegrator().state()]
)
def test_what_is_no_state_is_refused(state: bytes) -> None:
    integrator, _ = fed()
    before = integrator.state()
    with pytest.raises(core.IntegrationError, match="not a state of this integrator"):
        integrator.restore(state)
    assert integrator.state() == before


def test_a_state_goes_on_under_other_settings() -> None:
    integrator, schedule = fed()
    minutes = core.RegisterIntegrator(interval_ms=60_000)
    minutes.restore(integrator.state())
    closed = minutes.feed_one(MIDNIGHT + 120_000, 300, 10, schedule)
    assert [row[:3] for row in closed.intervals] == [(MIDNIGHT, 60_000, 100), (MIDNIGHT + 60_000, 60_000, 100)]


def test_settings_are_checked_by_name() -> None:
    for setting in (
        {"interval_ms": 420_000},
        {"interval_ms": 1000},
        {"rollover_mwh": 0},
        {"max_power_mw": -1},
        {"resolution_mwh": -1},
    ):
        with pytest.raises(core.IntegrationError, match=next(iter(setting))):
            core.RegisterIntegrator(**setting)
    with pytest.raises(core.IntegrationError, match='unknown time zone "Asia/Peking"'):
        core.RegisterIntegrator(timezone="Asia/Peking")


def test_schedules_are_checked() -> None:
    schedule = core.FactorSchedule(default=1, hold_ms=0)
    schedule.extend([0, QUARTER], [5, None])
    assert [schedule.at(time) for time in (-1, 0, QUARTER - 1, QUARTER, 2 * QUARTER)] == [
        (1, core.FACTOR_DEFAULT),
        (5, core.FACTOR_DISPATCHED),
        (5, core.FACTOR_DISPATCHED),
        (None, core.FACTOR_UNDEFINED),
        (1, core.FACTOR_DEFAULT),
    ]
    for start, factor, match in (
        (1, 5, "multiple"),
        (0, -1, "carbon factor -1"),
        (0, 2**32, "4294967295"),
        (2**60, 1, "years"),
    ):
        with pytest.raises(core.ScheduleError, match=match):
            schedule.set(start, factor)
    with pytest.raises(core.ScheduleError, match="2 slot starts but 1 factors"):
        schedule.extend([0, QUARTER], [1])
    with pytest.raises(core.ScheduleError, match="multiple"):
        schedule.extend([2 * QUARTER, 7], [1, 2])
    assert len(schedule) == 2
    with pytest.raises(core.ScheduleError, match="slot length 1 ms"):
        core.FactorSchedule(slot_ms=1)
    with pytest.raises(core.ScheduleError, match="holding time -1"):
        core.FactorSchedule(hold_ms=-1)
    assert schedule.forget_before(10 * QUARTER) == 1
    assert len(schedule) == 1


def test_other_threads_run_while_columns_are_worked_on() -> None:
    integrator, schedule = core.RegisterIntegrator(), core.FactorSchedule(default=1)
    begun, ended = threading.Event(), threading.Event()
    borrowed: list[bool] = []

    def watch() -> None:
        begun.set()
        while not ended.is_set() and not borrowed:
            try:
                _ = integrator.last_time_ms
            except RuntimeError:
                # The integrator is borrowed exactly while feed runs: only a thread that runs meanwhile can see it.
                borrowed.append(True)

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun.wait()
    for call in range(200):
        start = MIDNIGHT + call * 10**9
        times = np.arange(start, start + 10**9, 1000, dtype=np.int64)
        integrator.feed(times, times, times, schedule)
        if borrowed:
            break
    ended.set()
    watcher.join()
    assert borrowed
