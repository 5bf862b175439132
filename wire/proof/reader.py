"""Reading the outermost layer of a proof file: arrays, texts, byte strings and numbers in their shortest form.

`wire.strict` reads one message of at most 1 MiB; a proof holds many, and what lies inside them is not looked at here.
"""

_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4}
_SHORTEST = {24: 24, 25: 1 << 8, 26: 1 << 16}
_UINT, _BYTES, _TEXT, _ARRAY = 0, 2, 3, 4  # RFC 8949, section 3.1: major types
_NAMES = {_UINT: "a number", _BYTES: "a byte string", _TEXT: "a text", _ARRAY: "an array"}


class ReadError(ValueError):
    """The bytes are not what is expected there; the message names the byte."""


class Reader:
    """Reads item after item; ReadError for anything else than what is asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.offset = 0

    def uint(self) -> int:
        """Return an unsigned integer below 2^32."""
        return self._head(_UINT)

    def octets(self) -> bytes:
        """Return a byte string."""
        return self._take(self._head(_BYTES))

    def text(self) -> str:
        """Return a text."""
        start = self.offset
        try:
            return self._take(self._head(_TEXT)).decode()
        except UnicodeDecodeError as error:
            raise ReadError(f"the text at byte {start} is not UTF-8") from error

    def array(self) -> int:
        """Return the number of items of the array that begins here."""
        return self._head(_ARRAY)

    def literal(self, expected: bytes, what: str) -> None:
        """Pass over bytes that can only be these."""
        if self._data[self.offset : self.offset + len(expected)] != expected:
            raise ReadError(f"expected {what} at byte {self.offset}")
        self.offset += len(expected)

    def end(self) -> None:
        """Make sure that nothing follows."""
        if self.offset != len(self._data):
            raise ReadError(f"{len(self._data) - self.offset} bytes behind the end")

    def _head(self, major: int) -> int:
        start = self.offset
        if start >= len(self._data) or self._data[start] >> 5 != major:
            raise ReadError(f"expected {_NAMES[major]} at byte {start}")
        self.offset += 1
        short = self._data[start] & 0x1F
        if short in _ARGUMENT_BYTES:
            argument = int.from_bytes(self._take(_ARGUMENT_BYTES[short]), "big")
            if argument >= _SHORTEST[short]:
                return argument
        elif short < min(_ARGUMENT_BYTES):
            return short
        raise ReadError(f"{_NAMES[major]} at byte {start} is not in its shortest form, or too large")

    def _take(self, size: int) -> bytes:
        end = self.offset + size
        if end > len(self._data):
            raise ReadError(f"the item at byte {self.offset} ends {end - len(self._data)} bytes behind the end")
        part = self._data[self.offset : end]
        self.offset = end
        return part
