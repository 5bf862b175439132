"""What whoever imports says about a file, as text, to what it means: of a command and of a request alike."""

from collections.abc import Mapping
from datetime import tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from cloud_receiver.delimited import form as delimited
from cloud_receiver.delimited.form import FormError
from cloud_receiver.delimited.times import Dates, TimeTextError
from cloud_receiver.delimited.zone import zone_of
from cloud_receiver.metered_import.form import Column, Form, Lone, Stamps, Unit
from cloud_receiver.mistakes import quoted
from cloud_receiver.registry import Meter, Registry, Station
from settings.decimals import exact

COLUMNS: Final = {column.value.replace("-", "_"): column for column in Column}
FORM: Final = (
    *COLUMNS,
    *("no_headings", "separator", "decimal", "unit", "dates", "time_format", "zone", "stamps", "ambiguous"),
    *("encoding", "round", "rollover"),
)
"""What `form` understands."""
_MWH: Final = 1_000_000
"""Of a kWh, in milliwatt-hours."""
_LONGEST: Final = 200
_Choice = TypeVar("_Choice", bound=StrEnum)


class ReadingsError(ValueError):
    """Readings can't be imported as asked."""


def form(texts: Mapping[str, str], station: Station) -> Form:
    """Return the form of a file; ReadingsError names what can't be. What is not there has its default."""
    for name, text in texts.items():
        if len(text) > _LONGEST:
            raise ReadingsError(f"{name}: expected at most {_LONGEST} characters")
    try:
        separator = delimited.separator(texts.get("separator"))
        decimal = delimited.decimal(texts.get("decimal"))
        encoding = delimited.encoding(texts.get("encoding"))
    except FormError as error:
        raise ReadingsError(str(error)) from None
    unit = _choice(Unit, "unit", texts, Unit.KWH)
    return Form(
        zone=zone(texts.get("zone", station.timezone)),
        columns={COLUMNS[name]: text for name, text in texts.items() if name in COLUMNS},
        headings=not flag(texts, "no_headings"),
        stamps=_choice(Stamps, "stamps", texts, Stamps.START),
        dates=_choice(Dates, "dates", texts, Dates.AUTO),
        time_format=texts.get("time_format"),
        lone=_choice(Lone, "ambiguous", texts, Lone.REFUSE),
        unit=unit,
        separator=separator,
        decimal=decimal,
        encoding=encoding,
        rounded=flag(texts, "round"),
        rollover=_rollover(texts.get("rollover"), unit),
    )


def _choice(kind: type[_Choice], name: str, texts: Mapping[str, str], default: _Choice) -> _Choice:
    try:
        return kind(texts.get(name, default.value))
    except ValueError:
        raise ReadingsError(f"{name}: expected one of {', '.join(kind)}, found {quoted(texts[name])}") from None


def flag(texts: Mapping[str, str], name: str) -> bool:
    """Return whether something is wanted: 1 or 0."""
    text = texts.get(name, "0")
    if text not in {"0", "1"}:
        raise ReadingsError(f"{name}: expected 0 or 1, found {quoted(text)}")
    return text == "1"


def zone(text: str) -> tzinfo:
    """Return a time zone by name, or an offset such as +08:00; ReadingsError for what is neither."""
    try:
        return zone_of(text)
    except TimeTextError as error:
        raise ReadingsError(f"zone: {error}") from None


def base(text: str | None) -> int | None:
    """Return a cumulative register of kWh in mWh; ReadingsError for what is none."""
    if text is None:
        return None
    value = exact(text)
    if value is None or value < 0 or value * _MWH != int(value * _MWH):
        raise ReadingsError(f"base {quoted(text)}: expected kWh with no more decimals than 1 mWh has")
    return int(value * _MWH)


def _rollover(text: str | None, unit: Unit) -> Decimal | None:
    if text is None:
        return None
    value = exact(text)
    if value is None or value * unit.mwh < 1:
        raise ReadingsError(f"rollover {quoted(text)}: expected the value at which a register starts again from 0")
    return value


def find(stations: Registry, station: str, meter: str, gateway: str | None) -> tuple[Station, Meter]:
    """Return a meter of the registry; ReadingsError names what isn't there, or is there more than once."""
    home = stations.find(station)
    if home is None:
        raise ReadingsError(f"station {quoted(station)} is not in the registry")
    found = [item for item in home.meter if item.id == meter and gateway in {None, item.gateway}]
    if not found:
        where = "" if gateway is None else f" on gateway {quoted(gateway)}"
        raise ReadingsError(f"station {station}: the registry has no meter {quoted(meter)}{where}")
    if len(found) > 1:
        names = ", ".join(item.gateway for item in found)
        raise ReadingsError(f"meter {quoted(meter)} is on gateways {names}: say which")
    return home, found[0]
