"""Reading small CBOR messages strictly: one encoding for one value, bounded, and nothing but what the schema uses."""

import cbor2

from diantan_core import DecodeError, check_cbor

MAX_MESSAGE_BYTES = 1 << 20


class StrictError(ValueError):
    """The bytes are not deterministic CBOR of integers, texts, byte strings, arrays, maps, booleans and null."""


def load(data: bytes) -> object:
    """Return the value that the bytes encode deterministically (RFC 8949, 4.2); StrictError otherwise."""
    try:
        # First, so that no tag reaches cbor2: it would build decimals, dates or regular expressions from them.
        check_cbor(data)
        value: object = cbor2.loads(data)
    except (DecodeError, cbor2.CBORError, TypeError) as error:
        raise StrictError(str(error)) from error
    return value


def dump(value: object) -> bytes:
    """Return the deterministic encoding of integers, texts, byte strings, None, lists and maps of them.

    The keys of one map are all unsigned integers or all texts: only then does cbor2's order, which is that of RFC 7049
    (shorter keys first), agree with RFC 8949's order of bytes.
    """
    return cbor2.dumps(value, canonical=True)
