"""What a frame says on one line, for a person who watches."""

from collections.abc import Sequence
from typing import Final

from protocols.explained import Explained, Json, Value

_MOST_VALUES: Final = 12
_MOST_OCTETS: Final = 32


def meaning(told: Explained) -> str:
    """Return type, objects and values, or what is wrong, without protocol and address."""
    if told.protocol is None or (told.type is None and told.error is not None):
        text = told.error["text"] if told.error else "noise"
        return f"{text}: {_octets(told.octets)}"
    parts = [told.type or "?"]
    if told.error is not None:
        parts.append(f"ERROR {told.error['text']}")
    shown = _values(told.values)
    # Values carry the names of their objects.
    parts += shown or [_identifier(found) for found in told.identifiers]
    parts += [f"{key}={told.details[key]}" for key in _SAID if key in told.details]
    text = "; ".join(parts)
    for inner in told.contents:
        text += f" [{inner.protocol or 'noise'} {'' if inner.address is None else inner.address} {meaning(inner)}]"
    return text


_SAID: Final = ("address", "time", "blocks", "seq", "more", "baud", "row_count", "heartbeat_s", "result")


def _octets(octets: bytes) -> str:
    more = f" … {len(octets)} octets" if len(octets) > _MOST_OCTETS else ""
    return octets[:_MOST_OCTETS].hex(" ").upper() + more


def _identifier(found: Json) -> str:
    for key in ("di", "oad", "omd"):
        if key in found:
            columns = ", ".join(_identifier(column) for column in found.get("columns", ()))
            named = f"{found[key]} {found['name'] or 'unknown'}"
            return f"{named} ({columns})" if columns else named
    if "table" in found:
        first, count = found["register"], found.get("count", 1)
        access = f"{found['access']} " if "access" in found else ""
        return f"{access}{found['table']} {first}" + (f"..{first + count - 1}" if count > 1 else "")
    return ", ".join(f"{key} {value}" for key, value in found.items())


def _values(values: Sequence[Value]) -> list[str]:
    if len(values) > 1 and all("register" in value.place and value.unit is None for value in values):
        return [_registers(values)]
    named = [value for value in values if value.unit is not None or "register" not in value.place] or values
    texts = [_value(value) for value in named[:_MOST_VALUES]]
    return [*texts, f"{len(named) - _MOST_VALUES} more"] if len(named) > _MOST_VALUES else texts


def _registers(values: Sequence[Value]) -> str:
    """Return registers as their octets: one by one they would fill the screen."""
    first = values[0].place["register"]
    name = (values[0].name or "register").rstrip("0123456789 ") if first is not None else "registers of the reply"
    where = f"{name} {first}..{first + len(values) - 1}" if first is not None else name
    switches = values[0].value in ("on", "off")
    shown = [(value.value or "?") if switches else value.raw for value in values]
    more = f" … {len(shown)} in all" if len(shown) > _MOST_OCTETS else ""
    return f"{where} = {' '.join(shown[:_MOST_OCTETS])}{more}"


def _value(value: Value) -> str:
    name = value.name or " ".join(str(place) for place in value.place.values()) or "data"
    if value.error is not None:
        return f"{name}: {value.error} ({value.raw})"
    unit = f" {value.unit}" if value.unit else ""
    if value.value is None:
        return f"{name}: no value ({value.raw})"
    row = f"row {value.place['row']}: " if "row" in value.place else ""
    return f"{row}{name} = {value.value}{unit}"
