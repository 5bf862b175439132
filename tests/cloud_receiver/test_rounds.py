"""Work in rounds: it outlives a store that fails, and says so once."""

import asyncio
import logging
from collections.abc import Callable

import pytest
from sqlalchemy.exc import OperationalError

from cloud_receiver.rounds import repeat

log = logging.getLogger(__name__)


def away() -> OperationalError:
    return OperationalError("SELECT 1", {}, Exception("no such host"))


def turns(*outcomes: float | Exception, rests: list[float]) -> Callable[[], None]:
    """Return what runs the outcomes, one a turn, and then ends; `rests` collects how long was rested."""

    async def turn() -> float:
        outcome = next(waiting, None)
        if outcome is None:
            raise asyncio.CancelledError
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    async def run() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "sleep", rest)
            with pytest.raises(asyncio.CancelledError):
                await repeat(turn, 5.0, log, "the work waits for the store")

    waiting = iter(outcomes)
    return lambda: asyncio.run(run())


def test_a_turn_says_how_long_to_rest() -> None:
    rests: list[float] = []
    turns(0, 2.5, 0, rests=rests)()
    assert rests == [0, 2.5, 0]


def test_a_store_that_fails_is_told_once_until_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    rests: list[float] = []
    turns(away(), OSError("disk"), 1.0, away(), rests=rests)()
    assert rests == [5.0, 5.0, 1.0, 5.0]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert all(text.startswith("the work waits for the store: (builtins.Exception) no such host") for text in told)
    assert all("\n" not in text for text in told)


def test_another_fault_ends_the_work() -> None:
    async def turn() -> float:
        raise ValueError("a mistake of ours")

    with pytest.raises(ValueError, match="a mistake of ours"):
        asyncio.run(repeat(turn, 5.0, log, "the work waits"))


def test_a_fault_that_is_to_be_survived_is_told_once_until_a_turn_comes_through(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcomes = iter([ValueError("a mistake"), ValueError("again"), OSError("disk"), 2.0, ValueError("later"), None])
    rests: list[float] = []

    async def turn() -> float:
        outcome = next(outcomes)
        if outcome is None:
            raise asyncio.CancelledError
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(repeat(turn, 5.0, log, "the work waits", fault="the work failed, trying again", rest=rest))
    assert rests == [5.0, 5.0, 5.0, 2.0, 5.0]
    told = [(record.getMessage(), str(record.exc_info and record.exc_info[1])) for record in caplog.records]
    assert told == [("the work failed, trying again", "a mistake"), ("the work failed, trying again", "later")]
