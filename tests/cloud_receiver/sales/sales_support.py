"""A station whose orders are told, for the tests of sales."""

import json
from pathlib import Path

import pytest
from receiver_support import station_model
from sqlalchemy import Engine, select

from cloud_receiver import cli, database
from cloud_receiver.checks import load
from cloud_receiver.checks.model import Context
from cloud_receiver.registry import Registry
from cloud_receiver.sales.order import Order
from cloud_receiver.schema import charge_order

DAY_MS = 1_782_835_200_000  # 2026-07-01T00:00:00+08:00
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
SLOT_MS = 900_000
KWH = 1_000_000

REGISTRY = """
[[station]]
id = "S1"
node = "node1"
meter = [
  { id = "C01", role = "charger", gateway = "gw1", rated_kw = 60, connectors = ["K1-1", "K1-2"] },
  { id = "C02", role = "charger", gateway = "gw1", rated_kw = 60 },
  { id = "G", role = "grid", gateway = "gw1", rated_kw = 400, accuracy_class = "0.5" },
]
"""


def order(number: str = "1", start: float = 10, hours: float = 1, kwh: float = 20, **more: object) -> Order:
    """Return an order of the day; times in hours of it."""
    start_ms = DAY_MS + round(start * HOUR_MS)
    values: dict[str, object] = {
        "number": number,
        "start_ms": start_ms,
        "end_ms": start_ms + round(hours * HOUR_MS),
        "energy_mwh": round(kwh * KWH),
    }
    return Order(**(values | more))  # type: ignore[arg-type]  # a test's own values


def context_of(engine: Engine, registry: Registry | None = None) -> Context:
    """Return station S1 with the numbers of its meters."""
    with database.reading(engine) as connection:
        return load.contexts(connection, registry or Registry(station=(station_model(),)))[0]


def stored(engine: Engine) -> list[tuple[object, ...]]:
    """Return number, version, energy, source, and whether it is in force, of each stored order."""
    table = charge_order
    with database.reading(engine) as connection:
        rows = connection.execute(select(table).order_by(table.c.meter, table.c.number, table.c.version)).all()
    return [(row.number, row.version, row.energy_mwh, row.source, row.superseded_ms is None) for row in rows]


class Centre:
    """A centre in a directory, with its command."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self._capsys = capsys
        (directory / "registry.toml").write_text(REGISTRY, encoding="utf-8")
        (directory / "receiver.toml").write_text('[centre]\nkey_file = "centre.key"\n', encoding="utf-8")
        assert self.run("key", "new", str(directory / "centre.key"), plain=True)[0] == 0
        assert self.run("database", "upgrade")[0] == 0

    def run(self, *arguments: str, plain: bool = False) -> tuple[int, str, str]:
        """Run a command; return its status, and what it said on both streams."""
        config = () if plain else ("-c", str(self.directory / "receiver.toml"))
        status = cli.main([*arguments, *config])
        said = self._capsys.readouterr()
        return status, said.out, said.err

    def engine(self) -> Engine:
        """Open the store."""
        return database.open_store("sqlite:///receiver.sqlite", self.directory)

    def file(self, text: str, name: str = "orders.csv", encoding: str = "utf-8") -> str:
        """Write a file and return its path."""
        path = self.directory / name
        path.write_bytes(text.encode(encoding))
        return str(path)

    def take(self, text: str, *options: str, name: str = "orders.csv") -> tuple[int, dict[str, object]]:
        """Import a text; return the status and the report."""
        status, out, _ = self.run("sales", "import", self.file(text, name), "--station", "S1", "--json", *options)
        return status, json.loads(out)

    def stored(self) -> list[tuple[object, ...]]:
        """Return what is in the store."""
        engine = self.engine()
        try:
            return stored(engine)
        finally:
            engine.dispose()
