"""What the sections of a station file have in common: exact numbers, names, and one line for each mistake."""

from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

FAULT_KINDS: Final = (
    *("late", "silent", "wrong-address", "bad-checksum", "truncated", "merged", "repeated", "echo", "noise"),
    *("power-cut", "swapped-words", "stuck", "rollover", "clock-drift", "clock-jump"),
)

_MESSAGES: Final = {"extra_forbidden": "unknown key", "missing": "expected a value, found nothing"}

# Parts of a location that pydantic adds and nobody wrote: the type of a number, the kind of a fault.
_NO_KEYS: Final = frozenset({"Exact", *FAULT_KINDS})

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Exact = Annotated[Decimal, Field(allow_inf_nan=False)]


class ConfigError(ValueError):
    """A station file that can't be used; `problems` has one line for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Section(BaseModel):
    """A table of a station file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def whole(value: Decimal, per_unit: int, name: str) -> Decimal:
    """Return the value when it is a multiple of 1/`per_unit`; ValueError otherwise."""
    if value * per_unit != (value * per_unit).to_integral_value():
        raise ValueError(f"expected a multiple of {name}")
    return value


def _ranged(value: object) -> object:
    numbers = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(numbers) != 2 or not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):  # noqa: PLR2004 - least and most
        raise ValueError("expected a whole number of ms, or [least, most]")
    return tuple(numbers)


Milliseconds = Annotated[tuple[int, int], BeforeValidator(_ranged)]
"""A duration, or the least and the most of one."""


def problems_of(file: str, error: ValidationError) -> list[str]:
    """Return a line for each mistake: file, dotted key, what was expected, what was found."""
    return [f"{file}: {line}" for line in lines_of(error)]


def lines_of(error: ValidationError) -> list[str]:
    """Return a line for each mistake, without a file."""
    return [_line(dict(item)) for item in error.errors()]


def _line(item: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in item["loc"] if part not in _NO_KEYS)
    message = _MESSAGES.get(item["type"], str(item["msg"]).removeprefix("Value error, "))
    value = item.get("input")
    found = "" if isinstance(value, dict | list | tuple) or value is None else f", found {value!r}"
    if not key and item["type"] == "value_error":
        # What is wrong between keys names them itself.
        return message
    return f"{key or '(whole)'}: {message}{found}"
