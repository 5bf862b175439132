"""Work that goes on in rounds beside the intake, and waits where the store does not answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError


async def repeat(turn: Callable[[], Awaitable[float]], rest_s: float, log: logging.Logger, waits: str) -> None:
    """Take turns until cancelled; each returns for how many seconds to rest after it, `rest_s` after one that failed.

    That the store fails is told once (`waits`, such as "checks wait for the store"), until a turn has come through.
    """
    troubled = False
    while True:
        try:
            rest = await turn()
        except (SQLAlchemyError, OSError) as error:
            rest = rest_s
            if not troubled:
                log.warning("%s: %s", waits, str(error).splitlines()[0])
            troubled = True
        else:
            troubled = False
        await asyncio.sleep(rest)
