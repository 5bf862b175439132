"""Which charger an order is of, and names that would mean two."""

from pathlib import Path

import pytest

from cloud_receiver import registry
from cloud_receiver.checks.model import Context
from cloud_receiver.registry import Registry
from cloud_receiver.sales.chargers import Chargers
from settings.errors import ConfigError

MOVED_MS = 1_782_864_000_000  # 2026-07-01T00:00:00Z
STATION = """
[[station]]
id = "S1"
node = "n"
meter = [
  { id = "C01", role = "charger", gateway = "g1", rated_kw = 6, connectors = ["A", "B"], until = 2026-07-01T00:00:00Z },
  { id = "C01", role = "charger", gateway = "g2", rated_kw = 60, connectors = ["A"], since = 2026-07-01T00:00:00Z },
  { id = "C02", role = "charger", gateway = "g1", rated_kw = 60, connectors = ["C"] },
  { id = "G", role = "grid", gateway = "g1", rated_kw = 400 },
]
"""


def load(tmp_path: Path, text: str) -> Registry:
    path = tmp_path / "registry.toml"
    path.write_text(text, encoding="utf-8")
    return registry.load(path)


def test_names_find_the_charger_that_was_in_service(tmp_path: Path) -> None:
    (station,) = load(tmp_path, STATION).station
    found = Chargers(Context(1, station, dict(enumerate(station.meter, 1)), {}))
    assert found.find(["C01"], MOVED_MS - 1) == 1
    assert found.find(["C01"], MOVED_MS) == 2
    assert found.find(["B"], MOVED_MS) == 1
    assert found.find(["nothing", "C"], 0) == 3
    assert found.find(["G"], 0) is None
    assert found.only is None
    assert found.known() == "C01, A, B, C02, C"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (('["C"]', '["A"]'), "'A' is C02 as well, expected one charger"),
        (('["C"]', '["C01"]'), "'C01' is C02 as well"),
        (("rated_kw = 400", 'rated_kw = 400, connectors = ["X"]'), "of chargers only, found a grid meter"),
        (("rated_kw = 400", "rated_kw = 400, order_class_percent = 1"), "of chargers only, found a grid meter"),
    ],
)
def test_names_that_mean_two_chargers_are_mistakes(tmp_path: Path, change: tuple[str, str], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, STATION.replace(*change))
    assert text in str(caught.value)
