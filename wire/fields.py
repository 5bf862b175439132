"""Messages as maps with integer keys: the form that all small messages share, and the checks of their common fields."""

from collections.abc import Callable, Mapping, Sequence

from wire import strict
from wire.domain import MAX_NAME_BYTES, MAX_SEQUENCE, MAX_SOLVE_ID_BYTES, MAX_TIME_MS, RecordError, octets, text, whole

SCHEMA_VERSION = 1
CONTEXT_BYTES = 8

Check = Callable[[object, str], object]
Fields = tuple[tuple[int, str, Check], ...]  # key, attribute, what returns its checked value


class MessageError(ValueError):
    """A message that is not what docs/wire.cddl says; the text names the message, the field and what came."""


def encode(
    message: object,
    fields: Fields,
    optional: Mapping[int, object] | None = None,
    travelling: Callable[[object], object] = lambda value: value,
) -> bytes:
    """Check each field and return the message's bytes; of the `optional` ones, those that are not None."""
    kind = type(message).__name__
    try:
        value = {0: SCHEMA_VERSION, **to_map(message, fields, optional, travelling)}
    except RecordError as error:
        raise MessageError(f"{kind}: {error}") from error
    data = strict.dump(value)
    if len(data) > strict.MAX_MESSAGE_BYTES:
        raise MessageError(f"{kind}: expected at most {strict.MAX_MESSAGE_BYTES} bytes, got {len(data)}")
    return data


def decode(data: bytes, kind: str, fields: Fields, defaults: Mapping[int, object]) -> list[object]:
    """Return the fields' values; keys that are not among them are a later writer's and are ignored."""
    try:
        value = strict.load(data)
    except strict.StrictError as error:
        raise MessageError(f"{kind}: {error}") from error
    try:
        return from_map(_of_this_version(_integer_keys(value)), fields, defaults)
    except RecordError as error:
        raise MessageError(f"{kind}: {error}") from error


def to_map(
    message: object,
    fields: Fields,
    optional: Mapping[int, object] | None = None,
    travelling: Callable[[object], object] = lambda value: value,
) -> dict[int, object]:
    """Return the checked fields by key, as they travel; RecordError names the one that can't."""
    value: dict[int, object] = {}
    for key, name, check in fields:
        field = travelling(getattr(message, name))
        if field is None and optional and key in optional:
            continue
        checked = travelling(check(field, name))
        value[key] = int(checked) if isinstance(checked, int) and not isinstance(checked, bool) else checked
    return value


def from_map(value: object, fields: Fields, defaults: Mapping[int, object]) -> list[object]:
    """Return the fields' values in a map; a key that is missing has its default, RecordError where there is none."""
    found = _integer_keys(value)
    result: list[object] = []
    for key, name, check in fields:
        if key not in found and key not in defaults:
            raise RecordError(f"{name} (key {key}) is missing")
        if key not in found and defaults[key] is None:
            result.append(None)
            continue
        result.append(check(found.get(key, defaults.get(key)), f"{name} (key {key})"))
    return result


def _of_this_version(value: dict[int, object]) -> dict[int, object]:
    version = value.get(0)
    if type(version) is not int or version != SCHEMA_VERSION:
        raise RecordError(f"expected schema version {SCHEMA_VERSION} at key 0, got {version!r:.40}")
    return value


def _integer_keys(value: object) -> dict[int, object]:
    if not isinstance(value, dict):
        raise RecordError(f"expected a map, got {type(value).__name__}")
    for key in value:
        # True equals 1 in Python: a map with the key true would pass for one with the key 1.
        if type(key) is not int:
            raise RecordError(f"expected integer keys, got {type(key).__name__} {str(key)[:40]!r}")
    return value


def integer(low: int, high: int) -> Callable[[object, str], int]:
    """Return the check of an integer within [low, high]."""
    return lambda value, what: whole(value, what, low, high)


time = integer(0, MAX_TIME_MS)
count = integer(0, MAX_SEQUENCE)


def name(value: object, what: str) -> str:
    """Return the name of a gateway, meter or node."""
    return text(value, what, MAX_NAME_BYTES)


def context(value: object, what: str) -> bytes:
    """Return a journal's context."""
    return octets(value, what, CONTEXT_BYTES, CONTEXT_BYTES)


def solve_id(value: object, what: str) -> bytes:
    """Return the id of a carbon-flow solution."""
    return octets(value, what, 1, MAX_SOLVE_ID_BYTES)


def items(value: object, what: str, maximum: int, minimum: int = 0) -> Sequence[object]:
    """Return an array's items; RecordError when it is none, or has another number of them."""
    if not isinstance(value, (list, tuple)):
        raise RecordError(f"{what}: expected an array, got {type(value).__name__}")
    if not minimum <= len(value) <= maximum:
        raise RecordError(f"{what}: expected {minimum} to {maximum} items, got {len(value)}")
    return list(value)


def ranges(value: object, what: str, maximum: int) -> tuple[tuple[int, int], ...]:
    """Return ranges of sequences, both ends included: ascending, not adjoining."""
    found: list[tuple[int, int]] = []
    for index, item in enumerate(items(value, what, maximum)):
        low, high = items(item, f"{what}[{index}]", 2, 2)
        start = whole(low, f"{what}[{index}] start", found[-1][1] + 2 if found else 1, MAX_SEQUENCE)
        found.append((start, whole(high, f"{what}[{index}] end", start, MAX_SEQUENCE)))
    return tuple(found)
