"""What a frame of DL/T 698.45 says: the APDU, the objects it is about, their values or why there are none."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from diantan_core import Dlt698DecodeError, Dlt698Frame, dlt698_dar_name, dlt698_decode_apdu, dlt698_encode_data
from protocols.dlt698.data import Item, identifier, is_known, method, plain, values
from protocols.dlt698.names import APDUS, CHOICES, DAR_ZH
from protocols.explained import Direction, Explained, Json, Sender, Value, fault
from protocols.hexadecimal import shown
from protocols.names import Names

Inner = Callable[[bytes, Direction], list[Explained]]
"""Explains the frames that another frame carries."""

_LINK: Final = 1
_TOLD: Final = frozenset(("oad", "omd", "dar", "result", "data", "columns", "rows", "oads", "follow_report", "get"))
_ACD: Final = 0x80
_PIID: Final = 0x3F
_FROM_METER: Final = ("link_request", "report_notification", "release_notification")
_TO_METER: Final = ("link_response", "report_response")


def tell_frame(into: Explained, frame: Dlt698Frame) -> None:
    """Fill in what the frame layer says."""
    into.address = frame.address.upper()
    into.control = f"{frame.control:02X}"
    into.sender = "meter" if frame.from_server else "master"
    # PRM says who began: the client asks, or the meter does (LINK, reports).
    into.direction = "request" if frame.from_server != frame.client_initiated else "reply"
    into.details["client"] = f"{frame.client:02X}"
    if frame.kind != "single":
        into.details["address_type"] = frame.kind
    if frame.logical:
        into.details["logical_address"] = frame.logical
    if frame.scrambled:
        into.details["scrambled"] = True


def tell_apdu(into: Explained, octets: bytes, inner: Inner | None, names: Names | None = None) -> None:
    """Fill in what an APDU says; `inner` explains what it carries for others, None leaves it as octets.

    `names` knows the scales of attributes that the standard leaves open.
    """
    try:
        apdu, content = dlt698_decode_apdu(octets)
    except Dlt698DecodeError as error:
        into.error = fault("content", str(error))
        return
    name, chinese = APDUS.get(apdu, (apdu.replace("_", " "), ""))
    into.apdu = apdu.replace("_", "-")
    choice = None
    if isinstance(content, tuple):
        choice, content = content
        into.apdu = f"{into.apdu}/{CHOICES.get(choice, choice)}"
    into.type = name if choice is None else f"{name}, {choice.replace('_', ' ')}"
    into.details["type_zh"] = chinese
    _Walk(into, apdu, inner, names).run(content)


def directions(octets: bytes) -> tuple[Direction, Sender]:
    """Return direction and sender that the kind of a bare APDU implies."""
    apdu, _ = dlt698_decode_apdu(octets)
    if apdu in _FROM_METER:
        return "request", "meter"
    if apdu in _TO_METER:
        return "reply", "master"
    return ("request", "master") if apdu.endswith("_request") else ("reply", "meter")


class _Walk:
    """Goes through an APDU, whose parts say by their names what they are."""

    def __init__(self, into: Explained, apdu: str, inner: Inner | None, names: Names | None) -> None:
        self.into, self.apdu, self.inner, self.names = into, apdu, inner, names
        self.server: str | None = None

    def run(self, content: Mapping[str, Any]) -> None:
        """Tell of the whole content."""
        self._part(content)
        if content.get("follow_report") is not None:
            self._any(content["follow_report"])
        if self.apdu == "error_response":
            self.into.error = fault("refusal", f"error {content['error']}", code=content["error"])
        if self.apdu == "link_request" and isinstance(content.get("type"), tuple):
            self.into.type = f"link request, {content['type'][0]}"

    def _any(self, content: Any) -> None:  # noqa: ANN401 - any part of an APDU
        if isinstance(content, dict):
            self._part(content)
        elif isinstance(content, list):
            for entry in content:
                self._any(entry)
        elif isinstance(content, tuple):
            self._any(content[1])

    def _part(self, part: Mapping[str, Any]) -> None:
        if "server" in part:
            self.server = shown(part["server"])
        self._object(part)
        for oad in part.get("oads", ()):
            self._name(identifier(oad))
        if isinstance(part.get("get"), int):
            self._name({**identifier(part["get"]), "access": "get afterwards"})
        elif isinstance(part.get("get"), dict):
            self._part(part["get"])
        for key, value in part.items():
            if key not in _TOLD:
                self._rest(key, value)

    def _object(self, part: Mapping[str, Any]) -> None:
        """Tell of the object that a part is about, and of its result."""
        if "rows" in part and "columns" in part:
            self._record_request(part)
        elif "columns" in part and "result" in part:
            self._record(part)
        elif "oad" in part:
            self._attribute(int(part["oad"]), part)
        elif "omd" in part:
            self._method(int(part["omd"]), part)
        else:
            self._result(part.get("result"))

    def _rest(self, key: str, value: Any) -> None:  # noqa: ANN401 - any part of an APDU
        """Tell of what is neither an object nor its value."""
        details = self.into.details
        if key == "piid":
            details["piid"] = value & _PIID
        elif key == "piid_acd":
            details["piid"] = value & _PIID
            if value & _ACD:
                details["access_demanded"] = True
        elif key in ("record", "records", "results", "items", "servers"):
            self._any(value)
        elif key in ("command", "message") and isinstance(value, bytes):
            self._carried(value)
        elif key == "apdu" and isinstance(value, tuple):
            self._secured(*value)
        elif key == "port":
            self._name(identifier(value))
        elif value is not None:
            details[key] = plain(value)

    def _name(self, identified: Json) -> None:
        if self.server is not None:
            identified["server"] = self.server
        if identified not in self.into.identifiers:
            self.into.identifiers.append(identified)

    def _add(self, *found: Value) -> None:
        for value in found:
            if self.server is not None:
                value.place["server"] = self.server
            self.into.values.append(value)

    def _attribute(self, oad: int, part: Mapping[str, Any]) -> None:
        self._name(identifier(oad))
        if "dar" in part:
            self._outcome({"oad": f"{oad:08X}"}, int(part["dar"]))
        if "data" in part and part["data"] is not None:
            self._add(*values(oad, part["data"]))
        if isinstance(part.get("result"), tuple):
            kind, content = part["result"]
            if kind == "dar":
                self._outcome({"oad": f"{oad:08X}"}, int(content))
            elif kind == "md5":
                self._add(Value(shown(content), "MD5", value=shown(content), place={"oad": f"{oad:08X}"}))
            else:
                self._add(*self._data(oad, content))

    def _data(self, oad: int, item: Item, row: int | None = None) -> list[Value]:
        """Return the values in a meter's answer, by the standard's table or where it says nothing by a profile."""
        if self.names is None or self.into.address is None or is_known(oad):
            return list(values(oad, item, row))
        found = self.names.attribute(str(self.into.address), oad, item)
        for value in found:
            value.raw = value.raw or shown(dlt698_encode_data(item))
            value.place |= {} if row is None else {"row": row}
        return found or list(values(oad, item, row))

    def _method(self, omd: int, part: Mapping[str, Any]) -> None:
        self._name(method(omd))
        if "dar" in part:
            self._outcome({"omd": f"{omd:08X}"}, int(part["dar"]))
        data = part.get("data")
        if data is not None and data[0] != "null":
            # A parameter of the method: not an attribute, so no attribute's scale.
            for value in values(0, data):
                value.place = {**value.place, "omd": f"{omd:08X}"}
                value.place.pop("oad", None)
                self._add(value)

    def _outcome(self, place: Json, code: int) -> None:
        """Tell a data access result (DAR), of which 0 is success."""
        if code == 0:
            self._add(Value("00", "result", "结果", "success", place=place))
            return
        text = f"DAR {code}: {dlt698_dar_name(code).replace('_', ' ')}"
        if code in DAR_ZH:
            text += f" ({DAR_ZH[code]})"
        self._add(Value(f"{code:02X}", "result", "结果", place=place, error=text))
        where = " ".join(f"{value}" for value in place.values())
        self.into.error = self.into.error or fault("refusal", f"{where} {text}".strip(), code=code)

    def _result(self, result: Any) -> None:  # noqa: ANN401 - any part of an APDU
        """Tell of a result that stands for itself: of CONNECT, of a block, of TransCommand."""
        if isinstance(result, tuple):
            kind, content = result
            if kind == "dar":
                self._outcome({}, int(content))
            elif kind == "answer":
                self._carried(content)
            else:
                self._any(content)
        elif isinstance(result, int):
            self.into.details["result"] = result

    def _record_request(self, part: Mapping[str, Any]) -> None:
        self._name({**identifier(int(part["oad"])), "columns": [_column(column) for column in part["columns"]]})
        self.into.details["rows"] = plain(part["rows"])

    def _record(self, part: Mapping[str, Any]) -> None:
        columns = part["columns"]
        self._name({**identifier(int(part["oad"])), "columns": [_column(column) for column in columns]})
        kind, content = part["result"]
        if kind == "dar":
            self._outcome({"oad": f"{part['oad']:08X}"}, int(content))
            return
        self.into.details["row_count"] = len(content)
        for number, row in enumerate(content, 1):
            for column, cell in zip(columns, row, strict=True):
                self._add(*self._data(_main(column), cell, number))

    def _secured(self, kind: str, content: Any) -> None:  # noqa: ANN401 - any part of an APDU
        if kind == "dar":
            self._outcome({}, int(content))
        elif kind == "plain" and self.inner is not None:
            secured = Explained(content, "dlt698-apdu", self.into.direction, self.into.sender, self.into.address)
            tell_apdu(secured, content, None)
            self.into.contents.append(secured)
        else:
            self._add(Value(shown(content), "ciphertext" if kind == "ciphered" else "APDU"))

    def _carried(self, octets: bytes) -> None:
        """Tell of the frame that TransCommand or a report carries."""
        if self.inner is None or not octets:
            self._add(Value(shown(octets), "message"))
        else:
            self.into.contents += self.inner(octets, "request" if self.apdu.endswith("_request") else "reply")


def _main(column: tuple[str, Any]) -> int:
    kind, content = column
    return int(content if kind == "oad" else content["oad"])


def _column(column: tuple[str, Any]) -> Json:
    kind, content = column
    if kind == "oad":
        return identifier(content)
    return {**identifier(content["oad"]), "columns": [identifier(oad) for oad in content["columns"]]}
