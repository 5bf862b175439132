"""Reading the configuration: every mistake in the file is told at once, with file and key."""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from agent.config import AgentConfig, Meter
from profiles import Profile, ProfileError, load


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
        problems = [_told(path, document, dict(item)) for item in error.errors(include_url=False)]
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
    location = tuple(error["loc"])
    key = _key(document, location) or "(file)"
    if error["type"] == "missing":
        return f"{path}: {key}: is missing"
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(location[-1]), _known_keys(location[:-1]), 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"{path}: {key}: unknown key{hint}"
    message = str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "expected")
    value = error["input"]
    shown = str(value) if isinstance(value, Decimal) else repr(value)
    got = f", got {shown}" if isinstance(value, (str, int, Decimal)) else ""
    return f"{path}: {key}: {message}{got}"


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


def _known_keys(location: Sequence[str | int]) -> list[str]:
    model: type[BaseModel] = AgentConfig
    for step in location:
        if isinstance(step, str) and step in model.model_fields:
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
            problems += [f"{path}: {key}.{text}" for text in _unfit(meter, profile)]
            found[meter.id] = profile
    return found, problems


def _unfit(meter: Meter, profile: Profile) -> list[str]:
    problems = []
    if profile.protocol != "modbus":
        problems.append(f"profile: {profile.name} is for {profile.protocol}, the line's transport carries modbus")
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
