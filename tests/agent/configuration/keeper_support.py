"""A disk that can lose what was not synced and refuse to write, and a gateway's own file that is cheap to check."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.configuration.base import BaseFile
from agent.configuration.keeper import Chosen, Keeper
from agent.configuration.store import Store, digest_of
from settings.errors import ConfigError

COMMAND = b"c" * 16


class PowerCutError(BaseException):
    """The power went off: nobody catches this."""


@dataclass
class ModelDisk:
    """Files as a file system has them: content and names reach the disk apart, names only for certain by `sync`.

    After a cut, each change of a name since the last sync is there or not, whatever the others are; the file that was
    being written holds anything.
    """

    durable: dict[str, bytes] = field(default_factory=dict)
    visible: dict[str, bytes] = field(default_factory=dict)
    unsynced: list[tuple[str, bytes | None]] = field(default_factory=list)  # name, content or None: removed
    steps_left: int | None = None  # until the power goes off
    steps: int = 0
    full: str | None = None  # the beginning of the names that it refuses to write

    def _step(self) -> None:
        self.steps += 1
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise PowerCutError

    def names(self) -> Sequence[str]:
        return list(self.visible)

    def read(self, name: str, largest: int) -> bytes:
        if name not in self.visible:
            raise FileNotFoundError(2, "No such file or directory", name)
        return self.visible[name][:largest]

    def write(self, name: str, content: bytes) -> None:
        # Emptied first, then filled: on the way any part of it, or nothing sensible, stands there.
        for part in (b"", content[: len(content) // 2], b"\0" * len(content)):
            self._put(name, part)
            self._step()
            if self.full is not None and name.startswith(self.full):
                raise OSError(28, "No space left on device", name)
        self._put(name, content)
        self._step()

    def _put(self, name: str, content: bytes) -> None:
        self.visible[name] = content
        if name in self.durable:
            self.durable[name] = content  # the file that has the name is the one that is written
        self.unsynced = [(other, old) for other, old in self.unsynced if other != name or old is None]
        self.unsynced.append((name, content))

    def rename(self, old: str, new: str) -> None:
        self._step()
        content = self.visible.pop(old)
        self.visible[new] = content
        self.unsynced += [(new, content), (old, None)]
        self._step()

    def remove(self, name: str) -> None:
        self._step()
        del self.visible[name]
        self.unsynced.append((name, None))

    def sync(self) -> None:
        self._step()
        self.durable = dict(self.visible)
        self.unsynced = []
        self._step()

    def cut(self, chance: random.Random) -> None:
        """Lose what was not synced, or some of it."""
        share = chance.choice((0.0, 0.5, 1.0))
        for name, content in self.unsynced:
            if chance.random() < share:
                if content is None:
                    self.durable.pop(name, None)
                else:
                    self.durable[name] = content
        self.visible = dict(self.durable)
        self.unsynced, self.steps_left = [], None


@dataclass(frozen=True, slots=True)
class CheapBase(BaseFile):
    """Whatever begins with "bad" is no configuration."""

    def check(self, document: bytes) -> Any:
        if document.startswith(b"bad fault"):
            raise ZeroDivisionError
        if document.startswith(b"bad"):
            raise ConfigError([f"{document!r} is bad"])
        return document


def base(content: bytes = b"base") -> CheapBase:
    """Return the gateway's own file with a content."""
    loaded: Any = ConfigError([f"{content!r} is bad"]) if content.startswith(b"bad") else content
    return CheapBase(Path("agent.toml"), content, digest_of(content), Path("data"), loaded)


def started(disk: ModelDisk, own: CheapBase | None = None) -> tuple[Keeper, Chosen]:
    """Start a process: what it chose, loaded and by digest, is one and the same configuration."""
    keeper = Keeper(own or base(), Store(disk), lambda: 1000)
    return keeper, chosen(keeper)


def chosen(keeper: Keeper) -> Chosen:
    """Start the gateway within a process."""
    found = keeper.choose()
    document: Any = found.loaded
    assert digest_of(document) == found.digest == keeper.state.in_force
    assert keeper.document() == document
    return found


def confirmed(keeper: Keeper, document: bytes, command: bytes = COMMAND) -> None:
    """Have a configuration tried, and the centre answer."""
    keeper.propose(document, command, 60)
    chosen(keeper)
    keeper.confirm()
