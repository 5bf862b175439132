"""Official electricity CO₂ factors (电力二氧化碳排放因子): what stands in where nothing can be solved.

The program's table has those that the ministry published for 2021 to 2023, each with its document and how well it is
known here (official.toml). A factor is only what it says it is: its year, region, issuer and boundary go with it.
"""

from collections import Counter
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from diantan_core import Factor, QuantityError
from settings.errors import ConfigError
from settings.load import load as load_file
from settings.values import Exact, Section, Whole

TABLE: Final = Path(__file__).with_name("official.toml")
_LARGEST_FILE: Final = 4 << 20


class OfficialError(ValueError):
    """No official factor for what was asked; the text has what there is."""


def _factor(value: Decimal) -> Decimal:
    try:
        Factor.from_kg_per_kwh(value)
    except QuantityError as error:
        raise ValueError(f"expected kgCO2/kWh with at most 6 decimals: {error}") from None
    return value


class Entry(Section):
    """A factor of one year and region."""

    region: Annotated[str, Field(min_length=1, max_length=64)]
    name: str = ""
    """In the issuer's language."""
    year: Annotated[Whole, Field(ge=1990, le=2100)]
    value: Annotated[Exact, Field(ge=0, le=10), AfterValidator(_factor)]
    known: str = ""
    """How well the number is known, in words."""
    document: str = ""


class Table(Section):
    """A table of official factors of one issuer, unit and boundary."""

    issuer: Annotated[str, Field(min_length=1)]
    unit: Literal["kgCO2/kWh"]
    """Footprint factors (kgCO2e/kWh) are of another boundary and are refused."""
    boundary: Literal["direct"]
    factor: tuple[Entry, ...]


class OfficialFactor(Section):
    """An official factor with all that makes it one."""

    value_mg_per_kwh: int
    region: str
    name: str
    year: int
    issuer: str
    document: str
    unit: str
    boundary: str
    known: str


@lru_cache(maxsize=4)
def load(path: Path = TABLE) -> Table:
    """Read a table; ConfigError has every mistake."""
    table = load_file(path, Table, _LARGEST_FILE)
    repeated = [key for key, count in Counter((item.region, item.year) for item in table.factor).items() if count > 1]
    if repeated:
        raise ConfigError([f"{path}: factor: {region} {year} is there twice" for region, year in repeated])
    return table


def find(region: str, year: int | None = None, table: Path | None = None) -> OfficialFactor:
    """Return the factor of a region, by its id or name; of the newest year where none is given.

    OfficialError when the table has none; ConfigError when the table can't be read.
    """
    path = table or TABLE
    found = load(path)
    entries = {item.year: item for item in found.factor if region in (item.region, item.name)}
    if not entries:
        known = ", ".join(sorted({item.region for item in found.factor}))
        raise OfficialError(f"{path.name} has no region {region!r}; it has {known}")
    if year is not None and year not in entries:
        years = ", ".join(map(str, sorted(entries)))
        raise OfficialError(f"{path.name} has no factor of {region} for {year}; it has {years}")
    entry = entries[max(entries) if year is None else year]
    return OfficialFactor(
        value_mg_per_kwh=Factor.from_kg_per_kwh(entry.value).mg_per_kwh,
        region=entry.region,
        name=entry.name,
        year=entry.year,
        issuer=found.issuer,
        document=entry.document,
        unit=found.unit,
        boundary=found.boundary,
        known=entry.known,
    )
