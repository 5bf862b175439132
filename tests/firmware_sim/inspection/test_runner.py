"""Items one after the other: verdicts, what goes wrong, progress, and going on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import pytest

from firmware_sim.inspection.bench import Ability, Bench, BenchError, DutError, DutRefusedError, Item, Truth
from firmware_sim.inspection.metering.limits import FileLimits
from firmware_sim.inspection.points import LoadPoint, Rating
from firmware_sim.inspection.result import ItemInfo, ItemResult, PointResult, Verdict
from firmware_sim.inspection.runner import Progress, SelectionError, conclusion, run, select
from firmware_sim.inspection.store import Record

POINT = PointResult("p", (), "0.1", "+0.1", "0.1", "1", good=True)


@dataclass
class Supply:
    """A source that notes what it was told."""

    said: list[str] = field(default_factory=list)

    async def set(self, point: LoadPoint | None) -> None:
        self.said.append("none" if point is None else "load")

    async def cut(self) -> None:
        self.said.append("cut")

    async def restore(self) -> None:
        self.said.append("restore")


class Still:
    """Time that stands."""

    def now(self) -> Fraction:
        return Fraction(7)

    async def wait(self, duration_ms: Fraction | int) -> None:
        raise AssertionError(duration_ms)

    async def wait_until(self, time_ms: Fraction | int) -> None:
        raise AssertionError(time_ms)


class Counter:
    """A standard meter that nobody asks."""

    async def start(self) -> None:
        pass

    async def between(self, first_ms: Fraction, last_ms: Fraction) -> Truth:
        raise AssertionError(first_ms, last_ms)


class Device:
    """A device that can do one thing."""

    abilities = frozenset({Ability.CARBON})


Work = Callable[[Bench], Awaitable[Verdict]]


@dataclass
class Thing:
    """An item that does what it is told."""

    info: ItemInfo
    work: Work
    runs: int = 0

    def estimate_ms(self, bench: Bench) -> int:
        return 1000

    async def run(self, bench: Bench) -> ItemResult:
        self.runs += 1
        return ItemResult(self.info.id, await self.work(bench), 0, 1)


async def passes(_: Bench) -> Verdict:
    return Verdict.PASSED


def raises(error: BaseException) -> Work:
    async def work(_: Bench) -> Verdict:
        raise error

    return work


def thing(name: str, work: Work = passes, *needs: str) -> Thing:
    return Thing(ItemInfo(name, "5.7", "function", name.upper(), "项", needs=frozenset(needs)), work)


def bench() -> Bench:
    return Bench(
        Rating("B", 220_000, 250, 500, 60_000, 20),
        "Asia/Shanghai",
        Still(),
        Supply(),
        Counter(),
        Device(),  # type: ignore[arg-type]  # nor reads
        FileLimits.load(),
    )


def perform(path: Path, *items: Item, on: Bench | None = None) -> list[ItemResult]:
    record = Record(path / "record.jsonl", "plan")
    try:
        return asyncio.run(run(on or bench(), items, record))
    finally:
        record.close()


def test_what_goes_wrong_has_its_verdict_and_stops_nobody(tmp_path: Path) -> None:
    items = [
        thing("a", raises(DutError("line x, unit 3: no reply"))),
        thing("b", raises(BenchError("the source is gone"))),
        thing("c", raises(ZeroDivisionError("oops"))),
        thing("d", passes, Ability.PULSES),
        thing("e", passes, Ability.CARBON),
    ]
    results = perform(tmp_path, *items)
    assert [result.verdict for result in results] == [
        Verdict.FAILED,
        Verdict.ERROR,
        Verdict.ERROR,
        Verdict.SKIPPED,
        Verdict.PASSED,
    ]
    assert results[0].steps[0].found == "line x, unit 3: no reply"
    assert [result.note for result in results[1:4]] == [
        "the source is gone",
        "ZeroDivisionError: oops",
        "needs pulses",
    ]


async def fails(_: Bench) -> Verdict:
    return Verdict.FAILED


def test_a_second_run_does_what_is_left_and_what_the_bench_could_not(tmp_path: Path) -> None:
    first, broken, failed = thing("a"), thing("b", raises(BenchError("x"))), thing("c", fails)
    refused = thing("d", raises(DutRefusedError("it won't")))
    perform(tmp_path, first, broken, failed, refused)
    broken.work = passes
    results = perform(tmp_path, first, broken, failed, refused)
    assert [result.verdict for result in results] == [Verdict.PASSED, Verdict.PASSED, Verdict.FAILED, Verdict.FAILED]
    assert (first.runs, broken.runs, failed.runs, refused.runs) == (1, 2, 1, 1)


def test_a_cable_that_came_off_does_not_cost_the_record(tmp_path: Path) -> None:
    silent = thing("a", raises(DutError("line x, unit 3: no reply")))
    assert perform(tmp_path, silent)[0].verdict is Verdict.FAILED
    silent.work = passes
    assert perform(tmp_path, silent)[0].verdict is Verdict.PASSED
    assert perform(tmp_path, silent)[0].verdict is Verdict.PASSED
    assert silent.runs == 2


def test_an_item_that_can_not_be_estimated_stops_nobody(tmp_path: Path) -> None:
    class Riddle(Thing):
        def estimate_ms(self, bench: Bench) -> int:
            raise ValueError("no pulse constant for energy")

    riddle = Riddle(ItemInfo("a", "", "electricity", "A", "项"), passes)
    skipped = Riddle(ItemInfo("b", "", "electricity", "B", "项", needs=frozenset({Ability.PULSES})), passes)
    results = perform(tmp_path, riddle, skipped, thing("c"))
    assert [result.verdict for result in results] == [Verdict.PASSED, Verdict.SKIPPED, Verdict.PASSED]


def test_an_interrupted_item_knows_its_finished_points(tmp_path: Path) -> None:
    seen: list[dict[str, PointResult]] = []

    async def stopped(bench: Bench) -> Verdict:
        seen.append(dict(bench.known))
        bench.done(POINT)
        if len(seen) == 1:
            raise asyncio.CancelledError
        return Verdict.PASSED

    item = thing("a", stopped)
    with pytest.raises(asyncio.CancelledError):
        perform(tmp_path, item)
    perform(tmp_path, item)
    assert seen == [{}, {"p": POINT}]


def test_the_device_is_left_without_load_and_with_voltage(tmp_path: Path) -> None:
    used = bench()
    perform(tmp_path, thing("a", raises(DutError("x")), Ability.CARBON), on=used)
    assert isinstance(used.source, Supply)
    assert used.source.said == ["none"]
    cutting = bench()
    cutting.dut.abilities |= {Ability.POWER_CUT}  # type: ignore[misc]  # a plain attribute here
    perform(tmp_path, thing("b", raises(DutError("x")), Ability.POWER_CUT), on=cutting)
    assert isinstance(cutting.source, Supply)
    assert cutting.source.said == ["restore", "none"]


def test_progress_counts_what_is_done_and_left(tmp_path: Path) -> None:
    shown: list[Progress] = []

    async def tells(bench: Bench) -> Verdict:
        bench.tell("point 3 of 4")
        return Verdict.PASSED

    record = Record(tmp_path / "record.jsonl", "plan")
    asyncio.run(run(bench(), [thing("a"), thing("b", tells)], record, show=shown.append))
    record.close()
    assert [(item.number, item.items, item.detail, item.done_ms, item.left_ms) for item in shown] == [
        (1, 2, "", 0, 2000),
        (2, 2, "", 1000, 1000),
        (2, 2, "point 3 of 4", 1000, 1000),
    ]


def test_progress_goes_on_within_an_item_and_not_beyond_its_estimate(tmp_path: Path) -> None:
    class Running(Still):
        at = 0

        def now(self) -> Fraction:
            return Fraction(self.at)

    time, shown = Running(), list[Progress]()

    async def works(bench: Bench) -> Verdict:
        for time.at in (400, 5000):
            bench.tell("a point")
        return Verdict.PASSED

    record = Record(tmp_path / "record.jsonl", "plan")
    asyncio.run(run(replace(bench(), time=time), [thing("a", works), thing("b")], record, show=shown.append))
    record.close()
    assert [(at.done_ms, at.left_ms) for at in shown] == [(0, 2000), (400, 1600), (1000, 1000), (1000, 1000)]


def test_items_are_selected_by_pattern_in_their_order() -> None:
    items = [thing("metering.b"), thing("function.a"), thing("metering.a")]
    assert [item.info.id for item in select(items, ["metering.*"])] == ["metering.b", "metering.a"]
    assert select(items, []) == items
    with pytest.raises(SelectionError, match=r"no item 'nothing\.\*'; there are metering\.b, function\.a, metering\.a"):
        select(items, ["metering.a", "nothing.*"])


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ([Verdict.PASSED, Verdict.SKIPPED, Verdict.NOT_PERFORMED], Verdict.PASSED),
        ([Verdict.PASSED, Verdict.ERROR], Verdict.ERROR),
        ([Verdict.PASSED, Verdict.ERROR, Verdict.FAILED], Verdict.FAILED),
        ([Verdict.SKIPPED, Verdict.NOT_PERFORMED], Verdict.ERROR),
        ([], Verdict.ERROR),
    ],
)
def test_the_conclusion(verdicts: list[Verdict], whole: Verdict) -> None:
    assert conclusion([ItemResult(str(i), verdict, 0, 0) for i, verdict in enumerate(verdicts)]) is whole
