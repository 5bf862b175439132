"""What draws the truth shares no code with what estimates it: it loads neither core nor any of the programs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ESTIMATOR = {"diantan_core", "cloud_receiver", "agent", "firmware_sim", "wire"}


@pytest.mark.parametrize("name", ["sites", "readings", "voltages", "recorded"])
def test_the_generator_of_truth_loads_nothing_of_the_estimator(name: str) -> None:
    script = f"import sys, bench.estimation.{name}; print(*{{each.partition('.')[0] for each in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stdout.split())
    assert "bench" in loaded
    assert not loaded & ESTIMATOR
