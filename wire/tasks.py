"""Ending asyncio tasks for certain."""

import asyncio
from collections.abc import Set as AbstractSet
from typing import Any, Final

_CANCEL_AGAIN_S: Final = 0.1


async def end(tasks: "AbstractSet[asyncio.Task[Any]]") -> None:
    """Cancel tasks until they have ended.

    Once is not enough: `asyncio.wait_for` of Python 3.11, which pymodbus and the link use, swallows a cancellation that
    comes in the same turn as its result, and the task would go on for ever.
    """
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=_CANCEL_AGAIN_S)
