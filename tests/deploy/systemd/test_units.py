"""The units of systemd: what they must say, that systemd understands them, and how much they leave exposed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNITS = ROOT / "deploy" / "systemd"
PROGRAMS = ("agent", "receiver")


def unit(program: str) -> dict[str, dict[str, list[str]]]:
    """Return the values by section and key, in their order; every line is a section, a comment or an assignment."""
    sections: dict[str, dict[str, list[str]]] = {}
    current: dict[str, list[str]] = {}
    for line in (UNITS / f"diantan-{program}.service").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if match := re.fullmatch(r"\[(\w+)\]", line):
            assert match[1] not in sections
            current = sections[match[1]] = {}
            continue
        assignment = re.fullmatch(r"(\w+)=(.*)", line)
        assert assignment, line
        current.setdefault(assignment[1], []).append(assignment[2])
    return sections


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        ("Restart", "always"),
        ("RestartPreventExitStatus", "2"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("DevicePolicy", "closed"),
        ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),
        ("UMask", "0077"),
        ("StateDirectoryMode", "0700"),
    ],
)
def test_both_services_are_watched_restarted_and_confined(program: str, key: str, value: str) -> None:
    assert unit(program)["Service"][key] == [value]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_service_runs_its_program_as_its_own_user_in_its_own_directory(program: str) -> None:
    service = unit(program)["Service"]
    (command,) = service["ExecStart"]
    assert command.split()[0].endswith(f"/bin/diantan-{program}")
    assert f'diantan-{program} = "' in (ROOT / "pyproject.toml").read_text()
    assert command.split()[1:] == ["run", "--log", "json"]
    name = f"diantan-{program}"
    assert service["User"] == service["Group"] == service["StateDirectory"] == [name]
    assert service["WorkingDirectory"] == [f"/var/lib/{name}"]
    assert re.search(rf"^u {name} +- ", (UNITS / "diantan.sysusers.conf").read_text(), flags=re.MULTILINE)
    (variable,) = service["Environment"]
    key, path = variable.split("=")
    sources = (ROOT / "agent" / "commands" / "options.py", ROOT / "cloud_receiver" / "cli.py")
    assert any(f'"{key}"' in source.read_text() for source in sources)
    assert path == f"/etc/diantan/{program}.toml"


def test_the_watchdog_leaves_time_for_what_is_legitimate() -> None:
    assert unit("agent")["Service"]["WatchdogSec"] == ["60"]
    # Three parts of the receiver wait up to 5 s each for a lock, one after the other, between two feeds of 30 s.
    assert int(unit("receiver")["Service"]["WatchdogSec"][0]) * 3 // 4 > 3 * 5


def test_a_service_never_gives_up() -> None:
    assert all(unit(program)["Unit"]["StartLimitIntervalSec"] == ["0"] for program in PROGRAMS)


def test_the_agent_reaches_serial_ports_and_can_ask_for_the_state_of_the_clock() -> None:
    """ProtectClock would forbid adjtimex, and no clock would ever count as synchronised."""
    service = unit("agent")["Service"]
    assert service["SupplementaryGroups"] == ["dialout"]
    assert {"char-ttyS rw", "char-ttyUSB rw", "char-ttyACM rw"} <= set(service["DeviceAllow"])
    assert "PrivateDevices" not in service
    assert "ProtectClock" not in service
    # @privileged contains @clock: what is allowed must stand behind it.
    assert service["SystemCallFilter"][0] == "@system-service"
    assert service["SystemCallFilter"][-1] == "adjtimex clock_adjtime clock_adjtime64"


def test_the_receiver_has_no_devices_and_reads_its_schedule_on_reload() -> None:
    service = unit("receiver")["Service"]
    assert service["PrivateDevices"] == ["yes"]
    assert service["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_processes_that_the_receiver_starts_may_be_nicer_than_it() -> None:
    """@resources contains setpriority: what is allowed must stand behind it."""
    assert unit("receiver")["Service"]["SystemCallFilter"][-1] == "setpriority"


@pytest.fixture
def installed(tmp_path: Path) -> list[Path]:
    """Return the units with a program that is there in the place of ours."""
    result = []
    for program in PROGRAMS:
        path = tmp_path / f"diantan-{program}.service"
        text = (UNITS / path.name).read_text()
        path.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
        result.append(path)
    return result


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_systemd_understands_the_units(installed: list[Path]) -> None:
    done = analyze("verify", "--man=no", *map(str, installed))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_key_that_systemd_does_not_know_would_be_noticed(installed: list[Path]) -> None:
    text = installed[0].read_text()
    installed[0].write_text(text.replace("ProtectHome=", "ProtectHouse="))
    assert "ProtectHouse" in analyze("verify", "--man=no", str(installed[0])).stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_little_is_left_exposed(program: str, installed: list[Path]) -> None:
    """From 0 to 10 by systemd's own measure; a service without any of it has 9.6."""
    path = next(path for path in installed if program in path.name)
    done = analyze("security", "--offline=true", "--no-pager", "--threshold=20", str(path))
    assert done.returncode == 0, done.stdout[-300:]
