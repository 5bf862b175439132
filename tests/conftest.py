"""What tests of several rooms share: free ports, a real Mosquitto, and the shared data."""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

# Tests are no packages (importmode=importlib): what all of them share beside fixtures is found by its directory.
sys.path.insert(0, str(Path(__file__).parent))

import postgresql_support  # needs the path above
from key_support import set_algorithm

from cloud_receiver import database
from wire.keys import AlgorithmName

# Nothing is timed against the wall clock: an example may take long on a busy machine.
settings.register_profile("diantan", deadline=None)
settings.load_profile("diantan")

# Whoever is started in the background of a shell has SIGINT ignored, and what he starts has it too: programs that are
# interrupted in tests shall hear it all the same.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REQUIRE_ALL = bool(os.environ.get("DIANTAN_REQUIRE_ALL"))


@pytest.fixture(autouse=True)
def _own_log_handlers() -> Iterator[None]:
    """Take back the log handlers that a command line installed in this process: their stream ends with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def algorithm(request: pytest.FixtureRequest) -> Iterator[AlgorithmName]:
    """Let every key of the test be of one algorithm: the parameter, else Ed25519 (see key_support)."""
    name: AlgorithmName = getattr(request, "param", "ed25519")
    former = set_algorithm(name)
    yield name
    set_algorithm(former)


def _absent(what: str) -> None:
    """Skip on a laptop; fail where everything is mandatory (continuous integration)."""
    if REQUIRE_ALL:
        pytest.fail(f"{what}, and DIANTAN_REQUIRE_ALL is set")
    pytest.skip(what)


def free_port() -> int:
    """Return a TCP port on loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Broker:
    """A running Mosquitto."""

    host: str
    port: int
    directory: Path
    process: subprocess.Popen[bytes]


def _await_port(host: str, port: int, process: subprocess.Popen[bytes], limit_s: float = 10) -> None:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the broker ended with {process.returncode} before it listened on {port}")
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail(f"the broker did not listen on {port} within {limit_s} s")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    """Start a real Mosquitto on a free loopback port, anonymous, without persistence."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        _absent("mosquitto is not installed")
    assert program is not None
    directory = tmp_path / "mosquitto"
    directory.mkdir()
    port = free_port()
    config = directory / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\n")
    with subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            _await_port("127.0.0.1", port, process)
            yield Broker("127.0.0.1", port, directory, process)
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def amqtt_port() -> Iterator[int]:
    """Run the demonstration's broker (MQTT 3.1.1 only) in its own process, since it leaves sockets open."""
    port = free_port()
    command = [sys.executable, "-m", "demo.broker", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[1]) as process:
        try:
            _await_port("127.0.0.1", port, process)
            yield port
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the shared data directory (DIANTAN_SHARED, default ../shared)."""
    directory = Path(os.environ.get("DIANTAN_SHARED", "../shared"))
    if not (directory / "data").is_dir():
        _absent(f"no shared data at {directory}")
    return directory


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let every test that opens a store take one of PostgreSQL: `--store postgresql`."""
    parser.addoption("--store", choices=["sqlite", "postgresql"], help="the one kind of store for all tests of stores")


@pytest.fixture(scope="session")
def postgresql_programs() -> Path:
    """Return where PostgreSQL's programs are."""
    programs = postgresql_support.find_programs()
    if programs is None:
        _absent("PostgreSQL is not installed")
    assert programs is not None
    return programs


@pytest.fixture(scope="session")
def postgresql_server(postgresql_programs: Path) -> Iterator[postgresql_support.Server]:
    """Run a PostgreSQL, without care for its data, for all tests of this process."""
    with postgresql_support.running(postgresql_programs) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_durable(postgresql_programs: Path) -> Iterator[postgresql_support.Server]:
    """Run a PostgreSQL that writes as one in operation does, and that tests may kill."""
    with postgresql_support.running(postgresql_programs, durable=True) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: postgresql_support.Server) -> str:
    """Return a database with the newest schema."""
    return postgresql_support.make_template(postgresql_server)


@pytest.fixture
def postgresql_stores(
    postgresql_server: postgresql_support.Server, postgresql_template: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[postgresql_support.Stores]:
    """Let databases stand for the SQLite files that the test opens."""
    stores = postgresql_support.Stores(postgresql_server, postgresql_template)
    monkeypatch.setattr(database, "open_store", stores.open_store)
    yield stores
    stores.close()


@pytest.fixture(autouse=True)
def store_kind(request: pytest.FixtureRequest) -> str:
    """Let stores be of a kind: the parameter (see tests/cloud_receiver/conftest.py), else the option's, else SQLite."""
    kind: str = getattr(request, "param", None) or request.config.getoption("store") or "sqlite"
    if request.node.get_closest_marker("sqlite") is not None:
        kind = "sqlite"
    if kind == "postgresql":
        request.getfixturevalue("postgresql_stores")
    return kind


@pytest.fixture
def store_address(store_kind: str, request: pytest.FixtureRequest) -> Callable[[Path], str]:
    """Return how `centre.database` names the store in a file of the data directory, or what stands for it."""
    if store_kind == "sqlite":
        return lambda file: f"sqlite:///{file.name}"
    stores: postgresql_support.Stores = request.getfixturevalue("postgresql_stores")
    return stores.address
