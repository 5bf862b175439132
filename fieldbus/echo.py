"""Our own requests, heard again, as by a two-wire adapter that does not mute its receiver (回波)."""

from fieldbus.exchange import Heard, Request
from fieldbus.unanswered import Unanswered


class Echo:
    """Whether a line has one, and which frames it is.

    It matters where a meter answers with the very octets of the request (Modbus function 6): on a line that echoes,
    only their second copy says that the meter has taken it.
    """

    def __init__(self) -> None:
        self.known: bool | None = None  # whether there is one; None: not known
        self._sent = b""
        self._heard = False  # that of the request under way

    def forget(self) -> None:
        """Know nothing: it is another connection."""
        self.known = None

    def begin(self) -> None:
        """Wait for that of another request."""
        self._heard = False

    def sent(self, octets: bytes) -> None:
        """Take note of what goes out."""
        self._sent = octets

    def takes(self, heard: Heard, request: Request | None, unanswered: Unanswered) -> bool:
        """Say whether a frame is an echo; `request` is the one under way."""
        own = request is not None and request.octets.endswith(heard.octets)
        if heard.is_request:
            if not (self._sent.endswith(heard.octets) or unanswered.echoed(heard.octets)):
                return False
        elif not (own and request is not None and request.mirrored and self.known and not self._heard):
            return False
        self.known = True
        self._heard = self._heard or own  # that of an earlier request may come late, too
        return True

    def answered(self, request: Request, heard: Heard, octets: int) -> None:
        """Learn from an answer; `octets` is how many have come since the request."""
        # What else was heard may be too short for an echo that was spoilt; then there is none.
        if not request.mirrored and 2 * (octets - len(heard.octets)) < len(request.octets):
            self.known = self._heard
