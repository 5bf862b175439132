"""What a Modbus message says: Modbus application protocol 1.1b3, chapter 6."""

from collections.abc import Iterator, Mapping
from typing import Final

from protocols.explained import Direction, Explained, Json, Value, fault
from protocols.hexadecimal import shown
from protocols.modbus.shape import EXCEPTION, FUNCTIONS
from protocols.names import Names

EXCEPTIONS: Final[Mapping[int, str]] = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge: the request takes long",
    6: "server device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}
_TABLES: Final[Mapping[int, str]] = {1: "coil", 2: "discrete input", 3: "holding register", 4: "input register"}
_BITS: Final = (1, 2)
_REGISTERS: Final = (3, 4, 23)


def tell(into: Explained, pdu: bytes, direction: Direction, request: bytes | None, names: Names | None) -> None:
    """Fill in what a PDU of a known direction says; `request` is the PDU that a reply answers, where it was heard."""
    function = pdu[0] & ~EXCEPTION
    known = FUNCTIONS.get(function)
    into.control = f"{pdu[0]:02X}"
    into.type = f"{known.name if known else 'unknown function'}: {'refusal' if pdu[0] & EXCEPTION else direction}"
    if pdu[0] & EXCEPTION:
        code = pdu[1]
        into.error = fault("refusal", f"exception {code}: {EXCEPTIONS.get(code, 'unknown')}", code=code)
        asked = request is not None and request[0] == function
        into.identifiers = _identifiers(function, request) if asked and request else []
        return
    if direction == "request" or function in (5, 6, 8, 15, 16, 22):
        into.identifiers = _identifiers(function, pdu)
        into.values = list(_sent(function, pdu, reply=direction == "reply"))
    elif function in (*_BITS, *_REGISTERS):
        _read(into, pdu, request, names)
    else:
        into.values = list(_others(function, pdu))


def _number(octets: bytes) -> int:
    return int.from_bytes(octets, "big")


def _identifiers(function: int, pdu: bytes) -> list[Json]:
    """Return the places that a request names."""
    first, count = _number(pdu[1:3]), _number(pdu[3:5])
    table = _TABLES.get(function, "coil" if function in (5, 15) else "holding register")
    if function in (1, 2, 3, 4, 15, 16):
        return [{"table": table, "register": first, "count": count}]
    if function in (5, 6, 22):
        return [{"table": table, "register": first, "count": 1}]
    if function == 23:  # noqa: PLR2004 - write and read registers
        wrote = {"table": table, "register": _number(pdu[5:7]), "count": _number(pdu[7:9]), "access": "write"}
        return [{"table": table, "register": first, "count": count, "access": "read"}, wrote]
    if function == 24:  # noqa: PLR2004 - FIFO queue
        return [{"table": "FIFO queue", "register": first}]
    if function == 8:  # noqa: PLR2004 - diagnostics
        return [{"subfunction": first}]
    return list(_files(function, pdu)) if function in (20, 21) else []


def _files(function: int, pdu: bytes) -> Iterator[Json]:
    at = 2
    while at + 7 <= len(pdu):
        file, record, length = (_number(pdu[at + offset : at + offset + 2]) for offset in (1, 3, 5))
        yield {"file": file, "record": record, "count": length}
        at += 7 + (2 * length if function == 21 else 0)  # noqa: PLR2004 - write file record carries the data


def _sent(function: int, pdu: bytes, *, reply: bool) -> Iterator[Value]:
    """Yield what a request writes, and what the reply to it repeats."""
    first = _number(pdu[1:3])
    if function == 5:  # noqa: PLR2004 - one coil
        word = {0xFF00: "on", 0: "off"}.get(_number(pdu[3:5]))
        yield Value(shown(pdu[3:5]), f"coil {first}", value=word, place={"register": first})
    elif function == 6:  # noqa: PLR2004 - one register
        yield from registers("holding register", first, pdu[3:5])
    elif function == 8:  # noqa: PLR2004 - diagnostics
        yield Value(shown(pdu[3:]), "data", value=str(_number(pdu[3:])))
    elif function == 22:  # noqa: PLR2004 - mask
        for name, octets in (("AND mask", pdu[3:5]), ("OR mask", pdu[5:7])):
            yield Value(shown(octets), name, value=str(_number(octets)), place={"register": first})
    elif function == 15 and not reply:  # noqa: PLR2004 - coils
        yield from _bits("coil", first, pdu[6:], _number(pdu[3:5]))
    elif function == 16 and not reply:  # noqa: PLR2004 - registers
        yield from registers("holding register", first, pdu[6:])
    elif function == 23:  # noqa: PLR2004 - write and read registers
        yield from registers("holding register", _number(pdu[5:7]), pdu[10:])
    elif function == 43:  # noqa: PLR2004 - device identification
        yield Value(shown(pdu[2:3]), "access", value=str(pdu[2]))
        yield Value(shown(pdu[3:4]), "object", value=str(pdu[3]))


