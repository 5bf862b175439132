"""A request from when it was sent until its answer is there or it is given up, and what was heard meanwhile."""

import asyncio
from typing import Final

from fieldbus.exchange import BadReplyError, Heard, LineError, NoReplyError, Request

_MOST_PARTS: Final = 256  # of one reply: whoever sends more has no end, and the line has other meters


class Asked:
    """A request under way."""

    def __init__(self, request: Request, deadline: float) -> None:
        """`deadline` is when its reply must have begun, by the event loop's clock."""
        self.request = request
        self.answer: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        self.deadline = deadline
        self.octets = 0  # heard since
        self.oddity = ""  # the last of what was heard and is no answer
        self.misfit = False  # the meter has said something that is no answer
        self._parts = 0  # of its reply, that are here

    @property
    def is_waiting(self) -> bool:
        """Whether somebody still waits for the answer."""
        return not self.answer.done()  # done: cancelled

    def take_part(self, deadline: float) -> None:
        """Wait until then for the next part, the one before being here."""
        if self._parts < _MOST_PARTS:
            self._parts += 1
            self.deadline = deadline

    def fail(self, error: LineError) -> None:
        """Tell whoever waits that there is no answer."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def overdue(self, timeout_s: float) -> LineError:
        """Return the error for a reply that is not there in time."""
        text = f"{self.request.about}: no reply within {timeout_s:g} s"
        if not self.octets:
            return NoReplyError(text)
        text += f", only {self.octets} octets: {self.oddity or 'part of a frame'}"
        return BadReplyError(text) if self.misfit else NoReplyError(text)
