"""Loading a profile: a TOML file, checked as a whole; every problem in it is reported at once."""

import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final

from profiles.build import Head
from profiles.dlt645 import build as dlt645
from profiles.dlt698 import build as dlt698
from profiles.modbus import build as modbus
from profiles.model import Profile, ProfileError
from profiles.reader import Problems, Section
from settings.decimals import exact
from settings.files import ContentError, read_text

_BUILDERS: Final[Mapping[str, Callable[[Section, Head], Profile]]] = {
    "dlt645": dlt645.build,
    "dlt698": dlt698.build,
    "modbus": modbus.build,
}
_LARGEST_FILE: Final = 1 << 20
_KEPT_PROFILES: Final = 64


def names() -> list[str]:
    """Return the names of the profiles that come with the package."""
    models = resources.files("profiles") / "models"
    return sorted(entry.name.removesuffix(".toml") for entry in models.iterdir() if entry.name.endswith(".toml"))


def load(name_or_path: str, parameters: Mapping[str, Decimal | int | str] | None = None) -> Profile:
    """Return a profile by its name, or from a file (a text with a slash or ending in .toml), its parameters filled in.

    ProfileError lists every problem: in the file, and in the parameters (unknown, missing, not an exact number).
    """
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        path = Path(name_or_path)
        return parse(_read(path, name_or_path), name_or_path, path.stem, parameters)
    problems = Problems(name_or_path)
    if name_or_path not in names():
        problems.add("profile", "a path, or one of the profiles " + ", ".join(names()), name_or_path)
        raise ProfileError(problems.found)
    entry = resources.files("profiles") / "models" / f"{name_or_path}.toml"
    return parse(entry.read_text("utf-8"), f"profiles/models/{name_or_path}.toml", name_or_path, parameters)


def _read(path: Path, file: str) -> str:
    problems = Problems(file)
    try:
        return read_text(path, _LARGEST_FILE)
    except OSError as error:
        problems.add("(file)", "a readable file", error.strerror or str(error))
    except ContentError as error:
        problems.add("(file)", error.expected, error.found)
    except ValueError as error:  # of a name with NUL
        problems.add("(file)", "a name that a file can have", str(error))
    raise ProfileError(problems.found)


def parse(text: str, file: str, name: str, parameters: Mapping[str, Decimal | int | str] | None = None) -> Profile:
    """Return the profile that a TOML text describes; `file` is what problems name.

    The meters of one model share one profile: equal arguments give the same object.
    """
    given = {key: _as_text(value) for key, value in (parameters or {}).items()}
    return _parse(text, file, name, tuple(sorted(given.items())))


def _as_text(value: object) -> str:
    """Return a parameter as text: as a key, 1 and True would be the same and a list none at all."""
    if isinstance(value, str):
        return value
    exact_kind = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    return str(value) if exact_kind else f"{type(value).__name__} {value!r}"


@lru_cache(maxsize=_KEPT_PROFILES)
def _parse(text: str, file: str, name: str, parameters: tuple[tuple[str, str], ...]) -> Profile:
    problems = Problems(file)
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, or more digits or depth than Python reads
        problems.add("(file)", "valid TOML, every name declared once", str(error))
        raise ProfileError(problems.found) from None
    known = _parameters(Section(problems, "", document, {}), dict(parameters))
    root = Section(problems, "", document, known)
    root.section("parameters")
    meter = root.section("meter", required=True)
    model, manufacturer = meter.text("model"), meter.text("manufacturer")
    protocol = meter.choice("protocol", list(_BUILDERS))
    source = meter.text("source")
    meter.close()
    if protocol is None:
        # What they must hold depends on the protocol; other tables are mistakes under any.
        for table in ("points", "tables", "writes", *_BUILDERS):
            root.section(table)
        root.close()
        raise ProfileError(problems.found)
    profile = _BUILDERS[protocol](root, Head(name, model, manufacturer, source))
    root.close()
    if not document.get("points"):
        problems.add("points", "at least one point", "none")
    if problems.found:
        raise ProfileError(problems.found)
    return profile


def _parameters(root: Section, given: Mapping[str, str]) -> dict[str, Decimal]:
    """Return the values of the declared parameters; a mistake is noted and replaced by 1, to check the rest."""
    section = root.section("parameters")
    values: dict[str, Decimal] = {}
    for name in section.names():
        item = section.section(name)
        item.text("description")
        default = item.number("default") if item.has("default") else None
        low, high = (item.number(key) if item.has(key) else None for key in ("minimum", "maximum"))
        item.close()
        value = exact(given[name]) if name in given else None
        if name in given and value is None:
            section.wrong(name, "an exact number as parameter", given[name])
        elif name in given and value is not None:
            if (low is not None and value < low) or (high is not None and value > high):
                section.wrong(name, f"a parameter of {low or 'any'}..{high or 'any'}", str(value))
                value = None
        elif default is not None:
            value = Decimal(default.numerator) / Decimal(default.denominator)
        else:
            section.wrong(name, "a value given with the meter: " + item.text("description", "?"), "nothing")
        values[name] = Decimal(1) if value is None else value
    for name in given:
        if name not in values:
            section.wrong(name, "one of the profile's parameters: " + (", ".join(values) or "it has none"), given[name])
    return values
