"""Reading the configuration: every mistake in the file is told at once, with file and key."""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from agent.config import AgentConfig, Line, Meter
from agent.config_lines import LINES, address_of, unaddressed
from agent.drivers.base import Address
from profiles import Profile, ProfileError, load

_METERS: Final = TypeAdapter(list[Meter])


class ConfigError(Exception):
    """The configuration can't be used; `problems` has one line for each mistake."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checked configuration and the profiles of its meters by meter id."""

    config: AgentConfig
    profiles: Mapping[str, Profile]


def load_config(path: Path) -> Loaded:
    """Return the checked configuration; file names in it are relative to the file's own directory."""
    document = _read(path)
    try:
        config = AgentConfig.model_validate(document)
    except ValidationError as error:
        problems = []
        for item in error.errors(include_url=False):
            problems.append(_told(path, document, dict(item)))
            if str(item["type"]).startswith("union_tag"):
                problems += _meter_problems(path, document, item["loc"])
        raise ConfigError(problems) from None
    config = _resolved(config, path.absolute().parent)
    profiles, problems = _profiles(path, config)
    problems += _missing_files(path, config)
    if problems:
        raise ConfigError(problems)
    return Loaded(config, profiles)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except OSError as error:
        raise ConfigError([f"{path}: can't be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: expected UTF-8 text, found byte {error.object[error.start]:#04x}"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: not TOML: {error}"]) from None


def _told(path: Path, document: Mapping[str, Any], error: Mapping[str, Any]) -> str:
    location, transport = _untagged(tuple(error["loc"]))
    key = _key(document, location) or "(file)"
    if error["type"] == "missing":
        return f"{path}: {key}: is missing"
    if error["type"] in ("union_tag_not_found", "union_tag_invalid"):
        found = error["ctx"].get("tag")
        wanted = f"expected one of {', '.join(map(repr, LINES))}, got {found!r}" if found else "is missing"
        return f"{path}: {key}.transport: {wanted}"
    if error["type"] == "extra_forbidden":
        return f"{path}: {key}: {_unknown(location, transport)}"
    message = str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "expected")
    value = error["input"]
    shown = str(value) if isinstance(value, Decimal) else repr(value)
    got = f", got {shown}" if isinstance(value, (str, int, Decimal)) else ""
    return f"{path}: {key}: {message}{got}"


def _meter_problems(path: Path, document: Mapping[str, Any], line: tuple[str | int, ...]) -> list[str]:
    """Return what is wrong with the meters of a line whose transport nobody knows, so that all is told at once."""
    meters = document["line"][line[1]].get("meter", [])
    try:
        _METERS.validate_python(meters)
    except ValidationError as error:
        return [
            _told(path, document, {**item, "loc": (*line, "meter", *item["loc"])})
            for item in error.errors(include_url=False)
        ]
    return []


def _untagged(location: tuple[str | int, ...]) -> tuple[tuple[str | int, ...], str | None]:
    """Return a location without the transport that tells which kind of line was checked, and that transport."""
    if location[:1] == ("line",) and len(location) >= 3 and location[2] in LINES:  # noqa: PLR2004 - line, index, kind
        return location[:2] + location[3:], str(location[2])
    return location, None


def _unknown(location: tuple[str | int, ...], transport: str | None) -> str:
    """Return why a key can't be there: it belongs to another transport, is mistyped, or nobody knows it."""
    name = str(location[-1])
    if transport is not None and location[2:] == (name,):
        others = [other for other, model in LINES.items() if name in model.model_fields]
        if others:
            return f"a line of transport {transport!r} has no such key, one of {' or '.join(map(repr, others))} has"
    close = difflib.get_close_matches(name, _known_keys(location[:-1], transport), 1)
    return "unknown key" + (f"; did you mean {close[0]!r}?" if close else "")


def _key(document: object, location: Sequence[str | int]) -> str:
    """Return a location as a person finds it: tables of an array by their name or id."""
    parts: list[str] = []
    for step in location:
        if isinstance(step, int):
            document = document[step] if isinstance(document, list) and step < len(document) else None
            name = document.get("name", document.get("id")) if isinstance(document, dict) else None
            parts[-1] += f"[{name}]" if isinstance(name, str) else f"[#{step + 1}]"
        else:
            document = document.get(step) if isinstance(document, dict) else None
            parts.append(step)
    return ".".join(parts)


def _known_keys(location: Sequence[str | int], transport: str | None) -> list[str]:
    model: type[BaseModel] = AgentConfig
    for step in location:
        if step == "line" and transport is not None:
            model = LINES[transport]
        elif isinstance(step, str) and step in model.model_fields:
            annotation = model.model_fields[step].annotation
            inner = getattr(annotation, "__args__", (annotation,))[0]
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                model = inner
    return list(model.model_fields)


def _resolved(config: AgentConfig, base: Path) -> AgentConfig:
    """Return the configuration with its file names made absolute."""

    def section(model: BaseModel) -> BaseModel:
        paths = {
            name: base / value for name in type(model).model_fields if isinstance(value := getattr(model, name), Path)
        }
        return model.model_copy(update=paths)

    lines = [
        line.model_copy(update={"meter": [_with_profile_path(meter, base) for meter in line.meter]})
        for line in config.line
    ]
    sections = {name: section(getattr(config, name)) for name in ("gateway", "centre", "broker")}
    return config.model_copy(update={**sections, "line": lines})


def _with_profile_path(meter: Meter, base: Path) -> Meter:
    is_file = "/" in meter.profile or meter.profile.endswith(".toml")
    return meter.model_copy(update={"profile": str(base / meter.profile)}) if is_file else meter


def _profiles(path: Path, config: AgentConfig) -> tuple[dict[str, Profile], list[str]]:
    found: dict[str, Profile] = {}
    problems: list[str] = []
    # 200 meters of one model share one profile.
    cache: dict[tuple[str, tuple[tuple[str, Decimal], ...]], Profile | ProfileError] = {}
    for line in config.line:
        for meter in line.meter:
            key = f"line[{line.name}].meter[{meter.id}]"
            identity = (meter.profile, tuple(sorted(meter.parameters.items())))
            if identity not in cache:
                try:
                    cache[identity] = load(meter.profile, meter.parameters)
                except ProfileError as error:
                    cache[identity] = error
            profile = cache[identity]
            if isinstance(profile, ProfileError):
                problems += [f"{path}: {key}.profile: {problem}" for problem in profile.problems]
                continue
            problems += [
                f"{path}: {key}.{text}" for text in [*_unfit(meter, profile), *unaddressed(line, meter, profile)]
            ]
            found[meter.id] = profile
        problems += [f"{path}: line[{line.name}]: {text}" for text in _doubled(line, found)]
    return found, problems


def _doubled(line: Line, profiles: Mapping[str, Profile]) -> list[str]:
    """Return which meters of a line would answer to the same address."""
    owners: dict[tuple[str, Address], str] = {}
    problems = []
    for meter in line.meter:
        if (profile := profiles.get(meter.id)) is None:
            continue
        address = address_of(meter, profile.protocol)
        other = owners.setdefault((profile.protocol, address), meter.id)
        if other != meter.id:
            what = "unit" if profile.protocol == "modbus" else "address"
            problems.append(f"meters {other!r} and {meter.id!r} both have {what} {address}")
    return problems


def _unfit(meter: Meter, profile: Profile) -> list[str]:
    problems = []
    if "energy_forward" not in profile.points:
        problems.append(f"profile: {profile.name} has no point energy_forward, which is what is metered")
    for point in meter.points or []:
        if point not in profile.points:
            close = difflib.get_close_matches(point, profile.points, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            problems.append(f"points: {profile.name} has no point {point!r}{hint}")
    return problems


def _missing_files(path: Path, config: AgentConfig) -> list[str]:
    broker = config.broker
    files = {
        "gateway.key_file": config.gateway.key_file,
        "centre.key_file": config.centre.key_file,
        "broker.password_file": broker.password_file,
        "broker.ca_file": broker.ca_file,
        "broker.cert_file": broker.cert_file,
        "broker.key_file": broker.key_file,
    }
    return [f"{path}: {key}: no such file: {file}" for key, file in files.items() if file and not file.is_file()]
