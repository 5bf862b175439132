"""Results of on-site verification (现场检定) and re-verification (失准复检): entered, withdrawn, never deleted."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from sqlalchemy import BigInteger, Connection, bindparam, insert, select, update

from cloud_receiver.grid.analysis.periods import instant
from cloud_receiver.schema import error_verification

_LARGEST_ERROR: Final = Decimal(49)
_SMALLEST_U: Final = Decimal("0.001")
_LARGEST_U: Final = Decimal(10)
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,3}(\.[0-9]{1,6})?")
LONGEST_TEXT: Final = 200


class VerificationError(ValueError):
    """A verification result that can't be taken."""


@dataclass(frozen=True, slots=True)
class Verification:
    """A result: errors in per cent as found and, where the meter was adjusted, as left; standard uncertainty."""

    id: int
    meter: int
    at_ms: int
    error_percent: Decimal
    u_percent: Decimal
    left_percent: Decimal | None
    made_by: str
    document: str
    entered_ms: int
    withdrawn_ms: int | None = None
    withdrawn_by: str | None = None
    withdrawn_reason: str | None = None


def percent(text: str, what: str, least: Decimal, most: Decimal) -> Decimal:
    """Return a number in per cent; VerificationError with what was expected."""
    try:
        value = Decimal(text) if _DECIMAL.fullmatch(text) else None
    except InvalidOperation:
        value = None
    if value is None or not least <= value <= most:
        raise VerificationError(f"{what} {text!r}: expected a number of {least} to {most} per cent")
    return value


def error_of(text: str, what: str = "--error") -> Decimal:
    """Return an error in per cent."""
    return percent(text, what, -_LARGEST_ERROR, _LARGEST_ERROR)


def u_of(text: str) -> Decimal:
    """Return a standard uncertainty in per cent."""
    return percent(text, "--u", _SMALLEST_U, _LARGEST_U)


def text_of(text: str, what: str) -> str:
    """Return a text that a terminal may show."""
    if len(text) > LONGEST_TEXT or not text.isprintable():
        raise VerificationError(f"{what}: expected at most {LONGEST_TEXT} printable characters")
    return text


def words_of(text: str, what: str) -> str:
    """Return a text as `text_of` that says something: who and why are asked for later."""
    if not text.strip():
        raise VerificationError(f"{what}: expected 1 to {LONGEST_TEXT} printable characters, found none but blanks")
    return text_of(text, what)


def time_of(text: str, zone: str, *, adjusted: bool) -> int:
    """Return when a charger was verified. A day is its beginning, which is before an adjustment on that day."""
    if len(text) <= len("2026-07"):
        raise VerificationError(f"--at: expected a day or a time, found the month {text!r}")
    if adjusted and len(text) <= len("2026-07-01"):
        raise VerificationError(
            f"--at: expected a time with its zone, as a charger was adjusted; found the day {text!r}"
        )
    return instant(text, zone)


def enter(
    connection: Connection,
    station: int,
    meter: int,
    *,
    at_ms: int,
    error_percent: Decimal,
    u_percent: Decimal,
    left_percent: Decimal | None,
    made_by: str,
    document: str,
    now_ms: int,
) -> Verification:
    """Enter a result; VerificationError where it is of the future, or stands there already."""
    if at_ms > now_ms:
        raise VerificationError("--at: expected a time that has passed")
    found = [item for item in listed(connection, station) if item.meter == meter and item.at_ms == at_ms]
    if found:
        raise VerificationError(f"verification {found[0].id} is of that meter and time: withdraw it first")
    values = {
        "station": station,
        "meter": meter,
        "at_ms": at_ms,
        "error_percent": str(error_percent),
        "u_percent": str(u_percent),
        "left_percent": None if left_percent is None else str(left_percent),
        "made_by": made_by,
        "document": document,
        "entered_ms": now_ms,
    }
    key = connection.execute(insert(error_verification).values(**values)).inserted_primary_key
    assert key is not None
    return Verification(key[0], meter, at_ms, error_percent, u_percent, left_percent, made_by, document, now_ms)


def withdraw(connection: Connection, station: int, number: int, *, by: str, reason: str, now_ms: int) -> None:
    """Take a result out of use; it stays in the store. VerificationError where there is none in force."""
    result = connection.execute(
        update(error_verification)
        .where(
            error_verification.c.id == number,
            error_verification.c.station == station,
            error_verification.c.withdrawn_ms.is_(None),
        )
        .values(withdrawn_ms=now_ms, withdrawn_by=by, withdrawn_reason=reason)
    )
    if not result.rowcount:
        raise VerificationError(f"there is no verification {number} in force at this station")


_ALL: Final = (
    select(*(error_verification.c[name] for name in Verification.__dataclass_fields__))
    .where(error_verification.c.station == bindparam("station", type_=BigInteger))
    .order_by(error_verification.c.at_ms, error_verification.c.id)
)
_IN_FORCE: Final = _ALL.where(error_verification.c.withdrawn_ms.is_(None))


def listed(connection: Connection, station: int, *, withdrawn: bool = False) -> list[Verification]:
    """Return a station's results by time; withdrawn ones only when asked for."""
    return [
        Verification(
            row.id,
            row.meter,
            row.at_ms,
            Decimal(row.error_percent),
            Decimal(row.u_percent),
            None if row.left_percent is None else Decimal(row.left_percent),
            *(row.made_by, row.document, row.entered_ms, row.withdrawn_ms, row.withdrawn_by, row.withdrawn_reason),
        )
        for row in connection.execute(_ALL if withdrawn else _IN_FORCE, {"station": station})
    ]
