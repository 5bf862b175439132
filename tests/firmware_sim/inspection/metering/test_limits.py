"""Limits by class and load point, and the files they come from."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from firmware_sim.inspection.metering.limits import DEFAULT_FILE, FileLimits, NoLimitError
from firmware_sim.inspection.points import Balance, Character, LoadPoint, Rating
from settings.errors import ConfigError

RATING = Rating("B", 220_000, imin_ma=250, itr_ma=500, imax_ma=60_000, starting_ma=20)
LIMITS = FileLimits.load()


def point(current_ma: int, power_factor_ppm: int = 1_000_000, balance: Balance = Balance.BALANCED) -> LoadPoint:
    character = Character.UNITY if power_factor_ppm == 1_000_000 else Character.INDUCTIVE
    return LoadPoint(220_000, current_ma, power_factor_ppm, character, balance)


@pytest.mark.parametrize(
    ("name", "current_ma", "power_factor", "limit"),
    [  # facts/metrology.md, section 6
        ("A", 500, 1_000_000, "2.0"),
        ("A", 499, 500_000, "2.5"),
        ("B", 60_000, 500_000, "1.0"),
        ("B", 250, 800_000, "1.5"),
        ("B", 125, 1_000_000, "3.0"),
        ("C", 500, 1_000_000, "0.5"),
        ("C", 500, 500_000, "0.6"),
        ("C", 300, 500_000, "1.0"),
        ("D", 300, 1_000_000, "0.4"),
        ("D", 300, 800_000, "0.5"),
        ("D", 100, 800_000, "1.0"),
        ("E", 500, 500_000, "0.15"),
        ("1", 500, 1_000_000, "1.0"),
        ("1", 499, 1_000_000, "1.5"),
        ("1", 999, 500_000, "1.5"),
        ("1", 1_000, 500_000, "1.0"),
    ],
)
def test_the_default_limits(name: str, current_ma: int, power_factor: int, limit: str) -> None:
    rating = replace(RATING, accuracy_class=name)
    assert LIMITS.energy_percent(rating, point(current_ma, power_factor)) == Fraction(limit)


def test_class_1_has_limits_of_its_own_at_0_5c_and_0_25l() -> None:
    rating = replace(RATING, accuracy_class="1")
    capacitive = replace(point(5_000, 500_000), character=Character.CAPACITIVE)
    assert LIMITS.energy_percent(rating, capacitive) == Fraction("2.5")
    assert LIMITS.energy_percent(rating, point(5_000, 500_000)) == 1
    assert LIMITS.energy_percent(rating, point(5_000, 250_000)) == Fraction("3.5")
    assert LIMITS.energy_percent(rating, replace(capacitive, balance=Balance.A)) == 2


def test_the_name_says_that_no_limit_of_carbon_is_published(tmp_path: Path) -> None:
    assert LIMITS.name.endswith("(limits.toml); carbon: no published limit, 1 × that of electricity")
    path = tmp_path / "own.toml"
    text = DEFAULT_FILE.read_text(encoding="utf-8")
    path.write_text(text.replace('plus_percent = "0"', 'plus_percent = "0.1"'), encoding="utf-8")
    assert FileLimits.load(path).name.endswith(
        "(own.toml); carbon: no published limit, 1 × that of electricity + 0.1 %"
    )


def test_load_on_one_phase_has_its_own_limit() -> None:
    rating = replace(RATING, accuracy_class="1")
    assert LIMITS.energy_percent(rating, point(5_000, balance=Balance.B)) == 2
    alone = replace(point(5_000, balance=Balance.A), phases=1)
    assert LIMITS.energy_percent(rating, alone) == 1  # a single-phase meter has no unbalanced load


def test_carbon_follows_the_electricity_limit_as_the_file_says(tmp_path: Path) -> None:
    assert LIMITS.carbon_percent(RATING, point(500), 100_000) == 1
    path = tmp_path / "own.toml"
    text = DEFAULT_FILE.read_text(encoding="utf-8")
    path.write_text(
        text.replace('times = "1" ', 'times = "1.5" ').replace('plus_percent = "0"', 'plus_percent = "0.1"')
    )
    assert FileLimits.load(path).carbon_percent(RATING, point(500), 100_000) == Fraction(16, 10)
    assert "own.toml" in FileLimits.load(path).name


def test_every_class_has_an_interval_of_a_tenth_of_its_limit() -> None:
    for name, interval in {
        "A": "0.2",
        "B": "0.1",
        "C": "0.05",
        "D": "0.02",
        "E": "0.01",
        "1": "0.1",
        "2": "0.2",
    }.items():
        rating = replace(RATING, accuracy_class=name)
        assert LIMITS.interval_percent(rating) == Fraction(interval)
        assert LIMITS.interval_percent(rating) * 10 == LIMITS.energy_percent(rating, point(60_000))


def test_repeatability() -> None:
    assert LIMITS.repeatability_percent(RATING, point(500)) == Fraction(1, 10)
    assert LIMITS.repeatability_percent(RATING, point(499)) == Fraction(15, 100)
    rating = replace(RATING, accuracy_class="C")
    assert LIMITS.repeatability_percent(rating, point(499, 500_000)) == Fraction(6, 100)


def test_a_class_or_point_without_a_limit_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoLimitError, match="no class X; it has A, B"):
        LIMITS.energy_percent(replace(RATING, accuracy_class="X"), point(500))
    path = tmp_path / "own.toml"
    path.write_text(
        'name = "x"\n[class.B]\ninterval_percent = "0.1"\nrules = [{ from = "1 Itr", limit_percent = "1" }]\n'
    )
    with pytest.raises(NoLimitError, match=r"no rule for 300 mA, power factor 0\.5"):
        FileLimits.load(path).energy_percent(RATING, point(300, 500_000))


def test_mistakes_in_a_file_are_told_by_key(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'name = "x"\n[class.B]\ninterval_percent = "0"\n'
        'rules = [{ from = "2 Ib", limit_percent = "1", load = "two", power_factor = "0.5" }]\n'
    )
    with pytest.raises(ConfigError) as caught:
        FileLimits.load(path)
    told = str(caught.value)
    assert "interval_percent" in told
    assert "Itr, Imin or Imax" in told
    assert "load" in told
    assert "power factor '0.5'" in told
