"""LINK: a meter or terminal that dials in (主动上线) logs in, sends heartbeats (心跳), and wants each answered.

`answer` makes the answers; the framing sends them at any time. `Heartbeats` is for a channel that is called: it finds
out when a connection has been silent for too long.
"""

from typing import Any, Final

from diantan_core import Dlt698Frame, dlt698_encode_apdu
from fieldbus.drivers.dlt698_message import Message, UnreadableError, open_message
from profiles.dlt698.moments import date_time

LINK_RESPONSE: Final = 0x01  # control field: to the server, which began; link management
TRUSTED_CLOCK: Final = 0x80
MISSED_HEARTBEATS: Final = 3
"""How many heartbeats may be missing. The standard's number is not known here; one may be lost by the network."""
LINK_MANAGEMENT: Final = 1  # function code of the control field


def answer(message: Message, now_ms: int, timezone: str) -> bytes:
    """Return the frame that answers a LINK-Request: result 0 with a trusted clock, and the times of it."""
    now = date_time(now_ms, timezone)
    body: dict[str, Any] = {
        "piid": message.body["piid_acd"],
        "result": TRUSTED_CLOCK,
        "requested": message.body["time"],
        "received": now,
        "responded": now,
    }
    frame = message.frame
    return Dlt698Frame(
        LINK_RESPONSE,
        frame.address,
        frame.client,
        dlt698_encode_apdu(("link_response", body)),
        kind=frame.kind,
        logical=frame.logical,
    ).encode()


class Heartbeats:
    """What the other end of one connection has promised, told by the frames that it sends."""

    def __init__(self) -> None:
        self.silent_after_s: float | None = None
        """After how long a silence the connection is to be closed; None: nothing was promised.

        Whatever the meter sends shows that it is there, as a heartbeat does. 0 after a logout.
        """

    def see(self, frame: Dlt698Frame) -> None:
        """Take a frame that came over the connection."""
        if frame.function != LINK_MANAGEMENT or not frame.from_server or frame.is_fragment:
            return
        try:
            message = open_message(frame)
        except UnreadableError:
            return
        if message.name != "link_request":
            return
        heartbeat_s = message.body["heartbeat_s"]
        if message.body["type"][0] == "logout":
            self.silent_after_s = 0.0
        else:
            self.silent_after_s = float(MISSED_HEARTBEATS * heartbeat_s) if heartbeat_s else None
