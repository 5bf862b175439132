"""Official factors: found by region and year, with what makes them official; nothing else passes for one."""

from pathlib import Path

import pytest

from cloud_receiver.grid import official
from cloud_receiver.grid.official import OfficialError
from settings.errors import ConfigError

OWN = """issuer = "office"
unit = "kgCO2/kWh"
boundary = "direct"
[[factor]]
region = "here"
year = 2030
value = "0.4"
"""


def test_the_newest_year_of_the_nation() -> None:
    found = official.find("national")
    assert (found.value_mg_per_kwh, found.year, found.boundary, found.unit) == (530_600, 2023, "direct", "kgCO2/kWh")
    assert "2025年第47号" in found.document
    assert "生态环境部" in found.issuer
    assert found.known == "confirmed"


@pytest.mark.parametrize(
    ("region", "year", "value"),
    [
        ("national", 2021, 556_800),
        ("national", 2022, 536_600),
        ("north", 2023, 636_100),
        ("华北", 2021, 712_000),
        ("southwest", None, 247_200),
        ("四川", None, 156_400),
        ("sichuan", 2022, 140_400),
        ("tianjin", None, 704_100),
        ("西藏", None, None),
        ("tianjin", 2023, None),
        ("national", 2024, None),
    ],
)
def test_region_and_year(region: str, year: int | None, value: int | None) -> None:
    if value is None:
        with pytest.raises(OfficialError, match=r"it has .*(2022|national)"):
            official.find(region, year)
    else:
        assert official.find(region, year).value_mg_per_kwh == value


def test_every_region_of_2022_has_one_of_2021() -> None:
    table = official.load()
    by_year = {year: {item.region for item in table.factor if item.year == year} for year in (2021, 2022, 2023)}
    assert by_year[2021] == by_year[2022]
    assert by_year[2023] < by_year[2022]
    assert len(by_year[2022]) == 1 + 7 + 30


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    assert official.find("here", None, path).value_mg_per_kwh == 400_000


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (('"kgCO2/kWh"', '"kgCO2e/kWh"'), "unit"),
        (('"direct"', '"life-cycle"'), "boundary"),
        (('"0.4"', '"400"'), "value"),
        (('"0.4"', '"0.1234567"'), "value"),
        (('"0.4"', '"-0.1"'), "value"),
        (('value = "0.4"', 'value = "0.4"\n[[factor]]\nregion = "here"\nyear = 2030\nvalue = "0.5"'), "twice"),
    ],
)
def test_a_table_of_another_kind_is_refused(change: tuple[str, str], named: str, tmp_path: Path) -> None:
    assert change[0] in OWN
    path = tmp_path / "own.toml"
    path.write_text(OWN.replace(*change), encoding="utf-8")
    with pytest.raises(ConfigError, match=named):
        official.find("here", None, path)
