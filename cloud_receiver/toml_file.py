"""Reading a TOML file into a pydantic model, with every problem at once, each with its file and key."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file that a person wrote."""

    file: Path
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.message}" if self.key else f"{self.file}: {self.message}"


class ConfigurationError(Exception):
    """A configuration, registry or schedule file can't be used; `problems` holds everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Section(BaseModel):
    """A table of a TOML file: unknown keys are mistakes, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)


def read(path: Path, model: type[Model]) -> Model:
    """Return the file as `model`; ConfigurationError names every problem by its key."""
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise ConfigurationError([Problem(path, "", f"can't be read: {error.strerror}")]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError([Problem(path, "", f"is not TOML: {error}")]) from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(
            Problem(path, _key(item["loc"]), _message(item["msg"], item["input"], item["type"]))
            for item in error.errors()
        ) from error


def _key(location: Iterable[int | str]) -> str:
    text = ""
    for part in location:
        # People count the tables of a file from 1.
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _message(message: str, value: object, kind: str) -> str:
    if kind in {"missing", "extra_forbidden"} or isinstance(value, dict | list):
        return message
    return f"{message} (found {value!r})"
