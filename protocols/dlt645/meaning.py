"""What a frame of DL/T 645-2007 says: control code (控制码), data identifiers (数据标识) and values."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from diantan_core import Dlt645Error, Dlt645Frame, Dlt645Item, dlt645_decode, dlt645_item, dlt645_parse
from protocols.dlt645.old import KINDS_1997, tell_1997
from protocols.explained import Explained, Json, Value, fault
from protocols.hexadecimal import shown
from protocols.moments import moment
from protocols.names import Names
from protocols.numbers import decimal_text

KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "read": ("read", "读数据"),
    "read_next": ("read follow-up data", "读后续数据"),
    "read_address": ("read address", "读通信地址"),
    "write": ("write", "写数据"),
    "write_address": ("write address", "写通信地址"),
    "time_sync": ("broadcast time sync", "广播校时"),
    "freeze": ("freeze", "冻结命令"),
    "change_baud": ("change baud rate", "更改通信速率"),
    "change_password": ("change password", "修改密码"),
    "clear_demand": ("clear maximum demand", "最大需量清零"),
    "clear_meter": ("clear meter", "电表清零"),
    "clear_events": ("clear events", "事件清零"),
    "control": ("relay, alarm and keep-power control", "跳合闸、报警、保电"),
    "output": ("multi-function terminal output", "多功能端子输出控制"),
    "security": ("security authentication", "安全认证"),
}
REASONS: Final[Mapping[str, str]] = {
    "other": "other error (其他错误)",
    "no_such_data": "no such data (无请求数据)",
    "not_authorised": "password wrong or not authorised (密码错/未授权)",
    "baud_fixed": "the baud rate can't be changed (通信速率不能更改)",
    "too_many_year_zones": "too many year zones (年时区数超)",
    "too_many_day_periods": "too many day periods (日时段数超)",
    "too_many_tariffs": "too many tariffs (费率数超)",
    "reserved": "a reserved bit",
}
# The passwords stand in the octets only: what is decoded gets searched and shown around.
_DETAILS: Final = ("blocks", "since", "seq", "more", "address", "time", "baud", "level", "new_level", "operator")
_ANY: Final = 99
_BLOCK: Final = 0xFF
_PHASES: Final = (0x02010000, 0x02020000)


def tell(into: Explained, frame: Dlt645Frame, names: Names | None = None) -> None:
    """Fill in what a frame says; `names` knows private identifiers."""
    into.address = frame.address.upper()
    into.control = f"{frame.control:02X}"
    into.direction = "reply" if frame.from_meter else "request"
    into.sender = "meter" if frame.from_meter else "master"
    if frame.control in KINDS_1997:
        into.protocol = "dlt645-1997"
        tell_1997(into, frame)
        return
    try:
        message = dlt645_parse(frame)
    except Dlt645Error as error:
        into.type = "unknown"
        into.error = fault("content", str(error))
        into.values = [Value(shown(frame.data), "data")] if frame.data else []
        return
    name, chinese = KINDS.get(str(message["kind"]), (str(message["kind"]), ""))
    into.type = f"{name}: {'refusal' if 'error' in message else into.direction}"
    into.details["type_zh"] = chinese
    if "error" in message:
        code = int(message["error"])
        reasons = "; ".join(REASONS.get(reason, reason) for reason in message["reasons"])
        into.error = fault("refusal", f"error {code:02X}H: {reasons or 'no reason given'}", code=code)
        return
    _contents(into, message)
    if names is not None and any(value.error is not None for value in into.values):
        data = bytes(message.get("data") or b"")
        into.values = names.item(str(into.address), int(message["di"]), data) or into.values


def identifier(di: int) -> Json:
    """Return an identifier with its names."""
    item = dlt645_item(di)
    names = {"name": None, "name_zh": None} if item is None else {"name": item.name, "name_zh": item.name_zh}
    return {"di": f"{di:08X}", **names}


def _contents(into: Explained, message: Mapping[str, Any]) -> None:
    into.details |= {key: text for key in _DETAILS if (text := _detail(key, message.get(key))) is not None}
    data = message.get("data")
    if "di" not in message:
        into.values = [Value(shown(data), "data")] if data else []
        return
    into.identifiers = [identifier(int(message["di"]))]
    if data is None:
        return
    if message["kind"] == "read_next" or message.get("more"):
        # A part of a longer item begins and ends anywhere.
        into.values = [Value(shown(data), into.identifiers[0]["name"], place={"di": into.identifiers[0]["di"]})]
    else:
        into.values = list(values(int(message["di"]), data))


def _detail(key: str, content: Any) -> Any:  # noqa: ANN401 - whatever a message has
    if key in ("time", "since") and content is not None:
        return moment(content, anything=_ANY)
    if isinstance(content, bytes):
        return shown(content)
    if isinstance(content, str):
        return content.upper()
    return content or None if isinstance(content, bool) else content


def values(di: int, data: bytes) -> Iterator[Value]:
    """Yield the values in the data behind an identifier; one with a nibble that is no digit is flagged, not decoded."""
    place: Json = {"di": f"{di:08X}"}
    item = dlt645_item(di)
    if item is None:
        if data:
            yield Value(shown(data), place=place, error="not in the table of DL/T 645-2007: a private identifier")
        return
    widths = [width(text) for text in item.formats]
    size = None if None in widths else sum(number or 0 for number in widths)
    whole = size is None or (len(data) == size if not item.repeats else bool(data) and len(data) % size == 0)
    if not whole:
        expected = f"{size} octets" + (" or a multiple" if item.repeats else "")
        yield Value(shown(data), item.name, item.name_zh, place=place, error=f"expected {expected}, found {len(data)}")
        return
    at = 0
    for index in range(len(data) // size if size and item.repeats else 1):
        name, chinese, element = _element(di, item, index)
        for text, unit, wide in zip(item.formats, item.units, widths, strict=True):
            octets = data[at:] if wide is None else data[at : at + wide]
            at += len(octets)
            yield _field(element, (name, chinese), text, unit, octets)


def width(text: str) -> int | None:
    """Return how many octets a format takes, None for all that are left."""
    if text == "raw":
        return None
    if ":" in text:
        return int(text.partition(":")[2])
    return sum(character.isalpha() for character in text) // 2


def _field(element: int | None, names: tuple[str, str], text: str, unit: str, octets: bytes) -> Value:
    place: Json = {} if element is None else {"di": f"{element:08X}"}
    name = f"{names[0]}: time" if text.startswith("YYMMDDhhmm") and unit == "" and "demand" in names[0] else names[0]
    value = Value(shown(octets), name, names[1], unit=unit or None, place=place)
    try:
        (decoded,) = dlt645_decode(0, octets, [text])
    except Dlt645Error as error:
        value.error = str(error)
        return value
    value.value = _text(decoded)
    return value


def _text(decoded: object) -> str:
    if isinstance(decoded, tuple):
        return decimal_text(*decoded)
    if isinstance(decoded, dict):
        return moment(decoded)
    if isinstance(decoded, bytes):
        return shown(decoded)
    return str(decoded)


def _element(di: int, item: Dlt645Item, index: int) -> tuple[str, str, int | None]:
    """Return names and identifier of an element of a block: what stands at FF counts from 0 or 1 on."""
    if not item.repeats:
        return item.name, item.name_zh, di
    for shift in (8, 0):
        if di >> shift & 0xFF == _BLOCK:
            base = di & ~(0xFF << shift)
            first = 0 if dlt645_item(base) is not None and base not in _PHASES else 1
            element = base | (first + index) << shift
            single = dlt645_item(element)
            if single is not None and not single.repeats:
                return single.name, single.name_zh, element
    if "energy" in item.name:
        which, chinese = ("total", "总") if index == 0 else (f"tariff {index}", f"费率{index}")
        return f"{item.name}, {which}", f"{item.name_zh}（{chinese}）", di
    return f"{item.name}, {index + 1}", f"{item.name_zh}（{index + 1}）", di
