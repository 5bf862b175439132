"""Configurations and what is known of them, on the disk: after a power cut the state before or after, never another.

A document is written before the state that names it and removed after the state that does not.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from agent.configuration.disk import Disk, write_whole
from agent.configuration.state import Change, State, Trial, Verdict
from wire.commands import ID_BYTES, Outcome
from wire.orders import DIGEST_BYTES, MAX_DOCUMENT_BYTES

DIRECTORY: Final = "configuration"  # in the gateway's data_dir
_STATE: Final = "state.json"
_LARGEST_STATE: Final = 1 << 20
_VERSION: Final = 1


class StoredError(Exception):
    """What is stored can't be used; the text says why."""


def digest_of(document: bytes) -> bytes:
    """Return the SHA-256 by which a configuration is known."""
    return hashlib.sha256(document).digest()


class Store:
    """The configurations that the centre sent."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def load(self) -> State | None:
        """Return the state, None where none was ever stored; StoredError."""
        try:
            content = self._disk.read(_STATE, _LARGEST_STATE + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoredError(f"{DIRECTORY}/{_STATE}: can't be read: {error.strerror}") from error
        try:
            return _state(json.loads(content))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise StoredError(f"{DIRECTORY}/{_STATE}: expected what the agent writes there: {error!r}") from error

    def save(self, state: State) -> None:
        """Keep the state and the documents it names, and no others; OSError when the disk refuses."""
        write_whole(self._disk, _STATE, json.dumps(_parts(state), indent=1).encode())
        kept = {_STATE, *map(_name, state.documents)}
        # What is left of these, by a power cut or a disk that refuses, is removed the next time.
        with suppress(OSError):
            for name in self._disk.names():
                if name not in kept:
                    self._disk.remove(name)

    def document(self, digest: bytes) -> bytes:
        """Return a configuration that was sent; StoredError when it is not there as it was."""
        name = _name(digest)
        try:
            content = self._disk.read(name, MAX_DOCUMENT_BYTES + 1)
        except OSError as error:
            raise StoredError(f"{DIRECTORY}/{name}: can't be read: {error.strerror}") from error
        if digest_of(content) != digest:
            raise StoredError(f"{DIRECTORY}/{name}: is not what was sent")
        return content

    def put(self, document: bytes) -> None:
        """Keep a document until the next `save`; OSError when the disk refuses."""
        write_whole(self._disk, _name(digest_of(document)), document)


def _name(digest: bytes) -> str:
    return f"{digest.hex()}.toml"


def _parts(state: State) -> dict[str, Any]:
    trial, verdict = state.trial, state.verdict
    return {
        "version": _VERSION,
        "base": state.base.hex(),
        "versions": [digest.hex() for digest in state.versions],
        "trial": None
        if trial is None
        else {
            "versions": [digest.hex() for digest in trial.versions],
            "command": trial.command.hex(),
            "trial_s": trial.trial_s,
            "begun": trial.begun,
        },
        "verdict": None
        if verdict is None
        else {
            "command": verdict.command.hex(),
            "outcome": verdict.outcome.name,
            "text": verdict.text,
            "told": verdict.told,
        },
        "changes": [
            {
                "time_ms": change.time_ms,
                "digest": change.digest.hex(),
                "command": None if change.command is None else change.command.hex(),
                "text": change.text,
            }
            for change in state.changes
        ],
    }


def _state(parts: Mapping[str, Any]) -> State:
    if parts["version"] != _VERSION:
        raise ValueError(f"version {parts['version']!r}")
    trial, verdict = parts["trial"], parts["verdict"]
    return State(
        _digest(parts["base"]),
        tuple(map(_digest, parts["versions"])),
        None
        if trial is None
        else Trial(
            tuple(map(_digest, trial["versions"])),
            _octets(trial["command"], ID_BYTES),
            _of(int, trial["trial_s"]),
            _of(bool, trial["begun"]),
        ),
        None
        if verdict is None
        else Verdict(
            _octets(verdict["command"], ID_BYTES),
            Outcome[verdict["outcome"]],
            _of(str, verdict["text"]),
            _of(bool, verdict["told"]),
        ),
        tuple(
            Change(
                _of(int, change["time_ms"]),
                _digest(change["digest"]),
                None if change["command"] is None else _octets(change["command"], ID_BYTES),
                _of(str, change["text"]),
            )
            for change in parts["changes"]
        ),
    )


def _of(kind: Any, value: Any) -> Any:  # noqa: ANN401 - whatever the file has
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, found {value!r}")
    return value


def _digest(value: Any) -> bytes:  # noqa: ANN401 - whatever the file has
    return _octets(value, DIGEST_BYTES)


def _octets(value: Any, count: int) -> bytes:  # noqa: ANN401 - whatever the file has
    octets = bytes.fromhex(_of(str, value))
    if len(octets) != count:
        raise ValueError(f"expected {count} octets, found {len(octets)}")
    return octets
