"""CONFIGURE: the configuration shown, replaced or rolled back (配置下发与回退)."""

from collections.abc import Callable
from typing import Protocol

from agent.remote.answered import Answered, RefusedCommandError
from wire.commands import Command, Outcome
from wire.orders import Configure, ConfigureAction
from wire.results import Configuration


class Ended(Protocol):
    """How a command ended whose first reply was UNDER_WAY (agent.configuration.Pending)."""

    @property
    def command(self) -> bytes:
        """Its id."""

    @property
    def outcome(self) -> Outcome:
        """What became of it."""

    @property
    def text(self) -> str:
        """Why."""

    @property
    def configuration(self) -> Configuration:
        """The one in force."""


class Configurator(Protocol):
    """What is needed of agent.configuration.Configurator."""

    on_pending: Callable[[], None]

    @property
    def pending(self) -> Ended | None:
        """What is still to be told."""

    async def show(self) -> Configuration:
        """Return the configuration in force."""

    async def set(self, order: Configure, command: Command) -> tuple[Outcome, str, Configuration]:
        """Have another one tried."""

    async def roll_back(self, command: Command) -> tuple[Outcome, str, Configuration]:
        """Have the one before tried."""

    def told(self) -> None:
        """Forget what is pending: the journal has it."""

    def heard_centre(self) -> None:
        """Take note that a message of the centre was verified."""


class Configuring:
    """Hands an order on to the configurator; None: there is none, as in a gateway that was started without a file."""

    def __init__(self, configurator: Configurator | None) -> None:
        self._configurator = configurator

    async def __call__(self, command: Command) -> Answered:
        """Return what the configurator says."""
        order, configurator = command.order, self._configurator
        assert isinstance(order, Configure)
        if configurator is None:
            raise RefusedCommandError("this gateway's configuration can't be changed from the centre")
        match order.action:
            case ConfigureAction.SHOW:
                return Answered(Outcome.DONE, "", await configurator.show())
            case ConfigureAction.SET:
                return Answered(*await configurator.set(order, command))
            case ConfigureAction.ROLL_BACK:
                return Answered(*await configurator.roll_back(command))
