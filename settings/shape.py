"""What a model has at a place of a document: a table, tables of several kinds, many of one shape, or a plain value."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from types import NoneType, UnionType
from typing import Annotated, Final, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_LONGEST_NAME: Final = 64
_BARE_KEY: Final = re.compile(r"[\w-]+")  # others TOML has in quotes only: with dots, or with line ends


@dataclass(frozen=True, slots=True)
class Kinds:
    """Tables of several kinds, told apart by one key: models by the tag that stands there."""

    key: str
    models: Mapping[str, type[BaseModel]]


@dataclass(frozen=True, slots=True)
class Many:
    """An array, or a table whose keys are free."""

    item: object
    """Annotation of what is in it."""


Shape = type[BaseModel] | Kinds | Many | None


def shape_of(annotation: object, key: str | None = None) -> Shape:
    """Return the shape that an annotation stands for; `key` is what tells the members of a union apart."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        notes = [note.discriminator for note in arguments[1:] if isinstance(note, FieldInfo)]
        return shape_of(arguments[0], next((note for note in notes if isinstance(note, str)), key))
    if origin in (Union, UnionType):
        members = [member for member in arguments if member is not NoneType]
        return shape_of(members[0], key) if len(members) == 1 else _kinds(members, key)
    if origin in (list, tuple):
        return Many(arguments[0])
    if origin is dict:
        return Many(arguments[1])
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _kinds(members: list[object], key: str | None) -> Kinds | None:
    if key is None:
        return None
    models = [member for member in members if isinstance(member, type) and issubclass(member, BaseModel)]
    return Kinds(key, {str(tag): model for model in models for tag in get_args(model.model_fields[key].annotation)})


def field(model: type[BaseModel], key: str) -> FieldInfo | None:
    """Return the field of a key as files write it."""
    return next((found for name, found in model.model_fields.items() if (found.alias or name) == key), None)


def keys(model: type[BaseModel]) -> list[str]:
    """Return the keys of a table as files write them."""
    return [found.alias or name for name, found in model.model_fields.items()]


@dataclass(slots=True)
class Place:
    """A place of a document that is being walked to, and what people call it."""

    value: object
    shape: Shape
    key: str = ""
    table: type[BaseModel] | None = None
    """The table in which the last key stands."""
    name: str = ""
    """What the table is called where it stands."""
    kinds: Kinds | None = None
    """The kinds of that table, if there are several; it is of kind `tag`."""
    tag: str | None = None
    called: dict[int, list[str]] = dataclass_field(default_factory=dict)
    """What the tables of each array are called, by the array's identity: several places of one document share it."""
    _step: str = "table"

    def walk(self, step: str | int) -> None:
        """Go one step of a location as pydantic gives it, which has the tags of kinds and the names of types in it."""
        if isinstance(step, int):
            self._enter(step)
        elif isinstance(self.shape, Kinds):
            self.kinds, self.tag = self.shape, step
            self.shape = self.shape.models.get(step)
        elif isinstance(self.shape, Many):
            self._follow(step, shape_of(self.shape.item))
        elif self.shape is not None:
            if self.kinds is not None and self.shape is not self.kinds.models.get(self.tag or ""):
                self.kinds = self.tag = None
            self.table, self.name = self.shape, self._step
            known = field(self.shape, step)
            self._follow(step, None if known is None else shape_of(known.annotation, _discriminator(known)))

    def _enter(self, index: int) -> None:
        """Go to a table of an array: it is called by its id or name."""
        siblings = self.value if isinstance(self.value, list | tuple) else []
        if id(siblings) not in self.called:
            self.called[id(siblings)] = _names(siblings)
        inside = index < len(siblings)
        name = self.called[id(siblings)][index] if inside else f"#{index + 1}"
        self.value = siblings[index] if inside else None
        self.key += f"[{name}]"
        self.shape = shape_of(self.shape.item) if isinstance(self.shape, Many) else None

    def _follow(self, step: str, shape: Shape) -> None:
        shown = step if _BARE_KEY.fullmatch(step) else repr(step)
        self.key = f"{self.key}.{shown}" if self.key else shown
        self._step = step
        self.value = self.value.get(step) if isinstance(self.value, dict) else None
        self.shape = shape


def _names(tables: Sequence[object]) -> list[str]:
    """Return what tables are called: id or name, and their number where there is none or several have it."""
    own = [table.get("id", table.get("name")) if isinstance(table, dict) else None for table in tables]
    fit = [name if isinstance(name, str) and name.isprintable() and len(name) <= _LONGEST_NAME else "" for name in own]
    times = Counter(fit)
    return [name if name and times[name] == 1 else f"{name} #{number}".lstrip() for number, name in enumerate(fit, 1)]


def _discriminator(found: FieldInfo) -> str | None:
    return found.discriminator if isinstance(found.discriminator, str) else None
