"""registry.toml: what is accepted, and every mistake with its key."""

from decimal import Decimal
from pathlib import Path

import pytest

from cloud_receiver import registry
from cloud_receiver.registry import Measures, Role
from settings.errors import ConfigError

STATION = """
[[station]]
id = "S1"
node = "node1"
[[station.meter]]
id = "C01"
role = "charger"
gateway = "gw1"
rated_kw = 60
accuracy_class = "1"
[[station.meter]]
id = "G"
role = "grid"
gateway = "gw1"
rated_kw = 400
resolution_kwh = "0.8"
"""


def write(directory: Path, text: str) -> Path:
    path = directory / "registry.toml"
    path.write_text(text)
    return path


def test_a_station(tmp_path: Path) -> None:
    found = registry.load(write(tmp_path, STATION)).find("S1")
    assert found is not None
    assert found.timezone == "Asia/Shanghai"
    assert [meter.id for meter in found.meters(Role.CHARGER)] == ["C01"]
    assert found.meters(Role.GRID)[0].resolution_kwh == Decimal("0.8")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (('role = "grid"', 'role = "main"'), "station[S1].meter[G].role"),
        (("rated_kw = 60", "rated_kw = 0"), "station[S1].meter[C01].rated_kw"),
        (('node = "node1"', 'node = "a/b"'), "station[S1].node"),
        (('node = "node1"', 'node = "n"\ntimezone = "Asia/Nowhere"'), "station[S1].timezone"),
        (('node = "node1"', 'node = "n"\nsince = 2026-07-01T00:00:00'), "station[S1].since"),
        (('id = "G"', 'id = "C01"'), "station[S1].meter[C01]"),
        (('id = "G"', 'id = "C01"\nsince = 2026-07-01'), "station[S1].meter[C01 #2].since"),
        (('id = "G"', 'id = "C01"\nsince = 2026-07-01T00:00:00+08:00'), "station[S1].meter[C01]"),
        (('gateway = "gw1"\nrated_kw = 400', 'gateway = "gw+1"\nrated_kw = 400'), "station[S1].meter[G].gateway"),
    ],
)
def test_a_mistake_is_named_by_its_key(change: tuple[str, str], key: str, tmp_path: Path) -> None:
    assert change[0] in STATION
    with pytest.raises(ConfigError) as caught:
        registry.load(write(tmp_path, STATION.replace(*change)))
    (problem,) = caught.value.problems
    assert problem.startswith(f"{tmp_path / 'registry.toml'}: {key}: ")


OLD = STATION.replace("rated_kw = 60", "rated_kw = 60\nuntil = 2026-07-01T00:00:00+08:00")
NEW = """
[[station.meter]]
id = "C01"
role = "charger"
gateway = "gw2"
rated_kw = 60
since = 2026-07-01T{hour:02}:00:00+08:00
"""


def test_a_meter_may_move_to_another_gateway(tmp_path: Path) -> None:
    found = registry.load(write(tmp_path, OLD + NEW.format(hour=0))).find("S1")
    assert found is not None
    moment = 1_782_835_200_000
    assert [meter.gateway for meter in found.meters(Role.CHARGER) if meter.in_service(moment)] == ["gw2"]
    assert [meter.gateway for meter in found.meters(Role.CHARGER) if meter.in_service(moment - 1)] == ["gw1"]


@pytest.mark.parametrize("text", [OLD + NEW.format(hour=0).replace("gw2", "gw1"), STATION + NEW.format(hour=0)])
def test_a_name_means_one_meter_at_a_time(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"station\[S1\].meter\[C01\]: is there 2 times"):
        registry.load(write(tmp_path, text))


def test_a_gateway_serves_one_station(tmp_path: Path) -> None:
    text = STATION + STATION.replace('"S1"', '"S2"')
    with pytest.raises(ConfigError, match="already serves station S1"):
        registry.load(write(tmp_path, text))


def test_a_station_is_registered_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"station\[S1\]: is there 2 times"):
        registry.load(write(tmp_path, STATION + STATION))


PLANT = """
[[station]]
id = "P1"
node = "N1"
[[station.meter]]
id = "U1"
role = "generation"
gateway = "gw9"
rated_kw = 600000
measures = "generator G1"
[[station.meter]]
id = "L1"
role = "flow"
gateway = "gw9"
rated_kw = 600000
measures = "branch L 1 from"
inverted = true
"""


def test_meters_of_the_grid_say_what_they_measure(tmp_path: Path) -> None:
    found = registry.load(write(tmp_path, PLANT)).find("P1")
    assert found is not None
    unit, line = found.meter
    assert unit.element == Measures("generator", "G1")
    assert line.element == Measures("branch", "L 1", "from")
    assert (unit.inverted, line.inverted) == (False, True)


@pytest.mark.parametrize(
    ("change", "key", "text"),
    [
        (('measures = "generator G1"', ""), "station[P1].meter[U1].measures", "expected the element"),
        (('"generator G1"', '"load town"'), "station[P1].meter[U1].measures", "grid or flow, found generation"),
        (('"branch L 1 from"', '"generator G2"'), "station[P1].meter[L1].measures", "role generation, found flow"),
        (('"generator G1"', '"generator"'), "station[P1].meter[U1].measures", "expected 'generator ID'"),
        (('"branch L 1 from"', '"branch L1"'), "station[P1].meter[L1].measures", "expected 'generator ID'"),
        (('"branch L 1 from"', f'"branch {"x" * 80} from"'), "station[P1].meter[L1].measures", "expected 'generator"),
        (('role = "flow"', 'role = "charger"'), "station[P1].meter[L1].measures", "role flow, found charger"),
    ],
)
def test_a_meter_that_measures_what_it_cannot(change: tuple[str, str], key: str, text: str, tmp_path: Path) -> None:
    assert change[0] in PLANT
    with pytest.raises(ConfigError) as caught:
        registry.load(write(tmp_path, PLANT.replace(*change)))
    assert key in str(caught.value)
    assert text in str(caught.value)


