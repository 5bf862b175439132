"""Numbers of cells, exact: of either decimal mark, never by way of a float."""

import re
from decimal import Decimal
from typing import Final

LONGEST: Final = 27
"""Characters: fewer digits than arithmetic with decimals keeps exactly."""
POINT: Final = "."
COMMA: Final = ","
EITHER: Final = ".,"
_PLAIN: Final = {
    marks: re.compile(rf"[+-]?(?:\d+(?:[{marks}]\d*)?|[{marks}]\d+)", re.ASCII) for marks in (POINT, COMMA, EITHER)
}
_EXPONENT: Final = re.compile(r"(?<=[\d.,])[eE][+-]?\d{1,2}\Z", re.ASCII)


def number(text: str, marks: str = POINT, *, exponent: bool = False) -> Decimal | None:
    """Return a number, None for a text that is none; thousands are never separated.

    `marks`: what may separate decimals, one of POINT, COMMA, EITHER; `exponent`: whether 1.5e3 is one.
    """
    if len(text) > LONGEST:
        return None
    plain = _EXPONENT.sub("", text) if exponent else text
    return Decimal(text.replace(",", ".")) if _PLAIN[marks].fullmatch(plain) else None
