"""Work that goes on in rounds beside the intake, and waits where the store does not answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError


async def repeat(
    turn: Callable[[], Awaitable[float]],
    rest_s: float,
    log: logging.Logger,
    waits: str,
    *,
    fault: str | None = None,
    rest: Callable[[float], Awaitable[object]] | None = None,
) -> None:
    """Take turns until cancelled; each returns for how many seconds to rest after it, `rest_s` after one that failed.

    That the store fails is told once (`waits`, such as "checks wait for the store"), until a turn has come through.
    With `fault`, what is told then, any other fault is survived likewise; without it, it ends the work. `rest` is how
    to rest if not by sleep, such as until something wakes.
    """
    troubled = False
    while True:
        try:
            seconds = await turn()
        except (SQLAlchemyError, OSError) as error:
            seconds = rest_s
            if not troubled:
                log.warning("%s: %s", waits, str(error).splitlines()[0])
            troubled = True
        except Exception:
            if fault is None:
                raise
            seconds = rest_s
            if not troubled:
                log.exception("%s", fault)
            troubled = True
        else:
            troubled = False
        await (asyncio.sleep if rest is None else rest)(seconds)
