"""What a Modbus meter says of itself, where it says anything: device identification and server id."""

from collections.abc import Callable
from typing import Final

from pymodbus.pdu.mei_message import ReadDeviceInformationRequest
from pymodbus.pdu.other_message import ReportDeviceIdRequest

# Modbus application protocol 1.1b3, 6.21: the objects of the basic and regular categories.
_OBJECTS: Final = {
    0: "vendor",
    1: "product_code",
    2: "revision",
    3: "vendor_url",
    4: "product",
    5: "model",
    6: "application",
}
_FIRST_OBJECT: Final = 7  # after function, kind, code, conformity, more follows, next object, number of objects


def parse_identification(pdu: bytes) -> dict[str, str]:
    """Return the objects of a device identification by name; what is cut off or unprintable is left out."""
    found: dict[str, str] = {}
    position = _FIRST_OBJECT
    while position + 2 <= len(pdu):
        number, length = pdu[position], pdu[position + 1]
        octets = pdu[position + 2 : position + 2 + length]
        if number in _OBJECTS and len(octets) == length and (text := _text(octets)):
            found[_OBJECTS[number]] = text
        position += 2 + length
    return found


def parse_server_id(pdu: bytes) -> dict[str, str]:
    """Return the server id (6.13) as text and in hexadecimal, since each maker has his own layout for it."""
    octets = pdu[2:]
    if not octets:
        return {}
    found = {"server_id": octets.hex(" ")}
    if text := _text(octets):
        found["server_id_text"] = text
    return found


def _text(octets: bytes) -> str:
    return "".join(chr(octet) for octet in octets if 0x20 <= octet < 0x7F).strip()  # noqa: PLR2004 - printable ASCII


def _pdu(request: ReadDeviceInformationRequest | ReportDeviceIdRequest) -> bytes:
    return bytes((request.function_code,)) + request.encode()


QUESTIONS: Final[tuple[tuple[str, bytes, Callable[[bytes], dict[str, str]]], ...]] = (
    ("device identification", _pdu(ReadDeviceInformationRequest(read_code=1)), parse_identification),
    ("server id", _pdu(ReportDeviceIdRequest()), parse_server_id),
)
"""What to ask, in this order, and how to understand it."""
