"""Finding the meters of DL/T 645-2007 on a line.

Alone on its line, a meter tells its address when the wildcard asks for it. Several answer at once, and what is heard is
no frame: then the line is searched by shortened addresses (缩位寻址), the two low digits first and two more wherever it
is garbled again. A hundred requests a level, most of which nobody answers: the line's time-out is what it costs.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from diantan_core import Dlt645Error, dlt645_decode, dlt645_shortened
from fieldbus.drivers.base import MOST_REQUESTS, Found, ScanLimitError
from fieldbus.drivers.dlt645_framing import PROTOCOL, READ, READ_ADDRESS
from fieldbus.exchange import LineDownError, LineError, RefusedError

if TYPE_CHECKING:
    from fieldbus.drivers.dlt645 import Dlt645Driver

_ADDRESS: Final = 0x0400_0401
_DIGITS: Final = 12
_PAIRS: Final = 100
# The wildcard is answered to 13H; shortened addresses are for reading.
_WAYS: Final[Sequence[tuple[dict[str, Any], int]]] = (
    ({"kind": "read", "di": _ADDRESS}, READ),
    ({"kind": "read_address"}, READ_ADDRESS),
)
_DETAILS: Final = {
    "meter_number": 0x0400_0402,
    "model": 0x0400_040B,
    "protocol_version": 0x0400_040D,
    "meter_constant": 0x0400_0409,
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search is: requests made, meters found, and the shortened address that is asked for."""

    requests: int
    found: int
    address: str


@dataclass(frozen=True, slots=True)
class _Outcome:
    address: str | None = None  # of a meter that was understood
    several: bool = False


async def scan(
    driver: "Dlt645Driver",
    *,
    progress: Callable[[Progress], None] | None = None,
    most_requests: int = MOST_REQUESTS,
    thorough: bool = False,
) -> AsyncIterator[Found]:
    """Yield the meters of a line as they are found, with what they say of themselves.

    `thorough` searches by shortened addresses even if one meter was understood at once: on a real line one that talks
    louder can hide another. ScanLimitError after `most_requests`; LineDownError when the line can't be opened.
    """
    search = _Search(driver, progress, most_requests, thorough=thorough)
    async for found in search.below("", 0):
        yield found


class _Search:
    def __init__(
        self, driver: "Dlt645Driver", progress: Callable[[Progress], None] | None, most: int, *, thorough: bool
    ) -> None:
        self._found: set[str] = set()
        self._driver = driver
        self._progress = progress
        self._most = most
        self._thorough = thorough
        self._requests = 0

    async def below(self, digits: str, attempt: int) -> AsyncIterator[Found]:
        """Yield the meters whose addresses end with these digits."""
        outcome = await self._ask(digits, _WAYS[attempt : attempt + 1] if digits else _WAYS[::-1])
        expected = 2 if outcome.several else int(self._thorough and not digits and outcome.address is not None)
        before = len(self._found)
        if outcome.address is not None and outcome.address not in self._found:
            self._found.add(outcome.address)
            yield Found(PROTOCOL, outcome.address, await self._details(outcome.address))
        if not expected or len(digits) >= _DIGITS:
            return
        # Where fewer are found than there must be, a reply was lost: the other way of asking may bring it.
        for way in range(len(_WAYS)):
            for pair in range(_PAIRS):
                async for found in self.below(f"{pair:02d}{digits}", way):
                    yield found
            if len(self._found) - before >= expected:
                return

    async def _ask(self, digits: str, ways: Sequence[tuple[dict[str, Any], int]]) -> _Outcome:
        """Ask whoever's address ends with these digits, until somebody answers."""
        address = dlt645_shortened(digits or "AA")
        for message, function in ways:
            await self._begin(address)
            counters = self._driver.bus.counters
            strays, corrupt = self._strays(), counters.corrupt
            try:
                said = await self._driver.ask_any(address, message, function)
            except LineDownError:
                raise
            except LineError:
                # Frames of others that came late are no sign of several meters here; what is no frame at all is.
                if counters.corrupt != corrupt:
                    return _Outcome(several=True)
                continue
            real = str(said.message.get("address", said.frame.address))
            return _Outcome(real, several=await self._not_alone(real, strays))
        return _Outcome()

    async def _not_alone(self, address: str, strays: int) -> bool:
        """Ask the meter itself: whatever comes besides its answer comes from others."""
        await self._begin(address)
        try:
            await self._driver.query(address, _ADDRESS)
        except LineDownError:
            raise
        except LineError:
            pass
        return self._strays() != strays

    async def _begin(self, address: str) -> None:
        if self._requests >= self._most:
            raise ScanLimitError(f"the search for meters was given up after {self._requests} requests, at {address}")
        self._requests += 1
        if self._progress is not None:
            self._progress(Progress(self._requests, len(self._found), address))
        if not self._driver.bus.connected:
            await self._driver.bus.connect()

    def _strays(self) -> int:
        """Return how much has come that was no answer."""
        counters = self._driver.bus.counters
        return counters.corrupt + counters.foreign + counters.late

    async def _details(self, address: str) -> dict[str, str]:
        """Return what a meter says of itself; what it refuses is left out."""
        details = {}
        for name, di in _DETAILS.items():
            await self._begin(address)
            try:
                values = dlt645_decode(di, await self._driver.query(address, di))
            except (RefusedError, Dlt645Error):
                continue  # it has not that, or nothing that can be read in it
            except LineError:
                break
            value = values[0]
            details[name] = str(value[0] if isinstance(value, tuple) else value)
        return details
