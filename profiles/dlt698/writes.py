"""What is set in a meter: its clock, and the carbon factors of a day; written and understood again."""

from collections.abc import Mapping
from typing import Final

from diantan_core import day_start_ms, dlt698_encode_data
from profiles.dlt698.codec import Data, decode, encode
from profiles.dlt698.model import Association, ClockWrite, FactorWrite, ObjectCommand
from profiles.dlt698.moments import date_time_s, to_ms
from profiles.model import CodecError, NoValueError

FACTOR: Final = "factor"
FACTOR_DAY: Final = "factor_day"
_DAY_MS: Final = 86_400_000  # a day of 23 or 25 h has as many values: the standard's zone has no summer time


def clock_command(
    write: ClockWrite, fields: Mapping[str, int | None], association: Association, timezone: str
) -> ObjectCommand:
    """Return the SET of the clock; the meter's seconds are whole, so a fraction is dropped."""
    time_ms = _exactly(write.name, fields, ["time"])["time"]
    if time_ms is None:
        raise CodecError(f"{write.name}: a time must be given")
    item = encode(write.field, time_ms - time_ms % write.field.resolution, timezone)
    return ObjectCommand(write.name, write.field.oad, dlt698_encode_data(item), association)


def factor_command(
    write: FactorWrite, name: str, fields: Mapping[str, int | None], association: Association, timezone: str
) -> ObjectCommand:
    """Return the SET of a day's factors: of all of them (`factor_day`), or of one that holds from its part on.

    For a single `factor` the rest of the day is filled with it, until the next one is set: a slot whose factor has not
    come uses the last one. CodecError for a factor finer than the meter's step: what the meter would count with is not
    what was dispatched.
    """
    names = ["carbon_factor"] if name == FACTOR else factor_fields(write.values)
    given = _exactly(name, fields, ["time", *names])
    time_ms = given["time"]
    if time_ms is None:
        raise CodecError(f"{name}: a time must be given")
    day_ms = day_start_ms(time_ms, timezone)
    if name == FACTOR_DAY and day_ms != time_ms:
        raise CodecError(f"{name}: a day begins at local midnight, not at {time_ms} ms")
    values = [_factor(write, given[key], timezone) for key in names]
    kept = 0
    if name == FACTOR:
        kept = min((time_ms - day_ms) * write.values // _DAY_MS, write.values - 1)
        values *= write.values
    interval = {"unit": write.interval_unit, "interval": write.interval}
    item: Data = (
        "structure",
        [("date_time_s", date_time_s(day_ms, timezone)), ("ti", interval), ("array", values)],
    )
    return ObjectCommand(name, write.field.oad, dlt698_encode_data(item), association, kept)


def keep_beginning(item: Data, present: Data, count: int) -> Data:
    """Return a day's factors with the first `count` of those that the meter has, if they are of the same day."""
    try:
        _, (day, interval, (_, values)) = item
        kind, (there, _, (array, known)) = present
    except (TypeError, ValueError):
        return item
    if (kind, array) != ("structure", "array") or there != day or len(known) != len(values):
        return item
    return "structure", [day, interval, ("array", [*known[:count], *values[count:]])]


def factor_fields(values: int) -> list[str]:
    """Return the names of the fields of a day's factors, in the order of time."""
    return [f"carbon_factor_{number}" for number in range(1, values + 1)]


def _factor(write: FactorWrite, value: int | None, timezone: str) -> Data:
    if value is None and write.field.missing is None:
        raise CodecError(f"{write.name}: the meter has no way to say that a factor is undefined")
    return encode(write.field, value, timezone)


def _exactly(name: str, fields: Mapping[str, int | None], wanted: list[str]) -> Mapping[str, int | None]:
    if set(fields) != set(wanted):
        raise CodecError(f"{name}: expected the fields {wanted}, got {sorted(fields)}")
    return fields


def written_time(write: ClockWrite, item: Data, timezone: str) -> int:
    """Return the instant that a SET of the clock names."""
    return decode(write.field, item, timezone)


def written_factors(write: FactorWrite, item: Data, timezone: str) -> list[tuple[int, int, int | None]]:
    """Return (start, end, factor; None: undefined) of each part of the day that a SET names.

    The parts are equal whatever TI says: the one known client sends 15 min with 24 values too.
    """
    try:
        kind, (day, _, (array, values)) = item
    except (TypeError, ValueError):
        raise CodecError(f"{write.name}: expected structure of day, TI and array, got {item[0]}") from None
    if (kind, day[0], array) != ("structure", "date_time_s", "array") or len(values) != write.values:
        raise CodecError(f"{write.name}: expected a day and an array of {write.values} factors")
    start = to_ms(day[1], timezone)
    part = _DAY_MS // write.values
    return [
        (start + number * part, start + (number + 1) * part, _written_factor(write, value, timezone))
        for number, value in enumerate(values)
    ]


def _written_factor(write: FactorWrite, value: Data, timezone: str) -> int | None:
    try:
        return decode(write.field, value, timezone)
    except NoValueError:
        return None
