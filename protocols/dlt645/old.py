"""Frames of DL/T 645-1997: the same frame, other control codes, identifiers of two octets.

The control codes are common knowledge of the field, not taken from the standard's text; those that 2007 uses as well
(broadcast time sync, 08H, and 03H) are told as 2007's.
"""

from collections.abc import Mapping
from typing import Final

from diantan_core import Dlt645Error, Dlt645Frame, dlt645_decode
from protocols.explained import Explained, Value, fault
from protocols.hexadecimal import shown
from protocols.numbers import decimal_text

_FUNCTIONS: Final[Mapping[int, tuple[str, str]]] = {
    0x01: ("read", "读数据"),
    0x02: ("read follow-up data", "读后续数据"),
    0x04: ("write", "写数据"),
    0x0A: ("write address", "写设备地址"),
    0x0C: ("change baud rate", "更改通信速率"),
    0x0F: ("change password", "修改密码"),
    0x10: ("clear maximum demand", "最大需量清零"),
}
KINDS_1997: Final[Mapping[int, tuple[str, str]]] = {
    code | flags: name for code, name in _FUNCTIONS.items() for flags in (0x00, 0x80, 0xA0, 0xC0)
}
"""Names by control code: request, reply, reply with more to follow, refusal."""

# From a meter's manual (Heyuan ASDU-LS); the identifiers of 1997 are otherwise not in our sources.
_ITEMS: Final[Mapping[int, tuple[str, str, str, str]]] = {0xB611: ("voltage of phase A", "A相电压", "XXXX", "V")}
_WITH_IDENTIFIER: Final = (0x01, 0x02, 0x04)


def tell_1997(into: Explained, frame: Dlt645Frame) -> None:
    """Fill in what a frame of 1997 says: the identifier, and its data as the digits they are."""
    name, chinese = KINDS_1997[frame.control]
    into.type = f"{name}: {'refusal' if frame.abnormal else into.direction}"
    into.details["type_zh"] = chinese
    if frame.more:
        into.details["more"] = True
    if frame.abnormal:
        code = frame.data[0] if frame.data else None
        text = "refused without a reason" if code is None else f"error {code:02X}H of DL/T 645-1997"
        into.error = fault("refusal", text, code=code)
        return
    data = frame.data
    if frame.function not in _WITH_IDENTIFIER or len(data) < 2:  # noqa: PLR2004 - an identifier's octets
        into.values = [Value(shown(data), "data")] if data else []
        return
    di = int.from_bytes(data[:2], "little")
    item = _ITEMS.get(di)
    into.identifiers = [{"di": f"{di:04X}", "name": item and item[0], "name_zh": item and item[1]}]
    if data[2:]:
        value = Value(shown(data[2:]), item and item[0], item and item[1], place={"di": f"{di:04X}"})
        if item is not None and frame.from_meter:
            try:
                (number,) = dlt645_decode(0, data[2:], [item[2]])
                if isinstance(number, tuple):
                    value.value, value.unit = decimal_text(*number), item[3]
            except Dlt645Error as error:
                value.error = str(error)
        into.values = [value]
