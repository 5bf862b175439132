"""What was measured in a slot as bytes of the store: deterministic CBOR around columns of binary numbers.

A map: 0 the version, 1 the length of the slot in hours, 2 the ids of open branches, then a pair for each kind of which
there is any: 3 branches with net powers, 4 branches with registers, 5 generators, 6 loads, 7 storages. A pair is the
ids in the order of their characters, each on its line, and the numbers of each element in turn, as the fields of
`cloud_receiver.grid.snapshot` come: 64-bit floats, little-endian, NaN for a value that is not there.
"""

import math
import struct
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any, Final, TypeVar

from cloud_receiver.grid.model import MOST_ELEMENTS, is_plain
from cloud_receiver.grid.snapshot import (
    Charge,
    Demand,
    EndPowers,
    EndRegisters,
    Flow,
    Generation,
    Measurement,
    Snapshot,
)
from cloud_receiver.mistakes import quoted
from wire import strict

MOST_BYTES: Final = 32 << 20
"""Of one slot."""
LONGEST_HOURS: Final = 24.0
_VERSION: Final = 1
_VERSION_KEY, _HOURS, _OPEN, _NET, _REGISTERS, _GENERATORS, _LOADS, _STORAGES = range(8)
_KINDS: Final[Mapping[int, type[Measurement]]] = {
    _NET: EndPowers,
    _REGISTERS: EndRegisters,
    _GENERATORS: Generation,
    _LOADS: Demand,
    _STORAGES: Charge,
}
_WIDTHS: Final[Mapping[type, int]] = {kind: len(fields(kind)) for kind in _KINDS.values()}
_GETTERS: Final[Mapping[type[Measurement], Callable[[Any], tuple[float | None, ...]]]] = {
    kind: attrgetter(*(item.name for item in fields(kind))) for kind in _KINDS.values()
}
_TANK_PLACE: Final = 2  # from which on the numbers of a storage have a default, and are always there

_Value = TypeVar("_Value", bound=Measurement)


class TelemetryError(ValueError):
    """What can't be kept as telemetry, or bytes of the store that are none."""


def pack(snapshot: Snapshot) -> bytes:
    """Return the bytes of the store; equal measurements have equal bytes. TelemetryError for what can't be kept."""
    content: dict[int, object] = {_VERSION_KEY: _VERSION, _HOURS: struct.pack("<d", _hours(snapshot.hours))}
    if snapshot.open_branches:
        content[_OPEN] = _sorted(tuple(snapshot.open_branches))[1]
    registers = {name: flow for name, flow in snapshot.flows.items() if type(flow) is EndRegisters}
    net = snapshot.flows
    if registers:
        net = {name: flow for name, flow in net.items() if name not in registers}
    groups: tuple[tuple[int, Mapping[str, Measurement]], ...] = (
        (_NET, net),
        (_REGISTERS, registers),
        (_GENERATORS, snapshot.generators),
        (_LOADS, snapshot.loads),
        (_STORAGES, snapshot.storages),
    )
    for key, values in groups:
        if values:
            names, text = _sorted(tuple(values))
            content[key] = [text, _numbers(_KINDS[key], names, values)]
    data = strict.dump(content)
    if len(data) > MOST_BYTES:
        raise TelemetryError(f"measurements of a slot: expected at most {MOST_BYTES} bytes, found {len(data)}")
    return data


def unpack(data: bytes, start_ms: int) -> Snapshot:
    """Return the measurements in bytes of the store; TelemetryError when they are none."""
    if len(data) > MOST_BYTES:
        raise TelemetryError(f"expected at most {MOST_BYTES} bytes, found {len(data)}")
    try:
        content = strict.load(data)
    except strict.StrictError as error:
        raise TelemetryError(str(error)) from error
    if not isinstance(content, dict) or content.get(_VERSION_KEY) != _VERSION:
        raise TelemetryError(f"expected measurements of version {_VERSION}, found {quoted(content)}")
    if unknown := content.keys() - {_VERSION_KEY, _HOURS, _OPEN, *_KINDS}:
        raise TelemetryError(f"expected the keys of version {_VERSION}, found {quoted(sorted(map(str, unknown)))}")
    hours = content.get(_HOURS)
    if not isinstance(hours, bytes) or len(hours) != struct.calcsize("<d"):
        raise TelemetryError(f"hours: expected 8 bytes, found {quoted(hours)}")
    opened = content.get(_OPEN)
    flows: dict[str, Flow] = _group(content, _NET, EndPowers)
    registers = _group(content, _REGISTERS, EndRegisters)
    if both := flows.keys() & registers.keys():
        raise TelemetryError(f"branches with net powers and registers: {quoted(sorted(both))}")
    flows.update(registers)
    return Snapshot(
        flows,
        _group(content, _GENERATORS, Generation),
        _group(content, _LOADS, Demand),
        _group(content, _STORAGES, Charge),
        open_branches=frozenset(() if opened is None else _names(_text(opened))),
        hours=_hours(struct.unpack("<d", hours)[0]),
        start_ms=start_ms,
    )


