"""The frames of DL/T 698.45 on a line: fragments joined and confirmed, what meters say of their own accord answered."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from diantan_core import (
    Dlt698FragmentError,
    Dlt698Frame,
    Dlt698FrameError,
    Dlt698Parser,
    Dlt698Reassembler,
    dlt698_encode_apdu,
)
from fieldbus.drivers.dlt698_link import answer
from fieldbus.drivers.dlt698_message import (
    PROTOCOL,
    Device,
    Message,
    UnreadableError,
    device,
    open_message,
)
from fieldbus.exchange import Heard, Noise

REPORT_RESPONSE: Final = 0x03  # control field: to the server, which began; user data
_MOST_UNFINISHED: Final = 32  # meters whose fragmented messages are collected at a time
_MOST_RELEASED: Final = 4096
_LARGEST_MESSAGE: Final = 65535
CONFIRMED: Final = "confirmed"
_HEARTBEAT: Final = ("heartbeat", None)
_ANYONE: Final = device("aaaaaaaaaaaa")


class Dlt698Framing:
    """Finds messages in a stream; one for each line."""

    protocol = PROTOCOL
    longest_pause_s = 0.5  # as DL/T 645 has it: what DL/T 698.45 says is not in our sources

    def __init__(self, now_ms: Callable[[], int], timezone: str, largest_message: int = _LARGEST_MESSAGE) -> None:
        """`now_ms` (UTC) and the meters' time zone date the answers to heartbeats."""
        self._now_ms = now_ms
        self._timezone = timezone
        self._largest = largest_message
        self._parser = Dlt698Parser()
        self._unfinished: OrderedDict[Device, Dlt698Reassembler] = OrderedDict()
        self._unwanted: dict[Device, int] = {}
        self._proxied: dict[tuple[Device, int], Device] = {}
        self.released: set[Device] = set()  # meters that have ended their association, or dialled in anew

    @property
    def pending(self) -> int:
        """How many octets wait for more."""
        return self._parser.pending

    def feed(self, data: bytes) -> list[Heard | Noise]:
        """Take octets as they come; return what is complete, in order."""
        return [heard for found in self._parser.feed(data) for heard in self._take(found)]

    def flush(self) -> list[Heard | Noise]:
        """Give up what waits for more octets."""
        return [heard for found in self._parser.flush() for heard in self._take(found)]

    def respond(self, heard: Heard) -> bytes | None:
        """Return the confirmation of a fragment, or the answer to a LINK-Request or REPORT-Notification."""
        if heard.is_request:
            return None
        message = heard.frame
        if isinstance(message, Dlt698Frame):
            return None if message.fragment()[1] == "confirm" else message.confirmation().encode()
        if not isinstance(message, Message):
            return None
        if message.name == "link_request":
            return answer(message, self._now_ms(), self._timezone)
        if message.name == "report_notification":
            return _report_response(message)
        return None

    def leave_unsaid(self, of: Device, number: int) -> None:
        """Pass over the confirmation of the last fragment that was sent: the reply says as much."""
        self._unwanted[of] = number

    def expect_passed_on(self, piid: int, terminal: Device, meter: Device) -> None:
        """Take a terminal's failure to reach a meter for the meter's: that says who was asked only by its PIID."""
        self._proxied[terminal, piid] = meter

    def _take(self, found: object) -> list[Heard | Noise]:
        if isinstance(found, Dlt698Frame):
            return self._fragment(found) if found.is_fragment else [self._message(found, found.encode())]
        return [Noise(found.octets, found.reason)]  # type: ignore[attr-defined]  # what else the parser returns

    def _fragment(self, frame: Dlt698Frame) -> list[Heard | Noise]:
        octets, whose = frame.encode(), device(frame.address)
        if not frame.from_server:
            return [Heard(whose, None, frame, octets, is_request=True)]
        joined = self._unfinished.get(whose)
        if joined is None:
            joined = self._unfinished[whose] = Dlt698Reassembler(self._largest)
            if len(self._unfinished) > _MOST_UNFINISHED:
                self._unfinished.popitem(last=False)
        self._unfinished.move_to_end(whose)
        before = joined.pending
        try:
            number, _, _ = frame.fragment()
            outcome, content = joined.feed(frame)
        except Dlt698FragmentError as error:
            return [Noise(octets, str(error))]
        if outcome == CONFIRMED:
            if self._unwanted.get(whose) == number:
                del self._unwanted[whose]
                return []
            return [Heard(whose, (number, CONFIRMED), frame, octets)]
        grown = joined.pending > before  # a first piece sent again brings nothing further
        piece: list[Heard | Noise] = [Heard(whose, (number, "fragment"), frame, octets, is_part=grown)]
        if isinstance(content, Dlt698Frame):
            piece.append(self._message(content, _whole(content)))
        return piece

    def _message(self, frame: Dlt698Frame, octets: bytes) -> Heard | Noise:
        whose = device(frame.address)
        if not frame.from_server:
            return Heard(whose, None, frame, octets, is_request=True)
        try:
            message = open_message(frame)
        except UnreadableError as error:
            return Noise(octets, str(error))
        if message.name in ("release_notification", "link_request") and message.body.get("type") != _HEARTBEAT:
            if len(self.released) >= _MOST_RELEASED:
                self.released.clear()  # whoever is forgotten refuses the next request, and is connected to then
            self.released.add(message.device)
        piid = message.piid
        if message.name == "proxy_response" and piid is not None:
            meter = self._proxied.pop((message.device, piid), None) or self._proxied.pop((_ANYONE, piid), None)
            if meter is not None:
                return Heard(meter, None, message, octets, refuses=_with(piid))
        if message.name == "error_response" and piid is not None:
            return Heard(message.device, None, message, octets, refuses=_with(piid))
        return Heard(message.device, message.signature, message, octets)


def _whole(frame: Dlt698Frame) -> bytes:
    """Return the octets of a joined message as one frame, for who traces the line; none if no frame is so long."""
    try:
        return frame.encode()
    except Dlt698FrameError:
        return b""


def _with(piid: int) -> Callable[[Hashable], bool]:
    """Return what says whether a request had this PIID."""
    return lambda signature: isinstance(signature, tuple) and signature[0] == piid


def _report_response(message: Message) -> bytes:
    body = message.body
    content: dict[str, object] = {"piid": body["piid_acd"], "time_tag": None}
    if message.choice in ("normal_list", "record_list"):
        items = body["results"] if message.choice == "normal_list" else body["records"]
        content["oads"] = [item["oad"] for item in items]
    apdu = dlt698_encode_apdu(("report_response", (message.choice, content)))
    frame = message.frame
    return Dlt698Frame(
        REPORT_RESPONSE, frame.address, frame.client, apdu, kind=frame.kind, logical=frame.logical
    ).encode()
