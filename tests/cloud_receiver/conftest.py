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

BOTH_STORES = frozenset(
    {
        "api/test_measurements.py",
        "checks/test_again.py",
        "checks/test_again_failing.py",
        "checks/test_runner.py",
        "estimation/fleet/test_nightly_fleet.py",
        "estimation/test_claims.py",
        "estimation/test_clock_ahead.py",
        "estimation/test_late_data.py",
        "estimation/test_night.py",
        "estimation/test_night_processes.py",
        "estimation/test_night_shared.py",
        "estimation/test_orders.py",
        "grid/service/test_grid_collect.py",
        "grid/service/test_grid_due.py",
        "grid/service/test_grid_tell.py",
        "grid/test_telemetry.py",
        "levels/test_stations.py",
        "levels/test_talk.py",
        "levels/test_talk_refusals.py",
        "levels/test_talk_setbacks.py",
        "metered_import/test_importing.py",
        "orders/test_outbox.py",
        "sales/test_store.py",
        "test_dispatch.py",
        "test_enrolment.py",
        "test_finding_history.py",
        "test_gateway_status.py",
        "test_intake.py",
        "test_intake_refusals.py",
        "test_intake_store_failures.py",
        "test_migrations.py",
        "test_quarantine.py",
        "test_row_counts.py",
        "test_service.py",
        "validation/test_store.py",
    }
)
"""Modules whose tests run with a store of PostgreSQL too, since what they test is in statements and locks."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of chosen modules with both kinds of stores."""
    module = metafunc.definition.path.relative_to(Path(__file__).parent).as_posix()
    if module in BOTH_STORES and not metafunc.config.getoption("store"):
        metafunc.parametrize("store_kind", ["sqlite", "postgresql"], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out tests of SQLite itself on PostgreSQL, and of SM2, which has nothing to do with it."""
    items[:] = [item for item in items if not _is_on_postgresql(item) or not _belongs_to_sqlite(item)]


def _is_on_postgresql(item: pytest.Item) -> bool:
    spec = getattr(item, "callspec", None)
    return spec is not None and spec.params.get("store_kind") == "postgresql"


def _belongs_to_sqlite(item: pytest.Item) -> bool:
    spec = getattr(item, "callspec", None)
    return item.get_closest_marker("sqlite") is not None or (spec is not None and spec.params.get("algorithm") == "sm2")


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
