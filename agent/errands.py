"""The errands of a line (agent.spare), one at a time and block by block; the line says when there is time for one."""

from collections.abc import Callable, Sequence
from typing import Final

from agent.line_meter import LineMeter
from agent.spare import Allowance, Errand
from clock import Clock
from fieldbus.exchange import LineError, NoReplyError
from profiles.model import CodecError

LOOK_MS: Final = 1_000  # between two looks for an errand: a line has many more polls


class Errands:
    """What is to be asked of a line's meters beside their polls."""

    def __init__(
        self,
        meters: Sequence[LineMeter],
        errand_for: Callable[[str], Errand | None],
        clock: Clock,
        now_ms: Callable[[], int],
        allowance: Allowance,
    ) -> None:
        """`errand_for` returns what is to be asked of a meter (by id), and each errand once."""
        self._meters = meters
        self._errand_for = errand_for
        self._clock = clock
        self._now_ms = now_ms
        self._allowance = allowance
        self._current: tuple[LineMeter, Errand, int, dict[str, int]] | None = None  # with how many blocks are read
        self._since = 0
        self._not_before = 0
        self._next = 0  # the meter that is looked at first

    def waiting_since(self) -> int | None:
        """Return since when an errand waits for its next block (ms UTC); None when there is none."""
        now = self._now_ms()
        if self._current is None and self._clock.monotonic_ms() >= self._not_before:
            self._current = self._look()
            self._since = now
            if self._current is None:
                self._not_before = self._clock.monotonic_ms() + LOOK_MS
        if self._current is None:
            return None
        meter, errand, _, _ = self._current
        if not meter.is_known:
            self._current = None
            errand.failed(NoReplyError("the meter has not answered since"))
            return None
        self._since = min(self._since, now)  # the time may have gone back
        return self._since

    def _look(self) -> tuple[LineMeter, Errand, int, dict[str, int]] | None:
        # From the one behind the last: what the first of them ask often must not keep the others waiting for ever.
        count = len(self._meters)
        for place in range(self._next, self._next + count):
            meter = self._meters[place % count]
            if meter.is_known and (errand := self._errand_for(meter.id)) is not None:
                self._next = (place + 1) % count
                return (meter, errand, 0, {})
        return None

    async def read_block(self) -> None:
        """Read the next block of the errand that waits."""
        assert self._current is not None
        meter, errand, index, values = self._current
        self._current = None
        began = self._clock.monotonic_ms()
        try:
            values |= errand.blocks[index].decode(await meter.driver.read(meter.address, errand.blocks[index]))
        except (LineError, CodecError) as error:
            errand.failed(error)
        else:
            if index + 1 < len(errand.blocks):
                self._current = (meter, errand, index + 1, values)
                self._since = self._now_ms()
            else:
                errand.done(values, self._now_ms())
        finally:
            self._allowance.spend(began, self._clock.monotonic_ms())
