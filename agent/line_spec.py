"""A line that a command names: one of the configuration, or a description that needs none.

`serial:/dev/ttyUSB0?baud=9600&parity=even`, `tcp:HOST:PORT`, `modbus-tcp:HOST[:PORT]`, `dial-in:[HOST:]PORT`; behind
the question mark may stand any key that such a line has in the configuration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError

from agent.commands.output import UsageError
from agent.config_lines import LINES, AnyLine, Line, Meter
from agent.configuration.shown import loaded_in_force
from profiles import Profile
from settings.problems import lines_of

FORMS: Final = (
    "serial:DEVICE[?baud=9600&parity=even], tcp:HOST:PORT, modbus-tcp:HOST[:PORT] or dial-in:[HOST:]PORT, or the name "
    "of a configured line"
)
DEFAULT_TIMEZONE: Final = "Asia/Shanghai"
_LINE: Final[TypeAdapter[Line]] = TypeAdapter(AnyLine)
_MARK: Final = "command line"  # stands for the meters that a line must have in a configuration
_HOST_OPTIONAL: Final = "dial-in"
_PORT_OPTIONAL: Final = "modbus-tcp"
_MOST_DIGITS: Final = 9  # more than any key takes


@dataclass(frozen=True, slots=True)
class Target:
    """A line, and what is known of its meters: `profiles` by meter id."""

    line: Line
    profiles: Mapping[str, Profile]
    timezone: str = DEFAULT_TIMEZONE


def is_spec(text: str) -> bool:
    """Return whether a text describes a line; else it is the name of one."""
    return text.partition(":")[0] in LINES and ":" in text


def find_line(text: str, config: Path) -> Target:
    """Return the line that a command names; UsageError for a wrong description or name, ConfigError."""
    if is_spec(text):
        return Target(parse_spec(text), {})
    if not config.exists():
        raise UsageError(f"expected {FORMS}, got {text!r}; there is no configuration {config}")
    loaded = loaded_in_force(config)
    for line in loaded.config.line:
        if line.name == text:
            profiles = {meter.id: loaded.profiles[meter.id] for meter in line.meter}
            return Target(line, profiles, loaded.config.gateway.timezone)
    names = ", ".join(line.name for line in loaded.config.line)
    raise UsageError(f"{config}: no line {text!r}; there are {names}. A line may also be {FORMS}")


def parse_spec(text: str, **more: Any) -> Line:  # noqa: ANN401 - keys of any line
    """Return the line that a text describes, without meters; UsageError says what is wrong with it."""
    transport, _, rest = text.partition(":")
    where, _, query = rest.partition("?")
    keys: dict[str, Any] = {"transport": transport, "name": _MARK, "meter": [Meter(id=_MARK, profile=_MARK)]}
    if transport == "serial":
        keys["device"] = where
    else:
        keys |= _host_and_port(text, transport, where)
    try:
        given = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise UsageError(f"{text}: expected key=value&… behind the question mark, found {query!r}") from None
    keys |= {key: int(value) if _is_whole(value) else value for key, value in given} | more
    try:
        line = _LINE.validate_python(keys)
    except ValidationError as error:
        raise UsageError(f"{text}: {'; '.join(lines_of(keys, error, AnyLine))}. A line is {FORMS}") from None
    return line.model_copy(update={"name": text, "meter": []})


def _is_whole(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS


def _host_and_port(text: str, transport: str, where: str) -> dict[str, Any]:
    host, colon, port = where.rpartition(":")
    if not colon and transport == _HOST_OPTIONAL:
        host, port = "", where
    elif transport == _PORT_OPTIONAL and (not colon or where.endswith("]")):
        host, port = where, ""
    keys: dict[str, Any] = {"host": host.strip("[]")} if host else {}
    if port:
        if not _is_whole(port):
            raise UsageError(f"{text}: expected the number of a port, found {port!r}. A line is {FORMS}")
        keys["port"] = int(port)
    return keys
