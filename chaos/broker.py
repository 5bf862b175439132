"""A real Mosquitto, with or without persistence, that can be killed and wiped."""

import getpass
import shutil
import socket
import subprocess
from pathlib import Path

SEARCHED = "/usr/sbin:/usr/local/sbin"  # Debian installs it where a user's PATH does not look
_STOP_S = 10


class NoBrokerError(RuntimeError):
    """Mosquitto is not installed."""


class Mosquitto:
    """A broker on a loopback port that stays the same over its lives."""

    def __init__(self, directory: Path) -> None:
        """NoBrokerError where there is no Mosquitto."""
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path=SEARCHED)
        if program is None:
            raise NoBrokerError("mosquitto is not installed; on Debian: apt-get install mosquitto")
        self._program = program
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()

    def start(self, *, persistent: bool) -> None:
        """Start it; the caller waits for `listens`."""
        store = self._directory / "store"
        store.mkdir(parents=True, exist_ok=True)
        config = self._directory / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser {getpass.getuser()}\nlog_type error\n"
            f"max_queued_messages 0\npersistence {str(persistent).lower()}\npersistence_location {store}/\n"
            "autosave_interval 1\n"
        )
        with (self._directory / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([self._program, "-c", str(config)], stdout=log, stderr=log)

    @property
    def listens(self) -> bool:
        """Whether it accepts connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_STOP_S)

    def wipe(self) -> None:
        """Forget what it had stored; not while it runs."""
        shutil.rmtree(self._directory / "store", ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
