"""Publishing what is signed and stored: shared by the schedule's dispatch and the grid service."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from clock import Clock
from cloud_receiver.factor_messages import Dispatched
from cloud_receiver.intake import Publisher

RETRY_MS: Final = 5000
RETRY_FLOOR_S: Final = 0.1
"""An accelerated clock must not turn the wait before another attempt into a busy loop."""


class DispatchLink(Publisher, Protocol):
    """What dispatch needs of the link."""

    async def wait_connected(self) -> None:
        """Wait until the connection stands."""


async def publish(link: Publisher, messages: Sequence[Dispatched]) -> None:
    """Publish messages, retained; LinkError when the broker did not take all of them."""
    sent = [link.publish(item.topic, item.envelope, 1, retain=True) for item in messages]
    for result in await asyncio.gather(*sent, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def rest(clock: Clock, wake: asyncio.Event, duration_ms: int, *, retry: bool) -> None:
    """Wait until it is time or somebody wakes; before another attempt shortly, and for some real time."""
    if retry:
        real_s = clock.to_real_seconds(min(duration_ms, RETRY_MS))
        sleeping = asyncio.ensure_future(asyncio.sleep(max(real_s, RETRY_FLOOR_S)))
    else:
        sleeping = asyncio.ensure_future(clock.sleep_ms(duration_ms))
    waking = asyncio.ensure_future(wake.wait())
    try:
        await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeping.cancel()
        waking.cancel()
        # Gathered: to swallow their cancellation one by one would swallow the caller's own, should it come just now.
        await asyncio.gather(sleeping, waking, return_exceptions=True)
