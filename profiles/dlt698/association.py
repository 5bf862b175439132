"""The [dlt698] section of a profile: how the meter is talked to."""

import re
from typing import Final

from profiles.dlt698.fields import read_oad, read_whole
from profiles.dlt698.model import Association, Proxy
from profiles.reader import Section

# COMDCB of DL/T 698.45, 7.3.
_BAUDS: Final = {
    "300": 0, "600": 1, "1200": 2, "2400": 3, "4800": 4, "7200": 5, "9600": 6,
    "19200": 7, "38400": 8, "57600": 9, "115200": 10, "auto": 255,
}  # fmt: skip
_PARITIES: Final = {"none": 0, "odd": 1, "even": 2}
_DEFAULT: Final = Association()
_ADDRESS: Final = re.compile(r"(?:[0-9A-Fa-f]{2}){1,16}")
_DIGITS: Final = 12  # of a communication address
_LEAST_SIZE: Final = 64
_LARGEST_SIZE: Final = 16383  # what the length of a frame can say in octets


def read_association(section: Section) -> Association:
    """Return the settings; what is absent has its default. Every number may be the `$name` of a parameter."""

    def whole(name: str, low: int, high: int, default: int) -> int:
        number = read_whole(section, name, low, high, default)
        return default if number is None else number

    association = Association(
        client=whole("client", 0, 255, _DEFAULT.client),
        logical=whole("logical", 0, 3, _DEFAULT.logical),
        connect=bool(whole("connect", 0, 1, int(_DEFAULT.connect))),
        send_size=whole("send_size", _LEAST_SIZE, _LARGEST_SIZE, _DEFAULT.send_size),
        receive_size=whole("receive_size", _LEAST_SIZE, _LARGEST_SIZE, _DEFAULT.receive_size),
        apdu_size=whole("apdu_size", _LEAST_SIZE, _LARGEST_SIZE, _DEFAULT.apdu_size),
        timeout_s=whole("timeout_s", 1, (1 << 32) - 1, _DEFAULT.timeout_s),
        plain_security=section.choice("security", ["none", "plain"], "none") == "plain",
        proxy=_proxy(section.section("proxy")) if section.has("proxy") else None,
    )
    section.close()
    return association


def _proxy(section: Section) -> Proxy | None:
    port = read_oad(section, "port")
    baud = section.choice("baud", dict(_BAUDS), "9600")
    parity = section.choice("parity", dict(_PARITIES), "even")
    message = section.integer("message_timeout_s", 1, 0xFFFF, 10)
    byte = section.integer("byte_timeout_ms", 1, 0xFFFF, 100)
    terminal = _terminal(section) if section.has("terminal") else ""
    section.close()
    if port is None or baud is None or parity is None or message is None or byte is None:
        return None
    return Proxy(port, _BAUDS[baud], _PARITIES[parity], message, byte, terminal)


def _terminal(section: Section) -> str:
    """Return an address: a text of hexadecimal digits, or a parameter's number as 12 decimal digits."""
    text = section.text("terminal")
    if text.startswith("$"):
        number = read_whole(section, "terminal", 0, 10**_DIGITS - 1)
        return "" if number is None else f"{number:0{_DIGITS}d}"
    if text and _ADDRESS.fullmatch(text) is None:
        section.wrong("terminal", "an address of 2 to 32 hexadecimal digits, an even number of them", text)
    return text.lower()