def registers(table: str, first: int | None, octets: bytes) -> Iterator[Value]:
    """Yield each register as the unsigned number it holds; what it means only a profile knows."""
    for index in range(len(octets) // 2):
        word = octets[2 * index : 2 * index + 2]
        place: Json = {"register": None if first is None else first + index}
        name = f"{table} {index + 1} of the reply" if first is None else f"{table} {first + index}"
        yield Value(shown(word), name, value=str(_number(word)), place=place)


def _bits(table: str, first: int | None, octets: bytes, count: int) -> Iterator[Value]:
    for index in range(min(count, 8 * len(octets))):
        bit = octets[index // 8] >> index % 8 & 1
        place: Json = {"register": None if first is None else first + index}
        name = f"{table} {index + 1} of the reply" if first is None else f"{table} {first + index}"
        yield Value(shown(octets[index // 8 : index // 8 + 1]), name, value="on" if bit else "off", place=place)


def _read(into: Explained, pdu: bytes, request: bytes | None, names: Names | None) -> None:
    function, octets = pdu[0], pdu[2:]
    first = count = None
    if request is not None and request[0] == function:
        first, count = _number(request[1:3]), _number(request[3:5])
        into.identifiers = _identifiers(function, request)
    table = _TABLES.get(function, "holding register")
    if function in _BITS:
        if count is not None and len(octets) != -(-count // 8):
            into.error = fault("mismatch", f"{count} {table}s were asked for, {8 * len(octets)} came")
            first = None
        into.values = list(_bits(table, first, octets, 8 * len(octets) if count is None or first is None else count))
        return
    if count is not None and len(octets) != 2 * count:
        # Another request's reply: its registers are not those that were asked for.
        into.error = fault("mismatch", f"{count} {table}s were asked for, {len(octets) // 2} came")
        first = None
    named: list[Value] = []
    if names is not None and first is not None and isinstance(into.address, int):
        named = names.registers(into.address, function, first, octets)
    into.values = [*named, *registers(table, first, octets)]


def _others(function: int, pdu: bytes) -> Iterator[Value]:
    """Yield what the replies of the rarer functions bring."""
    if function == 7:  # noqa: PLR2004 - exception status
        yield Value(shown(pdu[1:]), "exception status", value=f"{pdu[1]:08b}")
    elif function == 11:  # noqa: PLR2004 - communication event counter
        yield Value(shown(pdu[1:3]), "status", value="busy" if pdu[1:3] == b"\xff\xff" else str(_number(pdu[1:3])))
        yield Value(shown(pdu[3:5]), "events", value=str(_number(pdu[3:5])))
    elif function == 12:  # noqa: PLR2004 - communication event log
        for name, at in (("status", 2), ("events", 4), ("messages", 6)):
            yield Value(shown(pdu[at : at + 2]), name, value=str(_number(pdu[at : at + 2])))
        yield Value(shown(pdu[8:]), "log")
    elif function == 17:  # noqa: PLR2004 - server id: its parts are the device's own
        text = "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in pdu[2:])  # noqa: PLR2004 - ASCII
        yield Value(shown(pdu[2:]), "server id", value=text)
    elif function == 24:  # noqa: PLR2004 - FIFO queue
        yield from registers("queued register", None, pdu[5:])
    elif function == 43:  # noqa: PLR2004 - device identification
        at = 7
        while at + 2 <= len(pdu):
            octets = pdu[at + 2 : at + 2 + pdu[at + 1]]
            yield Value(shown(octets), _OBJECTS.get(pdu[at], f"object {pdu[at]}"), value=octets.decode("latin-1"))
            at += 2 + pdu[at + 1]
    else:
        yield Value(shown(pdu[1:]), "data")


_OBJECTS: Final[Mapping[int, str]] = {
    0: "vendor name",
    1: "product code",
    2: "revision",
    3: "vendor URL",
    4: "product name",
    5: "model name",
    6: "user application name",
}
