"""Tasks that keep running: duties repeated by the clock, lines watched, and an end that is certain."""

import asyncio
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from typing import Any, Final

from agent.journal_schema import JournalError
from agent.line import Line
from agent.logs import log
from agent.timing import at_least_real
from clock import Clock

_CANCEL_AGAIN_S: Final = 0.1
_RESTART_MS: Final = 5_000


async def every(
    clock: Clock, period_ms: float, least_real_s: float, duty: Callable[[], Awaitable[None] | None]
) -> None:
    """Do a duty again and again, with at least some real time between.

    A mistake in it is logged, a damaged journal (JournalError) ends it.
    """
    while True:
        await clock.sleep_ms(at_least_real(clock, period_ms, least_real_s))
        try:
            if (waiting := duty()) is not None:
                await waiting
        except JournalError:
            raise
        except Exception:
            log.exception("a duty failed and is tried again", extra={"about": getattr(duty, "__name__", "duty")})


async def watched(clock: Clock, line: Line) -> None:
    """Keep a line running: a mistake in its handling must not end the others."""
    while True:
        try:
            await line.run()
        except Exception:
            log.exception("the line failed and starts again", extra={"about": line.name})
            await clock.sleep_ms(at_least_real(clock, _RESTART_MS, 1.0))


async def end(tasks: "AbstractSet[asyncio.Task[Any]]") -> None:
    """Cancel tasks until they have ended.

    Once is not enough: `asyncio.wait_for` of Python 3.11, which pymodbus uses, swallows a cancellation that comes in
    the same turn as its result, and the line would poll on for ever.
    """
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=_CANCEL_AGAIN_S)
