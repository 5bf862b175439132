"""The commands that docs/profiles.md proposes, with its own examples: checked, served and read, as processes."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text("utf-8")
EXAMPLES = {
    re.search(r'model = "(\w+)"', text)[1].lower(): text
    for text in re.findall(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL)
    if "[meter]" in text  # not the section of an order log alone
}
PROGRAMS = {"diantan-sim": "firmware_sim.cli", "diantan-agent": "agent.cli"}
LIMIT_S = 60


def proposed(program: str, name: str) -> list[str]:
    """Return the arguments that the page proposes for an example."""
    (line,) = re.findall(rf"^{program} (.*{name}\.toml.*)$", TEXT, flags=re.MULTILINE)
    return str(line).split()


@pytest.fixture(params=sorted(EXAMPLES))
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Write an example where the commands run."""
    (tmp_path / f"{request.param}.toml").write_text(EXAMPLES[request.param])
    return str(request.param)


@contextmanager
def served(arguments: list[str], directory: Path) -> Iterator[int]:
    """Serve a meter on a free port, and return that."""
    ready = directory / "ready.json"
    arguments[arguments.index("--port") + 1] = "0"
    command = [sys.executable, "-m", PROGRAMS["diantan-sim"], *arguments, "--ready-file", str(ready)]
    with subprocess.Popen(command, cwd=directory, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + LIMIT_S
            while not ready.exists() or not ready.read_text():
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    pytest.fail(f"not ready: {process.communicate()[1]}")
                time.sleep(0.02)
            (meter,) = json.loads(ready.read_text())["meters"]
            yield int(meter["port"])
        finally:
            process.kill()


def run(arguments: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", PROGRAMS["diantan-agent"], *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def test_an_example_is_served_and_read_by_the_commands_of_the_page(name: str, tmp_path: Path) -> None:
    with served(proposed("diantan-sim", name), tmp_path) as port:
        arguments = proposed("diantan-agent", name)
        place = arguments.index("--line") + 1
        arguments[place] = re.sub(r"\d+$", str(port), arguments[place])
        done = run([*arguments, "--json"], tmp_path)
    assert done.returncode == 0, done.stderr
    values = {item["point"]: item["value"] for item in json.loads(done.stdout)}
    assert values["voltage_a"] == 220_000
    assert values["power"] == 7_000_000
    assert values["energy_forward"] >= 0


def test_an_example_passes_the_check_and_a_mistake_in_it_does_not(name: str, tmp_path: Path) -> None:
    done = run(["profile", "check", f"{name}.toml"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "energy_forward" in done.stdout
    wrong = EXAMPLES[name].replace('unit = "kWh"', 'unit = "kwh"')
    (tmp_path / f"{name}.toml").write_text(wrong)
    done = run(["profile", "check", f"{name}.toml"], tmp_path)
    assert done.returncode == 2
    assert f"{name}.toml: points.energy_forward.unit: expected one of mWh, Wh, kWh, MWh" in done.stderr
