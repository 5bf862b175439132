"""Reading small CBOR messages strictly: one encoding for one value, bounded, and nothing but what the schema uses."""

import cbor2

MAX_MESSAGE_BYTES = 1 << 20
MAX_DEPTH = 16


class StrictError(ValueError):
    """The bytes are not deterministic CBOR, or too large or too deep."""


def load(data: bytes) -> object:
    """Return the value that the bytes encode deterministically (RFC 8949, 4.2); StrictError otherwise."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise StrictError(f"expected at most {MAX_MESSAGE_BYTES} bytes, got {len(data)}")
    try:
        value: object = cbor2.loads(data, max_depth=MAX_DEPTH, allow_indefinite=False, allow_duplicate_keys=False)
        again = cbor2.dumps(value, canonical=True)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, ArithmeticError, RecursionError) as error:
        raise StrictError(f"not CBOR: {error}") from error
    if again != data:
        raise StrictError("not deterministic CBOR (shortest form, ascending keys, nothing behind the end)")
    return value


def dump(value: object) -> bytes:
    """Return the deterministic encoding of integers, texts, byte strings, None, lists and maps of them."""
    return cbor2.dumps(value, canonical=True)
