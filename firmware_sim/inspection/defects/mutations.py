"""The mutation run: the healthy meter and every defect before the items that matter, in worker processes."""

import multiprocessing
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from firmware_sim.inspection.defects.defect import Conditions, Defect
from firmware_sim.inspection.defects.trial import Finding, Trial, every_item, tried
from firmware_sim.inspection.result import Verdict

Tell = Callable[[Trial, int, int], None]
"""Told after each trial: it, how many items have been performed so far, and how many there are to perform."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A defect and what the items said of it, the expected one first."""

    defect: Defect
    findings: tuple[Finding, ...]

    @property
    def is_caught(self) -> bool:
        """Return whether the item that must fail it did."""
        return self.defect.caught_by in self.caught_by

    @property
    def caught_by(self) -> tuple[str, ...]:
        """Return the items that failed it. An item that came to no conclusion has caught nothing."""
        return tuple(found.item for found in self.findings if found.verdict is Verdict.FAILED)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the items said of the healthy meter, under the conditions of defects.

    `must` are the items that must catch a defect under them: these must have passed it. Another one may have been
    skipped, as that of frames with wrong checks on a line whose frames have none.
    """

    conditions: Conditions
    must: frozenset[str]
    findings: tuple[Finding, ...]

    @property
    def bad(self) -> tuple[Finding, ...]:
        """Return what the healthy meter should not have got."""
        return tuple(found for found in self.findings if not self._is_good(found))

    def _is_good(self, found: Finding) -> bool:
        skipped = found.verdict is Verdict.SKIPPED and found.item not in self.must
        return found.verdict is Verdict.PASSED or skipped


@dataclass(frozen=True, slots=True)
class MutationRun:
    """All of it."""

    healthy: tuple[Baseline, ...]
    mutations: tuple[Mutation, ...]

    @property
    def is_good(self) -> bool:
        """Return whether the healthy meter passed and each defect was caught by its item."""
        return not any(one.bad for one in self.healthy) and all(one.is_caught for one in self.mutations)


def mutate(
    defects: Sequence[Defect], *, every: bool = False, jobs: int = 1, tell: Tell = lambda *_: None
) -> MutationRun:
    """Try the defects, each before its own item or (`every`) before all; the healthy meter before the same items."""
    ids = [item.info.id for item in every_item()] if every else []
    of_defects = {defect.id: Trial(defect.id, _first(defect.caught_by, ids), defect.conditions) for defect in defects}
    of_healthy = _healthy(of_defects.values())
    trials = [*of_healthy, *of_defects.values()]
    of = sum(len(trial.items) for trial in trials)
    found: dict[Trial, tuple[Finding, ...]] = {}
    for trial, findings in _perform(trials, jobs):
        found[trial] = tuple(findings)
        tell(trial, sum(map(len, found.values())), of)
    baselines: dict[Conditions, tuple[Finding, ...]] = {}
    for trial in of_healthy:
        baselines[trial.conditions] = baselines.get(trial.conditions, ()) + found[trial]
    return MutationRun(
        tuple(Baseline(under, _must(under, defects), findings) for under, findings in baselines.items()),
        tuple(Mutation(defect, found[of_defects[defect.id]]) for defect in defects),
    )


def _first(name: str, ids: Iterable[str]) -> tuple[str, ...]:
    return (name, *(other for other in ids if other != name))


def _must(conditions: Conditions, defects: Iterable[Defect]) -> frozenset[str]:
    return frozenset(defect.caught_by for defect in defects if defect.conditions == conditions)


def _healthy(trials: Iterable[Trial]) -> list[Trial]:
    """Return trials of the healthy meter with every item that is asked under some conditions, each once."""
    asked = dict.fromkeys((item, trial.conditions) for trial in trials for item in trial.items)
    return [Trial(None, (item,), conditions) for item, conditions in asked]


def _perform(trials: Sequence[Trial], jobs: int) -> Iterator[tuple[Trial, Sequence[Finding]]]:
    if jobs == 1:
        for trial in trials:
            yield trial, tried(trial)
        return
    # A process that is forked would have the sockets and the loop of this one.
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as directory,
        ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(directory,)) as workers,
    ):
        futures = {workers.submit(tried, trial): trial for trial in trials}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            workers.shutdown(wait=False, cancel_futures=True)


def _begin(directory: str) -> None:
    """Let a worker end at once when the run is interrupted from the keyboard; what it leaves behind, the run clears."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    tempfile.tempdir = directory
