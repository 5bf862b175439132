"""A line on a pseudo-terminal (pty): to the program that opens it, a serial port with meters on it."""

import logging
import os
import tty
from pathlib import Path
from typing import Any

from firmware_sim.lines.descriptor import Descriptor
from firmware_sim.lines.line import Line, Session
from firmware_sim.lines.port import PortError

log = logging.getLogger(__name__)


class PtyPort:
    """A pair of pseudo-terminals; `path`, where given, is a symbolic link to the one that the master opens."""

    def __init__(self, line: Line, path: Path | None = None) -> None:
        self._line = line
        self._link = path
        self._ends: tuple[int, int] | None = None
        self._descriptor: Descriptor | None = None
        self._session: Session | None = None
        self._terminal = ""
        self.path = ""

    async def start(self) -> None:
        """Make the pair; PortError when the link can't be made."""
        ours, theirs = os.openpty()
        # Our own hold on their end keeps the pair alive between two masters.
        self._ends = (ours, theirs)
        tty.setraw(theirs)
        self.path = self._terminal = os.ttyname(theirs)
        if self._link is not None:
            try:
                self._make_link(self._link)
            except OSError as error:
                await self.stop()
                raise PortError(f"can't make the link {self._link} to a pty: {error.strerror or error}") from None
        self._descriptor = Descriptor(ours, self._receive, self._lost)
        self._session = self._line.open(self._descriptor.send)

    def _make_link(self, link: Path) -> None:
        # One that an earlier run left behind is replaced; anything else in its place is somebody's file.
        if link.is_symlink():
            link.unlink()
        link.symlink_to(self.path)
        self.path = str(link)

    async def stop(self) -> None:
        """Take the pair and its link away."""
        if self._session is not None:
            self._session.close()
        if self._descriptor is not None:
            self._descriptor.close()
        for end in self._ends or ():
            os.close(end)
        link = self._link
        # Another run may have put its own link there meanwhile.
        if link is not None and link.is_symlink() and str(link.readlink()) == self._terminal:
            link.unlink()
        self._ends = self._descriptor = self._session = None

    def where(self) -> dict[str, Any]:
        """Return transport and path."""
        return {"transport": "pty", "path": self.path}

    def _receive(self, data: bytes) -> None:
        if self._session is not None:
            self._session.receive(data)

    def _lost(self, error: OSError) -> None:
        log.error("line %s: %s: %s", self._line.name, self.path, error.strerror or error)
