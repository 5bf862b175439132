"""A real Mosquitto with the configuration of deploy/mosquitto, and an authority made by its script."""

import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from broker_support import DEPLOY, SecureBroker  # needs the path above


@pytest.fixture(scope="session")
def certificates() -> ModuleType:
    """Import deploy/mosquitto/certificates.py, which is a program and in no package."""
    spec = importlib.util.spec_from_file_location("certificates", DEPLOY / "certificates.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["certificates"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def issue(certificates: ModuleType, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run certificates.py; the command must succeed, and its answer is returned."""

    def run(*arguments: object) -> str:
        assert certificates.main([str(item) for item in arguments]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return run


@pytest.fixture
def authority(tmp_path: Path, issue: Callable[..., str]) -> Path:
    """Make an authority with certificates for a broker on loopback, the centre and gateways gw1 and gw2."""
    directory = tmp_path / "authority"
    issue("--directory", directory, "ca")
    issue("--directory", directory, "broker", "127.0.0.1", "localhost")
    issue("--directory", directory, "centre")
    for name in ("gw1", "gw2"):
        issue("--directory", directory, "gateway", name)
    return directory


@pytest.fixture
def start_broker(mosquitto: Any, tmp_path: Path, authority: Path) -> Iterator[Callable[..., SecureBroker]]:
    """Return a function that starts the deployed configuration, with lines of it replaced where a test says so."""
    program = mosquitto.process.args[0]
    running: list[SecureBroker] = []

    def start(acl: Path = DEPLOY / "diantan.acl", **changes: str) -> SecureBroker:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        data = tmp_path / "data"
        data.mkdir(exist_ok=True)
        text = (DEPLOY / "mosquitto.conf").read_text()
        lines = {key: next(line for line in text.splitlines() if line.startswith(f"{key} ")) for key in changes}
        replaced = {
            **{lines[key]: value for key, value in changes.items()},
            "pid_file /run/mosquitto/mosquitto.pid": "",
            "log_dest syslog": f"log_dest file {tmp_path}/broker.log",
            "listener 8883": f"listener {port} 127.0.0.1",
            "persistence_location /var/lib/mosquitto/": f"persistence_location {data}/",
            "acl_file /etc/mosquitto/diantan/diantan.acl": f"acl_file {acl}",
            "/etc/mosquitto/diantan/": f"{authority}/",
        }
        for old, new in replaced.items():
            assert old in text, old
            text = text.replace(old, new)
        if os.geteuid() == 0:
            text += "user root\n"  # else it becomes the user mosquitto, who can't read the test's directory
        config = tmp_path / "deployed.conf"
        config.write_text(text)
        process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
        broker = SecureBroker(port, authority, tmp_path / "broker.log", process)
        running.append(broker)
        broker.await_port()
        return broker

    yield start
    for broker in running:
        broker.stop()


@pytest.fixture
def broker(start_broker: Callable[..., SecureBroker]) -> SecureBroker:
    """Start the deployed configuration as it is."""
    return start_broker()
