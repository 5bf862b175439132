"""Tasks that keep running: duties repeated by the clock, and lines watched."""

from collections.abc import Awaitable, Callable
from typing import Final

from agent.journal_schema import JournalError
from agent.line import Line
from agent.logs import log
from agent.timing import at_least_real
from clock import Clock

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
