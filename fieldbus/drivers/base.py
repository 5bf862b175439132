"""What a driver offers, whatever its protocol."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from fieldbus.exchange import LineError
from profiles import Block, Command

MOST_REQUESTS: Final = 5_000  # of one search for meters: noise must not keep it busy for ever

Address = int | str
"""A Modbus unit, or the 12 digits (DL/T 698: up to 32 hexadecimal digits) of a communication address (通信地址)."""


@dataclass(frozen=True, slots=True)
class Found:
    """A meter that a scan found; `details` is what it said of itself, for people and for choosing a profile."""

    protocol: str
    address: Address
    details: dict[str, str] = field(default_factory=dict)


class ScanLimitError(LineError):
    """The search took more requests than it was allowed; what it had found is found."""

    silent = False


class Driver(Protocol):
    """One protocol on one line; every method raises a LineError (fieldbus.exchange) when the meter gave no answer."""

    @property
    def protocol(self) -> str:
        """The protocol's name, as in profiles."""

    async def read(self, address: Address, block: Block) -> bytes:
        """Ask for a block of this protocol's reading plan; return what its `decode` takes."""

    async def write(self, address: Address, command: Command) -> None:
        """Write a command of this protocol's profiles; RefusedError when the meter does not take it."""

    async def time_sync(self, address: Address | None, time_ms: int, timezone: str) -> None:
        """Set a meter's clock, or by broadcast (广播校时, unanswered) those of all meters of this protocol (None)."""

    def scan(self) -> AsyncIterator[Found]:
        """Look for meters by what the protocol has for that: address read, wildcard, unit sweep."""
