"""Opening a line: where the meter has to dial in, that takes until it does."""

import asyncio
from collections.abc import Callable
from typing import Final

from fieldbus.bus import LineBus
from fieldbus.exchange import LineDownError
from fieldbus.lines import DialInLine, Line

LONGEST_WAIT_S: Final = 180.0  # meters dial in again a minute or two after they lost their connection


async def connect(bus: LineBus, line: Line, tell: Callable[[str], None], longest_s: float = LONGEST_WAIT_S) -> None:
    """Open a line; LineDownError. For a line that meters dial in to, wait up to `longest_s` for the first of them."""
    if bus.connected or not isinstance(line, DialInLine):
        await bus.connect()
        return
    loop = asyncio.get_running_loop()
    begun = loop.time()
    tell(f"waiting for a meter to dial in to port {line.port}")
    while True:
        asked = loop.time()
        try:
            await bus.connect()
        except LineDownError:
            # A port that can't be had fails at once, an absent meter only after the line's time-out.
            at_once = loop.time() - asked < line.timeout_ms / 2000
            if at_once or loop.time() - begun >= longest_s:
                raise
        else:
            return
