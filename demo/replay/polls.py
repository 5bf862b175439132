"""Which meters the gateway has read, as the simulator counts: between quarters of an hour no record tells of it."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from demo.processes import DemoError
from firmware_sim.fault_command import ask
from settings.errors import ConfigError

PATIENCE_S: Final = 5.0
"""How long to wait for a reading that does not come."""
_LOOK_S: Final = 0.004
_STAMP_S: Final = 0.01
"""A reply that the simulator has sent needs so long at most until the gateway has noted its time, as a rule."""


class Polls:
    """The readings that the simulator has answered, by its control socket."""

    def __init__(self, control: Path, counts: Callable[[Path], dict[str, int]] | None = None) -> None:
        self._control = control
        self._counts = counts or answered
        self._before: dict[str, int] = {}

    def count(self) -> None:
        """Note what has been answered up to now; DemoError when nobody tells."""
        self._before = self._counts(self._control)

    async def come(self, check: Callable[[], None], patience_s: float = PATIENCE_S) -> bool:
        """Wait until every meter has answered since; False when one does not for long. `check` may raise."""
        until = time.monotonic() + patience_s
        while not all(count > self._before.get(meter, 0) for meter, count in self._counts(self._control).items()):
            check()
            if time.monotonic() > until:
                return False
            await asyncio.sleep(_LOOK_S)
        await asyncio.sleep(_STAMP_S)
        return True


def answered(control: Path) -> dict[str, int]:
    """Return how many requests each meter has answered; DemoError."""
    try:
        meters = ask(control, {"do": "counters"})["meters"]
    except (OSError, ConfigError) as error:
        raise DemoError(f"the simulator does not say what it has answered: {error}") from None
    return {meter: counters["answers"] for meter, counters in meters.items()}
