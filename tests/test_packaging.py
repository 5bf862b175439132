"""What a gateway installs and loads: no database driver, no web framework, no numpy."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"aiohttp", "alembic", "amqtt", "flask", "mako", "numpy", "rich", "sqlalchemy", "websockets"}


@pytest.mark.parametrize("name", ["agent", "receiver", "sim", "dev"])
def test_every_requirement_is_pinned_with_hashes_and_names_no_registry(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert "://" not in text
    assert "index-url" not in text
    blocks = re.split(r"\n(?=[a-z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    assert len(blocks) > 5
    for block in blocks:
        assert re.match(r"[a-zA-Z0-9._-]+==\S+ \\\n", block), block
        assert "--hash=sha256:" in block, block


def test_a_gateway_installs_nothing_heavy() -> None:
    text = (ROOT / "requirements" / "agent.txt").read_text()
    names = {match.lower() for match in re.findall(r"^([A-Za-z0-9._-]+)==", text, flags=re.MULTILINE)}
    assert {"cbor2", "pymodbus", "paho-mqtt"} <= names
    assert not names & HEAVY


def test_a_gateway_loads_nothing_heavy() -> None:
    script = (
        "import json, sys, agent.cli, agent.run_command, agent.read_command; print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert {"agent", "wire", "pymodbus"} <= loaded
    assert not loaded & HEAVY
    assert not loaded & {"cloud_receiver", "firmware_sim"}


@pytest.mark.parametrize(
    ("entry", "missing", "extra"),
    [
        ("agent.entry", "pymodbus", "agent"),
        ("agent.entry", "serial", "agent"),
        ("cloud_receiver.entry", "sqlalchemy", "receiver"),
        ("firmware_sim.entry", "serial", "sim"),
    ],
)
def test_a_program_says_which_extra_it_lacks(entry: str, missing: str, extra: str) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None; import {entry} as entry; sys.exit(entry.main())"
    command = [sys.executable, "-c", script, "scan", "tcp:127.0.0.1:9"]  # the gateway loads what it needs by command
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert f"{missing} is not installed: pip install 'diantan[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_modules_beside_the_tests_have_names_of_their_own() -> None:
    """All folders of tests are on one path: of two with a name, the first that is imported stands for both."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("*.py"))
    shared = {name for name, count in names.items() if count > 1 and not name.startswith("test_")}
    assert shared <= {"conftest.py"}
