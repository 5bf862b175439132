"""Asking meters through their lines for a command (召测), with a limit on how long it may wait for its turn."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from agent.line import Line
from agent.line_meter import LineMeter
from agent.questions import Answer
from agent.timing import at_least_real
from clock import Clock
from fieldbus.exchange import LineError
from profiles import Block

WAIT_MS: Final = 120_000  # for the turn of one request: longer than a slow line's boundary readings
ALL_MS: Final = 600_000  # for all questions of one command together
_WAIT_FLOOR_S: Final = 10.0
_ALL_FLOOR_S: Final = 30.0


class LineBusyError(LineError):
    """The line had no time for a question."""

    silent = False


class Asking:
    """The meters of all lines."""

    def __init__(self, lines: Sequence[Line], clock: Clock) -> None:
        self._places = {meter.id: (line, meter) for line in lines for meter in line.meters}
        self._clock = clock

    @property
    def meters(self) -> Sequence[str]:
        """The ids of all meters."""
        return list(self._places)

    def line_of(self, meter: str) -> str:
        """Return the name of a meter's line; KeyError for an unknown one."""
        return self._places[meter][0].name

    def meter(self, meter: str) -> LineMeter:
        """Return a meter as its line knows it; KeyError for an unknown one."""
        return self._places[meter][1]

    def end(self) -> float:
        """Return until when a command that begins now may ask (monotonic ms)."""
        return self._clock.monotonic_ms() + at_least_real(self._clock, ALL_MS, _ALL_FLOOR_S)

    def is_over(self, end: float) -> bool:
        """Whether a command has asked for too long."""
        return self._clock.monotonic_ms() >= end

    async def ask(self, meter: str, block: Block) -> Answer:
        """Return a meter's answer to one request; LineError or CodecError when there is none."""
        wait_ms = at_least_real(self._clock, WAIT_MS, _WAIT_FLOOR_S)
        question = self._places[meter][0].ask(meter, block)
        timer = asyncio.ensure_future(self._clock.sleep_ms(wait_ms))
        either: set[asyncio.Future[Any]] = {question.answer, timer}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if question.begun:  # then the line's own time-outs end it
                await asyncio.wait({question.answer})
            if question.answer.done():
                return question.answer.result()
        finally:
            timer.cancel()
            question.answer.cancel()  # nobody waits for it any more
        raise LineBusyError(f"line {self.line_of(meter)} is busy: no time for it within {WAIT_MS // 1000} s")


def ends_asking(error: Exception) -> bool:
    """Whether further requests to the same meter would only cost time: it does not answer, or its line is busy."""
    return isinstance(error, LineBusyError) or (isinstance(error, LineError) and error.silent)
