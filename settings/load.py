"""A TOML file as a checked model."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from settings.errors import ConfigError
from settings.files import LARGEST, read_toml
from settings.problems import problems_of

Model = TypeVar("Model", bound=BaseModel)


def load(path: Path, model: type[Model], largest: int = LARGEST) -> Model:
    """Return a file of at most `largest` bytes as a model, its paths relative to it; ConfigError has every mistake.

    Mistakes between keys, which the model's own validators find, are told once each key is right by itself.
    """
    document = read_toml(path, largest)
    try:
        checked = model.model_validate(document)
    except ValidationError as error:
        raise ConfigError(problems_of(path, document, error, model)) from None
    return beside(checked, path.absolute().parent)


def beside(checked: Model, base: Path) -> Model:
    """Return a model with its paths taken relative to a directory."""
    anchored = _anchored(checked, base)
    assert isinstance(anchored, type(checked))
    return anchored


def _anchored(value: Any, base: Path) -> Any:  # noqa: ANN401 - whatever a model holds
    if isinstance(value, Path):
        return base / value
    if isinstance(value, BaseModel):
        old = {name: getattr(value, name) for name in type(value).model_fields}
        new = {name: _anchored(item, base) for name, item in old.items()}
        changed = {name: item for name, item in new.items() if item is not old[name]}
        return value.model_copy(update=changed) if changed else value
    if isinstance(value, list | tuple):
        items = [_anchored(item, base) for item in value]
        return type(value)(items) if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return value
