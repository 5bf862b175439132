"""A store with a registry and an enrolled gateway, for the receiver's tests."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cloud_receiver import database, meters
from cloud_receiver.registry import Registry

# Tests are no packages (importmode=importlib): what they share beside fixtures is found by its directory.
sys.path.insert(0, str(Path(__file__).parent))

from receiver_support import FakeGateway, enrol, station_model  # needs the path above


@pytest.fixture
def registry() -> Registry:
    return Registry(station=(station_model(),))


@pytest.fixture
def engine(tmp_path: Path, registry: Registry) -> Iterator[Engine]:
    """Open a new store with the registry entered."""
    engine = database.open_store("sqlite:///store.sqlite", tmp_path)
    database.upgrade(engine)
    with database.writing(engine) as connection:
        meters.enter_registry(connection, registry)
    yield engine
    engine.dispose()


@pytest.fixture
def gateway(engine: Engine) -> FakeGateway:
    """Enrol gateway gw1 of station S1."""
    return enrol(engine, "gw1")
