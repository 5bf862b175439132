"""What lets time go on between quarters of an hour: that every meter has answered once more."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.processes import DemoError
from demo.replay.polls import Polls, answered


def polls(*seen: dict[str, int]) -> Polls:
    """Return polls that see these counts, one after another, and then the last ones for ever."""

    def following() -> Iterator[dict[str, int]]:
        yield from seen
        while True:
            yield seen[-1]

    counts = following()
    return Polls(Path("control"), lambda _: next(counts))


def test_it_waits_for_every_meter() -> None:
    waiting = polls({"c1": 5, "g": 7}, {"c1": 6, "g": 7}, {"c1": 8, "g": 7}, {"c1": 8, "g": 8}, {"c1": 99, "g": 99})
    waiting.count()
    looks: list[None] = []
    assert asyncio.run(waiting.come(lambda: looks.append(None)))
    assert len(looks) == 2


def test_a_meter_that_was_never_read_counts_from_none() -> None:
    waiting = polls({}, {"c1": 0}, {"c1": 1})
    waiting.count()
    assert asyncio.run(waiting.come(lambda: None))


def test_what_does_not_come_is_not_waited_for_for_ever() -> None:
    waiting = polls({"c1": 5, "g": 7}, {"c1": 6, "g": 7})
    waiting.count()
    assert not asyncio.run(waiting.come(lambda: None, patience_s=0))


def test_a_program_that_has_ended_is_told_of_at_once() -> None:
    def check() -> None:
        raise DemoError("agent ended early")

    waiting = polls({"c1": 5})
    waiting.count()
    with pytest.raises(DemoError, match="agent ended early"):
        asyncio.run(waiting.come(check))


def test_a_simulator_that_has_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="does not say what it has answered: no simulator answers at"):
        answered(tmp_path / "control")
