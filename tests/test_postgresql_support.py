"""The server of the tests leaves nothing behind, however they end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from postgresql_support import Server

PROGRAM = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from postgresql_support import Server
server = Server(Path(sys.argv[2]))
server.start()
if sys.argv[3] == "crashed":
    server.crash()
print(server.directory, flush=True)
time.sleep(600)
"""
WAIT_S = 60


def segments() -> set[str]:
    """Return the ids of the machine's shared memory."""
    return {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}


def users(directory: Path) -> list[int]:
    """Return the processes that were started for a cluster."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        mine = any(str(directory) in part for part in process.info["cmdline"] or ())
        if mine and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


@pytest.mark.skipif(
    # Where everything is mandatory the test runs, and fails for want of the list.
    not os.environ.get("DIANTAN_REQUIRE_ALL") and not Path("/proc/sysvipc/shm").exists(),
    reason="needs Linux's list of shared memory",
)
@pytest.mark.parametrize("state", ["running", "crashed"])
def test_tests_that_are_killed_leave_no_process_no_file_and_no_memory(state: str, postgresql_programs: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(postgresql_programs), state]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as tests:
        assert tests.stdout is not None
        directory = Path(tests.stdout.readline().strip())
        segment = (directory / "data" / "postmaster.pid").read_text().splitlines()[6].split()[1]
        assert segment in segments()
        assert users(directory)
        tests.send_signal(signal.SIGKILL)
    end = time.monotonic() + WAIT_S
    while (directory.exists() or users(directory) or segment in segments()) and time.monotonic() < end:
        time.sleep(0.02)
    assert (directory.exists(), users(directory), segment in segments()) == (False, [], False)


def test_a_cluster_that_can_not_be_made_is_told_of(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with pytest.raises(RuntimeError, match="PostgreSQL does not answer"):
        server.start()
    server.stop()
    assert not server.directory.exists()
