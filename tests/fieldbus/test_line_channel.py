"""A line's channel: its connections are counted, and time without one is no time of the line."""

import asyncio
from collections.abc import Callable

import pytest
from line_support import FarEnd, MemoryChannel, run_virtual

from fieldbus.exchange import LineCounters, LineDownError
from fieldbus.line_channel import LineChannel


class Watched:
    """A line's channel in memory, and how often somebody was told of a new connection."""

    def __init__(self) -> None:
        self.far = FarEnd(lambda _: [])
        self.memory = MemoryChannel(self.far)
        self.counters = LineCounters()
        self.channel = LineChannel(self.memory, self.counters)
        self.told = 0

    def tell(self) -> None:
        """Count."""
        self.told += 1

    async def connect(self) -> None:
        """Connect."""
        await self.channel.connect(self.tell)


def test_a_connection_counts_once_whoever_wants_it() -> None:
    watched = Watched()

    async def use() -> None:
        await asyncio.gather(watched.connect(), watched.connect())
        await watched.connect()

    run_virtual(use())
    assert (watched.channel.connection, watched.told, watched.counters.connects) == (1, 1, 1)


def test_what_fails_to_connect_is_counted_and_no_connection() -> None:
    watched = Watched()
    watched.memory.refuses = True

    async def use() -> None:
        with pytest.raises(LineDownError, match="refused"):
            await watched.connect()
        with pytest.raises(LineDownError, match="no connection to memory"):
            watched.channel.need()

    run_virtual(use())
    assert (watched.channel.connection, watched.told, watched.counters.unreachable) == (0, 0, 2)


def _lose(watched: Watched) -> None:
    watched.memory.hang_up()
    watched.channel.note_end()


@pytest.mark.parametrize(
    "end", [_lose, lambda watched: watched.channel.hang_up(), lambda watched: watched.channel.close()]
)
def test_time_without_a_connection_is_none_of_the_lines(end: Callable[[Watched], None]) -> None:
    """However it ended, and noted as often as somebody looks."""
    watched = Watched()

    async def use() -> None:
        channel = watched.channel
        await watched.connect()
        begun, heard = channel.line_time(), asyncio.get_running_loop().time()
        await asyncio.sleep(3)
        end(watched)
        await asyncio.sleep(10)
        channel.note_end()
        assert channel.line_time() - begun == pytest.approx(3)
        await watched.connect()
        await asyncio.sleep(2)
        assert channel.line_time() - begun == pytest.approx(5)
        assert begun - channel.line_time_of(heard) == pytest.approx(10)

    run_virtual(use())
    assert (watched.channel.connection, watched.told) == (2, 2)


def test_a_meter_that_dials_in_again_makes_a_new_connection() -> None:
    """Nobody opened it: whoever needs it next finds it."""
    watched = Watched()

    async def use() -> None:
        await watched.connect()
        watched.channel.need(watched.tell)
        assert watched.told == 1
        _lose(watched)
        watched.memory.redial()
        watched.channel.need()
        assert watched.told == 1
        watched.channel.need(watched.tell)
        watched.channel.need(watched.tell)

    run_virtual(use())
    assert (watched.channel.connection, watched.told) == (2, 2)
