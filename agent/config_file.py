"""Reading the configuration: every mistake in the file is told at once, with file and key."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from agent.config import AgentConfig, Line, Meter
from agent.config_lines import EMISSION, address_of, unaddressed
from fieldbus.drivers.base import Address
from profiles import Profile, ProfileError
from profiles import load as load_profile
from settings.errors import ConfigError
from settings.files import LARGEST, ContentError, read_octets, toml_of
from settings.load import beside
from settings.problems import lines_of


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checked configuration and the profiles of its meters by meter id."""

    config: AgentConfig
    profiles: Mapping[str, Profile]


def load_config(path: Path) -> Loaded:
    """Return the checked configuration; file names in it are relative to the file's own directory."""
    return check_file(path, read_document(path))


def read_document(path: Path) -> bytes:
    """Return the content of a configuration's file; ConfigError."""
    try:
        return read_octets(path, LARGEST)
    except OSError as error:
        raise ConfigError([f"{path}: can't be read: {error.strerror or error}"]) from None
    except ContentError as error:
        raise ConfigError([f"{path}: {error}"]) from None


def check_file(path: Path, content: bytes) -> Loaded:
    """Return the checked configuration that a file's content is; ConfigError names the file."""
    try:
        return check_document(content, path.absolute().parent)
    except ConfigError as error:
        raise ConfigError([f"{path}: {problem}" for problem in error.problems]) from None


def check_document(content: bytes, directory: Path) -> Loaded:
    """Return the checked configuration of a document whose file names are relative to `directory`.

    ConfigError has every mistake by its key; no file is named, since the document may be none yet.
    """
    document = toml_of(content)
    try:
        checked = AgentConfig.model_validate(document)
    except ValidationError as error:
        raise ConfigError(lines_of(document, error, AgentConfig)) from None
    config = _with_profile_paths(beside(checked, directory), directory)
    profiles, problems = _profiles(config)
    problems += _missing_files(config)
    if problems:
        raise ConfigError(problems)
    return Loaded(config, profiles)


def _with_profile_paths(config: AgentConfig, base: Path) -> AgentConfig:
    """Return the configuration with profiles that are files, not names, taken relative to a directory."""
    lines = [
        line.model_copy(update={"meter": [_with_profile_path(meter, base) for meter in line.meter]})
        for line in config.line
    ]
    return config.model_copy(update={"line": lines})


def _with_profile_path(meter: Meter, base: Path) -> Meter:
    is_file = "/" in meter.profile or meter.profile.endswith(".toml")
    return meter.model_copy(update={"profile": str(base / meter.profile)}) if is_file else meter


def _profiles(config: AgentConfig) -> tuple[dict[str, Profile], list[str]]:
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
                    cache[identity] = load_profile(meter.profile, meter.parameters)
                except ProfileError as error:
                    cache[identity] = error
            profile = cache[identity]
            if isinstance(profile, ProfileError):
                problems += [f"{key}.profile: {problem}" for problem in profile.problems]
                continue
            problems += [f"{key}.{text}" for text in [*_unfit(meter, profile), *unaddressed(line, meter, profile)]]
            found[meter.id] = profile
        problems += [f"line[{line.name}]: {text}" for text in _doubled(line, found)]
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
    problems += _unfit_unit(meter, profile)
    for point in meter.points or []:
        if point not in profile.points:
            close = difflib.get_close_matches(point, profile.points, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            problems.append(f"points: {profile.name} has no point {point!r}{hint}")
    return problems


def _unfit_unit(meter: Meter, profile: Profile) -> list[str]:
    """Return what is wrong with the keys of a generating unit."""
    if meter.role != "generation":
        return [
            f'{key}: expected role = "generation", which alone has emissions, found {meter.role!r}'
            for key in ("emission_factor", "emission_rollover_kg")
            if getattr(meter, key) is not None
        ]
    if meter.emission_factor is None and EMISSION not in profile.points:
        return [f"role: {profile.name} has no point {EMISSION}, the unit's emission: expected emission_factor instead"]
    if meter.emission_factor is not None and meter.emission_rollover_kg is not None:
        return ["emission_rollover_kg: expected none beside emission_factor, with which no emission register is read"]
    return []


def _missing_files(config: AgentConfig) -> list[str]:
    broker = config.broker
    files = {
        "gateway.key_file": config.gateway.key_file,
        "centre.key_file": config.centre.key_file,
        "broker.password_file": broker.password_file,
        "broker.ca_file": broker.ca_file,
        "broker.cert_file": broker.cert_file,
        "broker.key_file": broker.key_file,
    }
    return [f"{key}: no such file: {file}" for key, file in files.items() if file and not file.is_file()]
