"""The configuration of a centre that has a site's store, for what is said on the command line."""

from pathlib import Path

from clock import SystemClock

_STATION = """
[[station]]
id = "S1"
name = "East car park"
node = "node1"
"""
_METER = """
[[station.meter]]
id = "{0}"
role = "{1}"
gateway = "gw1"
rated_kw = {2}
accuracy_class = "{3}"
"""
_RECEIVER = """
[centre]
key_file = "centre.key"
database = "sqlite:///store.sqlite"
[estimation]
days = {0}
"""


def write_files(directory: Path, *, days: int, chargers: int = 3) -> Path:
    """Write receiver.toml and the registry of `station_model(chargers)` beside the store; return the former."""
    meters = [*((f"C{number:02}", "charger", 60, 1) for number in range(1, chargers + 1)), ("G", "grid", 400, 0.5)]
    (directory / "registry.toml").write_text(_STATION + "".join(_METER.format(*item) for item in meters))
    path = directory / "receiver.toml"
    path.write_text(_RECEIVER.format(days))
    return path


def options_at(path: Path, time_ms: int) -> list[str]:
    """Return the options of a command with that configuration at a time."""
    return ["--config", str(path), "--clock", f"simulated:{time_ms}:1:{SystemClock().monotonic_ms()}"]
