"""The gateway's own file (本地配置): the one that the command line names, which nobody writes but people."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from agent.config_file import Loaded, check_document, check_file, read_document
from agent.configuration.disk import Directory
from agent.configuration.store import DIRECTORY, Store, digest_of
from settings.errors import ConfigError
from settings.files import toml_of


@dataclass(frozen=True, slots=True)
class BaseFile:
    """What the file had when it was read: once in the life of a process, as with every other program."""

    path: Path
    content: bytes
    digest: bytes
    data_dir: Path
    loaded: Loaded | ConfigError
    """What is wrong with it matters only where it is in force."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read it; ConfigError where it does not even say where data_dir is."""
        content = read_document(path)
        loaded: Loaded | ConfigError
        try:
            loaded = check_file(path, content)
        except ConfigError as error:
            data_dir, loaded = _data_dir(path, content), error
            if data_dir is None:
                raise
        else:
            data_dir = loaded.config.gateway.data_dir
        return cls(path, content, digest_of(content), data_dir, loaded)

    @property
    def store(self) -> Store:
        """Return where the configurations are that the centre sent."""
        return Store(Directory(self.data_dir / DIRECTORY))

    def check(self, document: bytes) -> Loaded:
        """Return a document as if it stood in this file's place; ConfigError, which names no file."""
        return check_document(document, self.path.absolute().parent)


def _data_dir(path: Path, content: bytes) -> Path | None:
    with suppress(ConfigError, KeyError, TypeError):
        return path.absolute().parent / str(toml_of(content)["gateway"]["data_dir"])
    return None
