"""Tasks end when they are told to."""

import asyncio
import contextlib

from wire.tasks import end


def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    """As `asyncio.wait_for` of Python 3.11 does when its result comes in the same turn."""

    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def scenario() -> None:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await end({task})
        assert task.cancelled()

    asyncio.run(scenario())
