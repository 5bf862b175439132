"""Octets as people write and paste them."""

import re
from typing import Final

_SEPARATORS: Final = re.compile(r"[\s,;:|_.\-\[\]{}()<>\"']+")
_PREFIX: Final = re.compile(r"(?:0x|\\x|\$)", re.IGNORECASE)
_SUFFIXED: Final = re.compile(r"[0-9A-F]{2}H", re.IGNORECASE)
_DIGITS: Final = re.compile(r"[0-9A-F]+", re.IGNORECASE)


class NotHexadecimalError(ValueError):
    """A text that is not octets in hexadecimal digits."""


def octets_of(text: str) -> bytes:
    r"""Return the octets of a text such as `68 17`, `0x68, 0x17`, `68-17`, `\x68\x17`, `68H 17H` or `6817`.

    A single digit between separators is an octet too; NotHexadecimalError names what is neither.
    """
    octets = bytearray()
    for word in _SEPARATORS.split(_PREFIX.sub(" ", text)):
        if not word:
            continue
        digits = word[:-1] if _SUFFIXED.fullmatch(word) else word
        if not _DIGITS.fullmatch(digits):
            raise NotHexadecimalError(f"expected hexadecimal digits, found {word!r}")
        if len(digits) == 1:
            digits = "0" + digits
        if len(digits) % 2:
            raise NotHexadecimalError(f"expected two digits for each octet, found {len(digits)} in {word!r}")
        octets += bytes.fromhex(digits)
    return bytes(octets)


def shown(octets: bytes) -> str:
    """Return octets as two digits each, without separators."""
    return octets.hex().upper()
