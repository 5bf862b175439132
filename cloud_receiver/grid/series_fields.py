"""What measurements are called in time series, and how numbers become measurements, checked."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from operator import gt, lt
from typing import Any, Final

from cloud_receiver.grid.builder import COLUMNS
from cloud_receiver.grid.model import Element
from cloud_receiver.grid.snapshot import (
    MAX_EMISSION,
    MAX_FACTOR,
    MAX_MEGAWATTS,
    MAX_STORED,
    Charge,
    Demand,
    EndPowers,
    EndRegisters,
    Generation,
    Measurement,
    value_mistakes,
)
from cloud_receiver.mistakes import Mistake

Tell = Callable[[str, Mistake, str], None]
"""Is told of a mistake: field, kind of mistake, what was expected and what came."""

OPEN: Final = "open"
TYPES: Final[Mapping[Element, tuple[type[Measurement], ...]]] = {
    Element.BRANCH: (EndPowers, EndRegisters),
    Element.GENERATOR: (Generation,),
    Element.LOAD: (Demand,),
    Element.STORAGE: (Charge,),
}
FIELDS: Final[Mapping[type[Measurement], tuple[str, ...]]] = {
    kind: tuple(item.name for item in fields(kind)) for kinds in TYPES.values() for kind in kinds
}
_TANK: Final = {item.name: item.default for item in fields(Charge) if item.default is not MISSING}
_SHORT: Final = {
    "from_megawatts": "from",
    "to_megawatts": "to",
    "from_in_megawatts": "from_in",
    "from_out_megawatts": "from_out",
    "to_in_megawatts": "to_in",
    "to_out_megawatts": "to_out",
    "megawatts": "p",
    "emission": "emission",
    "charge_megawatts": "charge",
    "discharge_megawatts": "discharge",
}
NAMES: Final[Mapping[Element, Mapping[str, str]]] = {
    element: {
        name: item
        for kind in kinds
        for item in FIELDS[kind]
        for name in dict.fromkeys((_SHORT.get(item, item), COLUMNS[item]))
    }
    | ({OPEN: OPEN} if element is Element.BRANCH else {})
    for element, kinds in TYPES.items()
}
"""The field of each heading, the short ones of series and those of networks."""


def expected(element: Element) -> str:
    """Return the short names of the fields of a kind of element, as a message lists them."""
    return ", ".join(dict.fromkeys(_SHORT.get(item, COLUMNS.get(item, item)) for item in NAMES[element].values()))


@dataclass(frozen=True)
class Ranges:
    """Bounds within which no number of these fields can be a mistake by itself."""

    lows: tuple[float, ...]
    highs: tuple[float, ...]

    def hold(self, numbers: Sequence[float]) -> bool:
        """Return whether all numbers are within."""
        return not (any(map(lt, numbers, self.lows)) or any(map(gt, numbers, self.highs)))


def ranges(names: Sequence[str], max_factor: float) -> Ranges:
    """Return the bounds of fields, in their order."""
    pairs = [_range(name, max_factor) for name in names]
    return Ranges(tuple(low for low, _ in pairs), tuple(high for _, high in pairs))


def _range(name: str, max_factor: float) -> tuple[float, float]:
    if name in {"megawatts", "from_megawatts", "to_megawatts"}:
        return -MAX_MEGAWATTS, MAX_MEGAWATTS
    if name.endswith("_megawatts"):
        return 0.0, MAX_MEGAWATTS
    if name == "factor":
        return 0.0, max_factor
    if name == "emission":
        return 0.0, MAX_EMISSION
    return 0.0, 1.0 if name.endswith("_efficiency") else MAX_STORED


def plain_numbers(cells: Sequence[str], bounds: Ranges) -> list[float | None] | None:
    """Return cells as numbers, None for empty ones; None when any needs a closer look."""
    text = "".join(cells)
    # Python's own spellings, which are no numbers in a table: 1_000, nan, inf, and digits of other scripts.
    if not text.isascii() or "_" in text or "n" in text or "N" in text:
        return None
    try:
        if "" not in cells:
            full = list(map(float, cells))
            return full if bounds.hold(full) else None  # type: ignore[return-value]  # floats are a part of it
        sparse = [float(cell) if cell else None for cell in cells]
        return sparse if bounds.hold([number or 0.0 for number in sparse]) else None
    except ValueError:
        return None


def number(cell: str) -> float | None:
    """Return a cell as a number, None for an empty one; ValueError."""
    text = cell.strip()
    if not text:
        return None
    if not text.isascii() or "_" in text:
        raise ValueError(cell)
    return float(text)


def checked(
    kind: type[Measurement], numbers: Sequence[Any], tell: Tell, max_factor: float = MAX_FACTOR
) -> Measurement | None:
    """Return numbers, in the order of the fields, as a measurement; None when nothing was measured.

    Each mistake is told, and what is wrong is left out.
    """
    values = dict(zip(FIELDS[kind], numbers, strict=True))
    while True:
        if all(value is None for value in values.values()):
            return None
        made: Any = kind
        measured: Measurement = made(
            *(
                _TANK[name] if value is None and kind is Charge and name in _TANK else value
                for name, value in values.items()
            )
        )
        mistakes = list(value_mistakes(measured, max_factor))
        if not mistakes:
            return measured
        for mistake, name, text in mistakes:
            tell(name, mistake, text)
            values[name] = None


def is_number(value: object) -> bool:
    """Return whether a value of JSON is a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
