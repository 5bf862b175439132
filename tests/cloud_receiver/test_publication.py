"""The wait between two publications: whoever cancels it is heard, whenever that is."""

import asyncio

import pytest

from clock import ManualClock
from cloud_receiver.publication import rest


@pytest.mark.parametrize("steps", range(8))
@pytest.mark.parametrize("retry", [True, False])
def test_a_cancellation_is_never_swallowed(steps: int, *, retry: bool) -> None:
    async def scenario() -> bool:
        wake = asyncio.Event()
        wake.set()

        async def forever() -> None:
            while True:
                await rest(ManualClock(), wake, 1000, retry=retry)

        task = asyncio.create_task(forever())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        return task.cancelled()

    assert asyncio.run(scenario())


def test_it_ends_when_it_is_time_and_when_somebody_wakes() -> None:
    async def scenario() -> None:
        clock, wake = ManualClock(), asyncio.Event()
        task = asyncio.create_task(rest(clock, wake, 1000, retry=False))
        await clock.advance(0)  # it begins
        await clock.advance(999)
        assert not task.done()
        await clock.advance(1)
        assert task.done()
        task = asyncio.create_task(rest(clock, wake, 1000, retry=False))
        await clock.advance(0)  # it begins
        await clock.advance(1)
        assert not task.done()
        wake.set()
        await clock.advance(0)
        assert task.done()

    asyncio.run(scenario())
