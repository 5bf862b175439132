"""Numbers as files have them, to whole milliwatt-hours: exact, never by way of a float."""

from decimal import ROUND_HALF_EVEN
from typing import Final

from cloud_receiver.delimited.numbers import COMMA, POINT, number
from cloud_receiver.mistakes import quoted
from wire.domain import MAX_AMOUNT

MISSING: Final = frozenset({"", "-", "--", "na", "n/a", "nan", "null", "none", "#n/a"})
"""What stands for no value (缺数)."""


class AmountError(ValueError):
    """A text that is no amount; the message says what was expected and what came."""


def amount(text: str, decimal: str, unit_mwh: int, *, rounded: bool = False) -> int | None:
    """Return mWh (milliwatt-hours); None for what stands for no value, AmountError for what is no amount."""
    text = text.strip()
    if text.lower() in MISSING:
        return None
    value = number(text, decimal, exponent=True)
    if value is None:
        other = POINT if decimal == COMMA else COMMA
        hint = f" with the decimal mark {decimal!r}"
        if number(text, other, exponent=True) is not None:
            hint += f" (--decimal {other!r} for the other one)"
        raise AmountError(f"expected a number{hint}, found {quoted(text)}")
    exact = value * unit_mwh
    if exact < 0:
        raise AmountError(f"expected 0 or more, found {quoted(text)}: reverse energy (反向) has a column of its own")
    if exact > MAX_AMOUNT:
        raise AmountError(f"expected at most {MAX_AMOUNT // unit_mwh}, found {quoted(text)}")
    whole = exact.to_integral_value(ROUND_HALF_EVEN)
    if whole != exact and not rounded:
        raise AmountError(f"expected no more decimals than 1 mWh has, found {quoted(text)} (--round rounds)")
    return int(whole)
