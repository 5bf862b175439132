"""What the centre's commands do to the configuration, while the gateway runs."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from wire.commands import Command, Outcome
from wire.orders import Configure
from wire.results import Configuration


@dataclass(frozen=True, slots=True)
class Pending:
    """How a command ended whose first reply was UNDER_WAY, as it is still to be told to the centre."""

    command: bytes
    outcome: Outcome
    text: str
    configuration: Configuration


class Configurator:
    """Shows, replaces and rolls back the configuration in force; one for each run of the gateway."""

    def __init__(self) -> None:
        self.restart = asyncio.Event()  # ends the gateway, which then starts again with what is in force
        self.pending: Pending | None = None
        self.on_pending: Callable[[], None] = lambda: None  # called when there is one while the gateway runs

    async def show(self) -> Configuration:
        """Return the configuration in force with its document (None where it is too large to travel)."""
        raise NotImplementedError

    async def set(self, order: Configure, command: Command) -> tuple[Outcome, str, Configuration]:
        """Check a configuration and have it tried: UNDER_WAY, or DONE or REFUSED with nothing changed.

        The same command again (by its id) gets the same answer, and is not done twice. After UNDER_WAY the gateway
        goes on for a second or so, for the reply to be journalled and sent, before `restart` is set.
        """
        raise NotImplementedError

    async def roll_back(self, command: Command) -> tuple[Outcome, str, Configuration]:
        """Have the configuration before this one tried; as `set`."""
        raise NotImplementedError

    def told(self) -> None:
        """Forget `pending`: the journal has it."""
        raise NotImplementedError

    def heard_centre(self) -> None:
        """Take note that a message of the centre, sent since this run connected, was verified."""
        raise NotImplementedError
