"""What a newcomer runs first: the demonstration, with its own broker, ends well and says what came of it."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def demo(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the demonstration to its end."""
    return subprocess.run(
        [sys.executable, "-m", "demo", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=110
    )


def test_a_short_generated_day_is_shown_by_meter(tmp_path: Path) -> None:
    """Two simulated hours: a row a meter, everything acknowledged, the balance with its tolerance."""
    done = demo("--hours", "2", "--seconds", "8", "--chargers", "3", "--directory", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stderr
    for meter in ("c01", "c02", "c03", "grid"):
        row = next(line for line in done.stdout.splitlines() if f" {meter} " in line)
        intervals = re.search(r" (\d+)/96 ", row)
        assert intervals is not None, row
        assert int(intervals[1]) >= 8, row  # and those that ended while the programs were being stopped
    written, sent, acknowledged = re.search(
        r"(\d+) written 写入, (\d+) sent 发送,\s+(\d+) acknowledged", done.stdout
    ).groups()  # type: ignore[union-attr]
    assert int(written) == int(sent) == int(acknowledged) > 40
    assert "imbalance 不平衡量" in done.stdout
    assert "tolerance 允差" in done.stdout
    assert "Findings 核查发现" in done.stdout
    assert "records written" in done.stderr  # progress, a line now and then where there is no terminal


def test_a_session_file_drives_the_chargers(tmp_path: Path) -> None:
    """Real columns, one session at midnight: its energy is what the charger's meter shows."""
    sessions = tmp_path / "sessions.csv"
    sessions.write_text(
        "arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id,session_id\n"
        "2019-05-01 00:10:00-07:00,2019-05-01 03:00:00-07:00,9,3.5,CA-305,a\n"
        "2019-05-01 00:20:00-07:00,2019-05-01 03:00:00-07:00,9,2.5,CA-306,b\n"
    )
    arguments = ("--hours", "2", "--seconds", "8", "--chargers", "3", "--directory", str(tmp_path / "demo"))
    done = demo("--sessions", str(sessions), *arguments)
    assert done.returncode == 0, done.stderr
    assert "2019-05-01 (Etc/GMT+7)" in done.stdout
    energies = {
        cells[1]: float(cells[2])
        for line in done.stdout.splitlines()
        if len(cells := [cell.strip() for cell in line.split("│")]) > 4 and cells[1].startswith("c")
    }
    assert sorted(round(energy, 1) for energy in energies.values()) == [0.0, 2.5, 3.5]


def test_misuse_is_answered(tmp_path: Path) -> None:
    """A file that is not there, and a day without a file."""
    missing = demo("--sessions", str(tmp_path / "none.csv"))
    assert (missing.returncode, "can't be read" in missing.stderr) == (2, True)
    day = demo("--day", "2019-05-01")
    assert (day.returncode, "--day is for --sessions" in day.stderr) == (2, True)
