"""A healthy bench for the tests of validation, and a centre whose store has its station."""

import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cloud_receiver.registry import Registry

sys.path.insert(0, str(Path(__file__).parent))

from receiver_support import FakeGateway  # both need the path above
from store_support import Centre, station_registry
from validation_support import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def registry() -> Registry:
    return station_registry()


@pytest.fixture
def centre(engine: Engine, gateway: FakeGateway, registry: Registry) -> Centre:
    return Centre(engine, gateway, registry)
