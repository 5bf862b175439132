"""A wrong configuration: every mistake is told at once, with file and key."""

from pathlib import Path
from typing import Any

import pytest

from agent.build import link_settings
from agent.config_file import load_config
from settings.errors import ConfigError


def problems(path: Path) -> list[str]:
    """Return what is wrong with a file."""
    with pytest.raises(ConfigError) as error:
        load_config(path)
    return [problem.removeprefix(f"{path}: ") for problem in error.value.problems]


def test_a_right_one_has_absolute_paths_and_profiles(site: Any) -> None:
    """File names are relative to the configuration."""
    loaded = load_config(site.configure(broker_port=1883, meter_ports=[5020, 5021]))
    assert loaded.config.gateway.data_dir == site.directory / "data"
    assert loaded.config.journal_file == site.directory / "data" / "journal.db"
    assert set(loaded.profiles) == {"meter-1", "meter-2"}
    assert loaded.profiles["meter-1"] is loaded.profiles["meter-2"]
    assert loaded.config.find_meter("meter-3") is None


@pytest.mark.parametrize("version", ["auto", "5", "3.1.1"])
def test_the_version_of_mqtt_can_be_fixed(site: Any, version: str) -> None:
    """For a broker whose silence would be waited for; another version is a mistake."""
    path = site.configure(broker_port=1883, meter_ports=[5020])
    text = path.read_text("utf-8")
    site.write(text.replace("port = 1883", f'port = 1883\nprotocol = "{version}"'))
    assert link_settings(load_config(path).config).protocol == version
    site.write(text.replace("port = 1883", 'port = 1883\nprotocol = "4"'))
    assert problems(path) == ["broker.protocol: expected 'auto', '5' or '3.1.1', got '4'"]


def test_every_mistake_is_told_with_its_key(site: Any) -> None:
    """One run of `check` is enough."""
    path = site.write("""
[gateway]
id = "gate/way"
timezone = "Asia/Shanghia"
data_dir = "data"
key_file = "gateway.key"
[centre]
key_file = "centre.pub"
[broker]
host = "localhost"
prot = 1883
port = 70000
[interval]
minutes = 7
[factor]
node = "node-1"
default = "0.12345678"
[[line]]
name = "bus"
transport = "modbus-rtu"
host = "h"
[[line.meter]]
id = "m1"
unit = 300
profile = "sim-carbon-meter"
poll_seconds = "often"
""")
    found = problems(path)
    for start in (
        "gateway.id: ",
        "gateway.station: is missing",
        "gateway.timezone: expected the name of a time zone",
        "broker.prot: unknown key; did you mean 'port'?",
        "broker.port: expected less than or equal to 65535, got 70000",
        "interval.minutes: ",
        "factor.default: ",
        "line[bus].transport: expected one of 'modbus-tcp', 'tcp', 'serial', 'dial-in', got 'modbus-rtu'",
        "line[bus].meter[m1].unit: expected less than or equal to 255, got 300",
        "line[bus].meter[m1].poll_seconds: ",
    ):
        assert any(problem.startswith(start) for problem in found), (start, found)
    assert len(found) == 10


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('id = "meter-2"', 'id = "meter-1"', "meter 'meter-1' is there more than once"),
        ('name = "line-2"', 'name = "line-1"', "line 'line-1' is there more than once"),
        (
            "unit = 2\n",
            'unit = 2\nprofile = "sim-carbon-meter"\n[[line.meter]]\nid = "b"\nunit = 2\n',
            "line[line-2]: meters 'b' and 'meter-2' both have unit 2",
        ),
        ('profile = "sim-carbon-meter"', 'profile = "nothing"', "line[line-1].meter[meter-1].profile: "),
        ("poll_seconds = 60", 'points = ["powr"]', "has no point 'powr'; did you mean 'power'?"),
        ("poll_seconds = 60", "poll_seconds = 901", "less than or equal to 900"),
        ('key_file = "gateway.key"', 'key_file = "none.key"', "gateway.key_file: no such file: "),
        ("[factor]", "[interval]\nminutes = 1\n[factor]", None),
        ("poll_seconds = 60", "poll_seconds = true", "poll_seconds: expected a valid integer, got True"),
        ("poll_seconds = 60", 'poll_seconds = "60"', "poll_seconds: expected a valid integer, got '60'"),
        ("poll_seconds = 60", "max_kw = 1e30", "max_kw: expected less than or equal to 1000000000, got 1E+30"),
        ("poll_seconds = 60", "rated_kw = nan", "rated_kw: expected a finite number, got NaN"),
        ("poll_seconds = 60", "rollover_kwh = 1e30", "rollover_kwh: expected kWh with at most 6 decimals"),
        ("poll_seconds = 60", "resolution_kwh = 1e-7", "resolution_kwh: expected kWh with at most 6 decimals"),
        ("poll_seconds = 60", "parameters = { ct = 5 }", "line[line-1].meter[meter-1].profile: "),
    ],
)
def test_mistakes_across_keys(site: Any, old: str, new: str, expected: str | None) -> None:
    """Doubles, unknown profiles and points, missing files."""
    path = site.configure(broker_port=1883, meter_ports=[5020, 5021])
    text = path.read_text()
    path.write_text((text.replace("rated_kw = 120\n", "") if "rated_kw" in new else text).replace(old, new))
    if expected is None:
        load_config(path)
        return
    found = problems(path)
    assert any(expected.replace("'b' and 'meter-2'", "") in p.replace("'meter-2' and 'b'", "") for p in found), found


def test_exact_decimals(site: Any) -> None:
    """No float between the file and a quantity."""
    path = site.configure(broker_port=1, meter_ports=[1], extra='default = "0.570303"')
    assert str(load_config(path).config.factor.default) == "0.570303"


def test_the_example_in_the_documentation_is_right(site: Any) -> None:
    """Every key of it exists."""
    text = (Path(__file__).parents[2] / "docs" / "agent.md").read_text("utf-8")
    example = text.split("```toml\n")[1].split("```")[0]
    for name in ("ca.pem", "centre.key.pub"):
        site.directory.joinpath(name).write_bytes(site.directory.joinpath("centre.pub").read_bytes())
    assert load_config(site.write(example)).config.find_meter("charger-1") is not None
