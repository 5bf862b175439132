"""What a meter on Modbus says of itself: report server id (function 17), device identification (function 43/14)."""

from collections.abc import Mapping
from typing import Final

from profiles import Profile

_RUNNING: Final = 0xFF
_MEI: Final = 14
_BASIC: Final = range(3)
_STREAMS: Final = {1: _BASIC, 2: range(7), 3: range(256)}  # basic, regular, extended
_ONE: Final = 4
_CONFORMITY: Final = 0x82  # regular, stream and single access
_LONGEST: Final = 64
_ILLEGAL_ADDRESS: Final = 2
_ILLEGAL_VALUE: Final = 3


class IdentityError(ValueError):
    """An identification that does not exist; `code` is the Modbus exception."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Identity:
    """The texts of one meter."""

    def __init__(self, profile: Profile, version: str) -> None:
        texts = {0: profile.manufacturer, 1: profile.model, 2: version, 4: profile.model, 5: profile.name}
        self._objects: Mapping[int, bytes] = {
            number: text.encode("ascii", "replace")[:_LONGEST] for number, text in texts.items()
        }

    def server_id(self, unit: int) -> bytes:
        """Return the PDU of function 17 (application protocol 1.1b3, 6.13): id, run indicator, then text."""
        data = bytes((unit, _RUNNING)) + self._objects[0] + b" " + self._objects[1]
        return bytes((17, len(data))) + data

    def identification(self, pdu: bytes) -> bytes:
        """Return the PDU of function 43/14 (application protocol 1.1b3, 6.21); IdentityError."""
        if len(pdu) != 4 or pdu[1] != _MEI:  # noqa: PLR2004 - the length of the request
            raise IdentityError(1 if len(pdu) > 1 and pdu[1] != _MEI else _ILLEGAL_VALUE, "not a device identification")
        access, first = pdu[2], pdu[3]
        if access == _ONE:
            if first not in self._objects:
                raise IdentityError(_ILLEGAL_ADDRESS, f"no object {first}")
            numbers = [first]
        elif access in _STREAMS:
            # An object that does not exist starts the stream anew, says the standard.
            start = first if first in self._objects else 0
            numbers = [number for number in self._objects if number in _STREAMS[access] and number >= start]
        else:
            raise IdentityError(_ILLEGAL_VALUE, f"no access of kind {access}")
        body = b"".join(bytes((number, len(self._objects[number]))) + self._objects[number] for number in numbers)
        return bytes((43, _MEI, access, _CONFORMITY, 0, 0, len(numbers))) + body