def _hours(value: object) -> float:
    if not isinstance(value, (int, float)) or not 0 < value <= LONGEST_HOURS:
        raise TelemetryError(f"hours: expected more than 0 and at most {LONGEST_HOURS:g}, found {quoted(value)}")
    return float(value)


# Slot after slot has the same elements: what is known of a list of ids is kept.
@lru_cache(maxsize=16)
def _sorted(names: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Return ids in order, and as one text."""
    if len(names) > MOST_ELEMENTS:
        raise TelemetryError(f"expected at most {MOST_ELEMENTS} elements of a kind, found {len(names)}")
    for name in names:
        if not isinstance(name, str) or not is_plain(name):
            raise TelemetryError(f"id {quoted(name)}: expected 1 to 64 bytes of printable text")
    ordered = tuple(sorted(names))
    return ordered, "\n".join(ordered)


@lru_cache(maxsize=16)
def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split("\n"))
    if _sorted(names)[0] != names or len(set(names)) != len(names):
        raise TelemetryError("ids: expected each once, in order")
    return names


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TelemetryError(f"ids: expected text, found {quoted(value)}")
    return value


def _numbers(kind: type[Measurement], names: Sequence[str], values: Mapping[str, Measurement]) -> bytes:
    rows = map(_GETTERS[kind], map(values.__getitem__, names))
    numbers = array("d")
    try:
        flat: list[Any] = list(chain.from_iterable(rows))
        if None in flat:
            if kind is Charge and any(None in flat[place::7] for place in range(_TANK_PLACE, 7)):
                raise TelemetryError("storages: expected the efficiencies and what is stored, found none")
            # A NaN of the caller's would be taken for a value that is not there.
            _finite([number for number in flat if number is not None])
            numbers.extend([math.nan if number is None else number for number in flat])
        else:
            _finite(flat)
            numbers.extend(flat)
    except (TypeError, AttributeError, OverflowError) as error:
        raise TelemetryError(f"expected numbers of {kind.__name__}: {error}") from error
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _finite(numbers: Sequence[float]) -> None:
    if not all(map(math.isfinite, numbers)):
        raise TelemetryError("expected finite numbers, found NaN or an infinity")


def _group(content: Mapping[Any, object], key: int, kind: type[_Value]) -> dict[str, _Value]:
    pair = content.get(key)
    if pair is None:
        return {}
    if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[1], bytes):  # noqa: PLR2004 - ids, numbers
        raise TelemetryError(f"{kind.__name__}: expected ids and numbers, found {quoted(pair)}")
    names = _names(_text(pair[0]))
    width = _WIDTHS[kind]
    if len(pair[1]) != 8 * width * len(names):
        raise TelemetryError(f"{kind.__name__}: expected {width * len(names)} numbers, found {len(pair[1])} bytes")
    numbers = array("d", pair[1])
    if sys.byteorder == "big":
        numbers.byteswap()
    if any(map(math.isinf, numbers)):
        raise TelemetryError(f"{kind.__name__}: expected finite numbers, found an infinity")
    values: list[Any] = numbers.tolist()
    if any(map(math.isnan, numbers)):
        if kind is Charge and any(math.isnan(number) for place in range(_TANK_PLACE, 7) for number in values[place::7]):
            raise TelemetryError("Charge: expected the efficiencies and what is stored, found none")
        values = [None if number != number else number for number in values]  # noqa: PLR0124 - NaN alone isn't itself
    columns = [values[place::width] for place in range(width)]
    return dict(zip(names, map(kind, *columns), strict=True))
