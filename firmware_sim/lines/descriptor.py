"""A file descriptor of a terminal or serial device, read and written without blocking."""

import asyncio
import errno
import os
from collections.abc import Callable
from typing import Final

_READ: Final = 4_096
_MOST_WAITING: Final = 1 << 16


class Descriptor:
    """Octets to and from a descriptor, which stays the caller's to close.

    Like a line it waits for nobody: what is not read from its other end is lost beyond 64 KiB.
    """

    def __init__(self, descriptor: int, receive: Callable[[bytes], None], lost: Callable[[OSError], None]) -> None:
        self._descriptor = descriptor
        self._receive = receive
        self._lost = lost
        self._waiting = bytearray()
        self._loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._read)

    def send(self, data: bytes) -> None:
        """Write octets."""
        if len(self._waiting) + len(data) > _MOST_WAITING:
            return
        self._waiting += data
        self._write()

    def close(self) -> None:
        """Read and write no more."""
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _READ)
        except BlockingIOError:
            return
        except OSError as error:
            self.close()
            self._lost(error)
            return
        if data:
            self._receive(data)
        else:
            self.close()
            self._lost(OSError(errno.ENODEV, os.strerror(errno.ENODEV)))

    def _write(self) -> None:
        try:
            del self._waiting[: os.write(self._descriptor, self._waiting)]
        except BlockingIOError:
            pass
        except OSError as error:
            self.close()
            self._lost(error)
            return
        if self._waiting:
            self._loop.add_writer(self._descriptor, self._write)
        else:
            self._loop.remove_writer(self._descriptor)
