"""The configuration in force as other commands see it, also while the gateway runs: nothing is changed here."""

from dataclasses import dataclass
from pathlib import Path

from agent.commands.output import say
from agent.config_file import Loaded
from agent.configuration.base import BaseFile
from agent.configuration.state import State
from agent.configuration.store import StoredError
from settings.errors import ConfigError


@dataclass(frozen=True, slots=True)
class InForce:
    """What counts, and where it comes from."""

    base: BaseFile
    state: State
    digest: bytes
    document: bytes
    loaded: Loaded
    problems: tuple[str, ...]
    """Why what should be in force can't be."""

    @property
    def is_sent(self) -> bool:
        """Return whether it is the centre's, or a return to the gateway's own file that the centre has on trial."""
        return bool(self.state.versions) or self.state.on_trial is not None

    def as_json(self) -> dict[str, object]:
        """Return all of it for machines; digests are SHA-256, hexadecimal."""
        state, trial = self.state, self.state.trial
        kind = "on_trial" if state.on_trial is not None else "sent" if state.versions else "file"
        return {
            "state": kind,
            "digest": self.digest.hex(),
            "previous": None if state.before is None else state.before.hex(),
            "file": str(self.base.path),
            "file_digest": self.base.digest.hex(),
            "versions": [digest.hex() for digest in state.versions],
            "trial": None
            if trial is None
            else {"command": trial.command.hex(), "trial_s": trial.trial_s, "begun": trial.begun},
            "problems": list(self.problems),
            "document": self.document.decode(errors="replace"),
        }

    def lines(self) -> list[str]:
        """Return it for people, without the document."""
        state, path = self.state, self.base.path
        if state.on_trial is not None:
            where = f"on trial, over {path}"
        elif state.versions:
            where = f"sent by the centre, over {path}"
        else:
            where = f"the gateway's own file, {path}"
        found = [f"in force: {self.digest.hex()}, {where}"]
        if state.before is not None:
            own = ", the gateway's own file" if state.before == self.base.digest else ""
            found.append(f"before it: {state.before.hex()}{own}")
        if state.trial is not None and not state.trial.begun:
            found.append(f"to be tried at the next start, by command {state.trial.command.hex()}")
        return found


def in_force(path: Path) -> InForce:
    """Return what is in force where the command line names the file at `path`; ConfigError where nothing can be.

    That is the file itself, unless the centre sent another configuration over this very content of it.
    """
    base = BaseFile.read(path)
    problems: list[str] = []
    state = None
    try:
        state = base.store.load()
    except StoredError as error:
        problems.append(str(error))
    if state is None or state.base != base.digest:
        state = State(base.digest)
    for digest in state.candidates:
        try:
            document = base.content if digest == base.digest else base.store.document(digest)
            loaded = base.loaded if digest == base.digest else base.check(document)
        except (StoredError, ConfigError) as error:
            problems += error.problems if isinstance(error, ConfigError) else (str(error),)
            continue
        if isinstance(loaded, Loaded):
            return InForce(base, state, digest, document, loaded, tuple(problems))
    assert isinstance(base.loaded, ConfigError)  # the last candidate is the file itself
    raise base.loaded


def loaded_in_force(path: Path) -> Loaded:
    """Return the configuration in force for another command, which says on standard error what is wrong with it."""
    found = in_force(path)
    say(*found.problems)
    return found.loaded