def test_an_element_has_one_meter_at_a_time(tmp_path: Path) -> None:
    second = PLANT.replace('"P1"', '"P2"').replace('"gw9"', '"gw8"').replace('"branch L 1 from"', '"branch L 1 to"')
    with pytest.raises(ConfigError, match="meters U1 and U1 both measure generator G1"):
        registry.load(write(tmp_path, PLANT + second))
    followed = second.replace("rated_kw = 600000", "rated_kw = 600000\nsince = 2026-07-01T00:00:00+08:00", 1)
    before = PLANT.replace("rated_kw = 600000", "rated_kw = 600000\nuntil = 2026-07-01T00:00:00+08:00", 1)
    assert len(registry.load(write(tmp_path, before + followed)).station) == 2


@pytest.mark.parametrize("interval_s", [60, 75, 300, 450, 900, 1200, 1800, 3600])
def test_an_interval_fits_slots_or_hours(interval_s: int, tmp_path: Path) -> None:
    text = STATION.replace("rated_kw = 60", f"rated_kw = 60\ninterval_s = {interval_s}")
    assert registry.load(write(tmp_path, text)).station[0].meter[0].interval_s == interval_s


@pytest.mark.parametrize("interval_s", [72, 120, 360, 400, 600, 720, 901, 2700])
def test_an_interval_that_cuts_slots_is_refused(interval_s: int, tmp_path: Path) -> None:
    text = STATION.replace("rated_kw = 60", f"rated_kw = 60\ninterval_s = {interval_s}")
    with pytest.raises(ConfigError) as caught:
        registry.load(write(tmp_path, text))
    (problem,) = caught.value.problems
    assert problem.endswith(
        "station[S1].meter[C01].interval_s: expected a divisor of 900 (a slot of 15 minutes), or 1200, 1800, 3600; "
        f"found {interval_s}"
    )


def test_an_efficiency_is_that_of_a_charger_that_meters_its_output(tmp_path: Path) -> None:
    told = 'rated_kw = 60\ndc_efficiency_percent = "96.5"\ndc_efficiency_uncertainty_percent = "0.5"'
    with pytest.raises(ConfigError) as caught:
        registry.load(write(tmp_path, STATION.replace("rated_kw = 60", told)))
    (problem,) = caught.value.problems
    assert (
        "station[S1].meter[C01]: expected dc_efficiency_percent and dc_efficiency_uncertainty_percent with" in problem
    )
    found = registry.load(write(tmp_path, STATION.replace("rated_kw = 60", f"{told}\ndc_output = true")))
    assert found.station[0].meter[0].dc_efficiency_percent == Decimal("96.5")


def test_a_make_is_that_of_a_charger(tmp_path: Path) -> None:
    text = STATION.replace("rated_kw = 60", 'rated_kw = 60\nmake = "华充 AC7"')
    found = registry.load(write(tmp_path, text)).find("S1")
    assert found is not None
    assert [meter.make for meter in found.meter] == ["华充 AC7", None]
    with pytest.raises(ConfigError, match=r"meter\[G\].make: expected of chargers only, found a grid meter"):
        registry.load(write(tmp_path, STATION.replace("rated_kw = 400", 'rated_kw = 400\nmake = "X"')))
    with pytest.raises(ConfigError, match=r"meter\[C01\].make: expected 1 to 64 bytes"):
        registry.load(write(tmp_path, STATION.replace("rated_kw = 60", 'rated_kw = 60\nmake = ""')))


def test_orders_may_count_the_other_side_of_a_conversion(tmp_path: Path) -> None:
    told = 'rated_kw = 60\norders_at = "output"\ndc_efficiency_percent = "96.5"'
    path = tmp_path / "registry.toml"
    path.write_text(STATION.replace("rated_kw = 60", told))
    charger, grid = registry.load(path).station[0].meter
    assert charger.orders_at is registry.Side.OUTPUT
    assert charger.orders_at_output
    assert charger.orders_convert
    assert not grid.orders_convert


@pytest.mark.parametrize(
    ("place", "told", "expected"),
    [
        ("rated_kw = 400", 'orders_at = "output"', "meter[G].orders_at: expected of chargers only, found a grid meter"),
        (
            "rated_kw = 60",
            'only_orders = true\norders_at = "output"',
            "meter[C01].orders_at: expected dc_output to say it of a charger with only_orders, found output",
        ),
        ("rated_kw = 60", 'orders_at = "both"', "orders_at"),
        (
            "rated_kw = 60",
            'orders_at = "input"\ndc_efficiency_percent = 96',
            'expected dc_efficiency_percent with dc_output = true or orders_at = "output", found neither',
        ),
    ],
)
def test_a_side_of_orders_that_cannot_be(place: str, told: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    path.write_text(STATION.replace(place, f"{place}\n{told}"))
    with pytest.raises(ConfigError) as raised:
        registry.load(path)
    (problem,) = raised.value.problems
    assert expected in problem
