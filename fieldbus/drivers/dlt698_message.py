"""A DL/T 698.45 message: the frame that carried it and the APDU in it, out of whatever it was wrapped in."""

from dataclasses import dataclass
from typing import Any, Final

from diantan_core import Dlt698DecodeError, Dlt698Frame, Dlt698FrameError, dlt698_decode_apdu

PROTOCOL: Final = "dlt698"
PIIDS: Final = 64
_PIID_BITS: Final = 0x3F

Device = tuple[str, str]
"""Who says something: the protocol and the address as lower-case hexadecimal digits."""

Signature = tuple[int, str, int, int]
"""What a reply is known by: its PIID, its service, the client that it is for, and the logical address that it is of."""


@dataclass(frozen=True, slots=True)
class Message:
    """An APDU with its frame.

    `frame` is that of the meter itself, also where a terminal passed it on (PROXY-TransCommand); `terminal` is the
    frame of the terminal then. `choice` is empty for an APDU without one.
    """

    frame: Dlt698Frame
    name: str
    choice: str
    body: dict[str, Any]
    apdu: bytes
    terminal: Dlt698Frame | None = None

    @property
    def device(self) -> Device:
        """Whose message it is."""
        return device(self.frame.address)

    @property
    def piid(self) -> int | None:
        """Return the number of the exchange (PIID), None where the message has none."""
        for key in ("piid_acd", "piid"):
            if key in self.body:
                return int(self.body[key]) & _PIID_BITS
        return None

    @property
    def signature(self) -> Signature | None:
        """Return what the message is known by as a reply; None for an ERROR-Response and a refusal of SECURITY."""
        piid = self.piid
        if piid is None or self.name in ("error_response", "security_response"):
            return None
        return piid, self.name, self.frame.client, self.frame.logical


class UnreadableError(ValueError):
    """A frame whose content is no APDU."""


def device(address: str) -> Device:
    """Return who has an address."""
    return PROTOCOL, address.lower()


def open_message(frame: Dlt698Frame) -> Message:
    """Return the message in a frame, out of SECURITY in its plain form and PROXY-TransCommand; UnreadableError."""
    name, choice, body, apdu = _unwrapped(frame.user_data)
    if name != "proxy_response" or choice != "transparent" or body["result"][0] != "answer":
        return Message(frame, name, choice, body, apdu)
    try:
        passed = Dlt698Frame.decode(bytes(body["result"][1]))
    except Dlt698FrameError as error:
        raise UnreadableError(f"what the terminal passed on is no frame: {error}") from None
    return Message(passed, *_unwrapped(passed.user_data), frame)


def _unwrapped(apdu: bytes) -> tuple[str, str, dict[str, Any], bytes]:
    name, choice, body = _decode(apdu)
    if name == "security_response" and body["apdu"][0] == "plain":
        apdu = bytes(body["apdu"][1])
        name, choice, body = _decode(apdu)
    return name, choice, body, apdu


def _decode(apdu: bytes) -> tuple[str, str, dict[str, Any]]:
    try:
        name, content = dlt698_decode_apdu(apdu)
    except Dlt698DecodeError as error:
        raise UnreadableError(f"no APDU: {error}") from None
    choice, body = content if isinstance(content, tuple) else ("", content)
    return name, choice, body
