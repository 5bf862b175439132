"""Replies on their way to the centre, one at a time; those that the link loses go again when it is back."""

import asyncio
from collections.abc import Callable
from typing import Final

from agent.journal_schema import StorageFullError
from agent.logs import log
from agent.uplink import Publisher
from agent.writer import JournalWriter
from wire.connection import LinkError
from wire.envelope import Signer

MOST: Final = 256  # that wait for the link; the centre repeats a command whose reply did not come
_QOS: Final = 1


class Outbox:
    """Sends what the journal, or the memory, has for a command."""

    def __init__(
        self,
        topic: str,
        link: Publisher,
        signer: Signer,
        writer: JournalWriter,
        *,
        unwritten: Callable[[bytes], bytes | None],
    ) -> None:
        """`unwritten` returns the payload of a reply that is not on the disk yet."""
        self._topic = topic
        self._link = link
        self._signer = signer
        self._writer = writer
        self._unwritten = unwritten
        self._waiting: dict[bytes, bytes | None] = {}  # by the command's id: a payload that is kept nowhere else
        self._wake = asyncio.Event()

    def put(self, command: bytes, payload: bytes | None = None) -> None:
        """Have the reply to a command sent: this one, or the one that is kept."""
        if command in self._waiting or len(self._waiting) < MOST:
            self._waiting[command] = payload
            self._wake.set()

    def connected(self) -> None:
        """Look again: the link is (back) up."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting and self._link.connected and await self._send():
                pass

    async def _send(self) -> bool:
        """Send the first; return whether to go on."""
        command = next(iter(self._waiting))
        payload = self._waiting.pop(command)
        try:
            found = payload or self._unwritten(command) or await self._writer.call(self._writer.journal.reply, command)
        except StorageFullError as error:
            log.error("a reply can't be read: %s", error, extra={"about": "commands"})
            return True  # the command comes again
        if found is None:
            return True
        try:
            await self._link.publish(self._topic, self._signer.sign(found, self._topic), _QOS)
        except LinkError as error:
            log.debug("reply not taken by the broker: %s", error)
            self._waiting.setdefault(command, payload)
            return False
        return True
