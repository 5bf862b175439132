"""Running the items of an inspection in their order: verdicts for what goes wrong, progress, going on after a stop."""

import fnmatch
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from firmware_sim.inspection.bench import Ability, Bench, BenchError, DutError, DutRefusedError, Item
from firmware_sim.inspection.result import ItemResult, PointResult, Step, Verdict
from firmware_sim.inspection.store import Record

BROKEN_OFF: Final = "broken off"
"""The figure of an item that ended early, as the device gave no answer: the next run goes on with it."""


class SelectionError(ValueError):
    """Items were asked for that there are none of."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, by the bench's time; `left_ms` counts what is still to be done."""

    number: int  # of the item, from 1
    items: int
    title: str
    detail: str
    done_ms: int
    left_ms: int


def select(items: Sequence[Item], patterns: Iterable[str]) -> list[Item]:
    """Return the items whose id fits one of the patterns (`metering.*`), in their order; without patterns all."""
    wanted = list(patterns)
    for pattern in wanted:
        if not any(fnmatch.fnmatchcase(item.info.id, pattern) for item in items):
            known = ", ".join(item.info.id for item in items)
            raise SelectionError(f"no item {pattern!r}; there are {known}")
    if not wanted:
        return list(items)
    return [item for item in items if any(fnmatch.fnmatchcase(item.info.id, pattern) for pattern in wanted)]


async def run(
    bench: Bench,
    items: Sequence[Item],
    record: Record,
    *,
    show: Callable[[Progress], None] = lambda _: None,
) -> list[ItemResult]:
    """Perform the items that the record does not have yet; return the results of all, in their order.

    What the bench could not do is tried again by the next run, and so is an item in whose middle the device gave no
    answer any more: a cable that came off must not cost the rest of a record. An item that the device fails does not
    stop the others.
    """
    await bench.standard.start()
    estimates = [0 if is_settled(record, item) else _estimate_ms(bench, item) for item in items]
    done_ms = 0
    results = []
    for index, item in enumerate(items):
        if is_settled(record, item):
            results.append(record.items[item.info.id])
            continue
        at = Progress(index + 1, len(items), item.info.title, "", done_ms, sum(estimates[index:]))
        tell = _telling(bench, at, estimates[index], show)
        tell("")
        result = await _perform(_for(bench, item, record, tell), item)
        record.item(result)
        results.append(result)
        done_ms += estimates[index]
    return results


def is_settled(record: Record, item: Item) -> bool:
    """Return whether the record has an item's conclusion, so that it is not performed again."""
    known = record.items.get(item.info.id)
    return known is not None and known.verdict is not Verdict.ERROR and BROKEN_OFF not in known.figures


def _missing(bench: Bench, item: Item) -> list[str]:
    return sorted(item.info.needs - bench.dut.abilities - _of_the_bench(bench))


def _estimate_ms(bench: Bench, item: Item) -> int:
    if _missing(bench, item):
        return 0
    try:
        return item.estimate_ms(bench)
    except (ValueError, LookupError):
        # What keeps an item from being estimated keeps it from being performed: it says so itself, in its turn.
        return 0


def _telling(bench: Bench, at: Progress, estimate_ms: int, show: Callable[[Progress], None]) -> Callable[[str], None]:
    """Return what shows progress within an item, whose time runs by the bench's but never beyond its estimate."""
    began = bench.time.now()

    def tell(detail: str) -> None:
        passed = min(max(int(bench.time.now() - began), 0), estimate_ms)
        show(replace(at, detail=detail, done_ms=at.done_ms + passed, left_ms=at.left_ms - passed))

    return tell


def _for(bench: Bench, item: Item, record: Record, tell: Callable[[str], None]) -> Bench:
    def finished(point: PointResult) -> None:
        record.point(item.info.id, point)

    return replace(bench, tell=tell, done=finished, known=record.known(item.info.id))


async def _perform(bench: Bench, item: Item) -> ItemResult:
    began = int(bench.time.now())
    if missing := _missing(bench, item):
        return ItemResult(item.info.id, Verdict.SKIPPED, began, began, note=f"needs {', '.join(missing)}")
    try:
        return await item.run(bench)
    except DutError as error:
        step = Step("the device answers", "a usable answer", str(error), good=False)
        figures = {} if isinstance(error, DutRefusedError) else {BROKEN_OFF: "yes"}
        return ItemResult(item.info.id, Verdict.FAILED, began, int(bench.time.now()), (step,), figures=figures)
    except (BenchError, OSError) as error:
        return ItemResult(item.info.id, Verdict.ERROR, began, int(bench.time.now()), note=str(error))
    except Exception as error:
        # A fault in an item must not cost hours of the others' results.
        note = f"{type(error).__name__}: {error}"
        return ItemResult(item.info.id, Verdict.ERROR, began, int(bench.time.now()), note=note)
    finally:
        await _calm(bench, item)


async def _calm(bench: Bench, item: Item) -> None:
    """Leave the device with voltage and without load, whatever the item came to: nobody may be there for hours."""
    try:
        if Ability.POWER_CUT in item.info.needs:
            await bench.source.restore()
        await bench.source.set(None)
    except (BenchError, OSError) as error:
        bench.tell(f"the source could not be set to no load: {error}")


def _of_the_bench(bench: Bench) -> frozenset[str]:
    return frozenset() if bench.fast is None else frozenset({Ability.FAST})


def conclusion(results: Sequence[ItemResult]) -> Verdict:
    """Return what a run comes to: failed if one item failed, else an error if the bench had one, else passed.

    ERROR also when nothing was performed at all.
    """
    verdicts = [result.verdict for result in results]
    if Verdict.FAILED in verdicts:
        return Verdict.FAILED
    if Verdict.ERROR in verdicts or Verdict.PASSED not in verdicts:
        return Verdict.ERROR
    return Verdict.PASSED
