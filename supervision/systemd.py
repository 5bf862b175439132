"""Telling systemd how the program is, by sd_notify(3) and sd_watchdog_enabled(3)."""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Final

log = logging.getLogger("diantan.systemd")

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
WATCHDOG: Final = "WATCHDOG=1"
_FEEDS: Final = 4  # times in a watchdog period: systemd advises at least two


class Notifier:
    """Says what is to be said, to nobody where systemd did not start the program."""

    def __init__(self, address: str = "", watchdog_s: float | None = None) -> None:
        """`address` is a path, or an abstract name behind an @; `watchdog_s` is how long may pass between two feeds."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = watchdog_s

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, pid: int | None = None) -> "Notifier":
        """Return the notifier that systemd asked for; a watchdog meant for another process is none of ours."""
        meant_for = environment.get("WATCHDOG_PID", "")
        micros = environment.get("WATCHDOG_USEC", "")
        mine = not meant_for or meant_for == str(os.getpid() if pid is None else pid)
        period = int(micros) / 1e6 if mine and micros.isdecimal() and int(micros) > 0 else None
        return cls(environment.get("NOTIFY_SOCKET", ""), period)

    def tell(self, *messages: str) -> None:
        """Send the messages as one datagram; one that can't be sent is logged, and no reason to stop."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.settimeout(0)  # systemd's queue may be full
                channel.connect(self._address)
                channel.send("\n".join(messages).encode())
        except OSError as error:
            log.warning("systemd was not told %s: %s", messages[0], error, extra={"about": "systemd"})


class Movement:
    """Whether something still moves: what is watched shows a mark that changes as long as it does."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._mark: Hashable = object()
        self._since_s = 0.0

    def lasts(self, mark: Hashable, now_s: float) -> bool:
        """Look at the mark; return False when it has been the same for longer than the patience."""
        if mark != self._mark:
            self._mark, self._since_s = mark, now_s
        return now_s - self._since_s <= self._patience_s


async def feed(
    notifier: Notifier,
    trouble: Callable[[], str | None],
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Feed the watchdog while there is no trouble, until cancelled; trouble is logged when it begins and changes."""
    period = notifier.watchdog_s
    told: str | None = None
    while period is not None:
        found = trouble()
        if found is None:
            notifier.tell(WATCHDOG)
        elif found != told:
            log.error("the watchdog is not fed: %s", found)
        told = found
        await sleep(period / _FEEDS)
