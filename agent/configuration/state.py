"""What is known of the configurations that the centre sent, and how that changes; nothing here touches a disk.

`versions` are those that stayed, oldest first: the last of them is in force, and where there is none the gateway's own
file, which lies below them all. A *trial* says how they will be if it succeeds: one more after a SET, one less after a
ROLL_BACK. It is begun once at most: a start that finds it begun knows that the run before did not survive it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from wire.commands import Outcome

KEPT: Final = 5
"""Versions of the centre's that are kept beside the gateway's own file; the oldest goes when there is one more."""
_MOST_CHANGES: Final = 50  # not yet in the journal; more than that come together only while it can't be written


@dataclass(frozen=True, slots=True)
class Trial:
    """A configuration that is to prove itself."""

    versions: tuple[bytes, ...]
    command: bytes
    trial_s: int
    begun: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the last trial ended; `told`: the journal has the reply to the command."""

    command: bytes
    outcome: Outcome
    text: str
    told: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the configuration in force that is to be an event in the journal."""

    time_ms: int
    digest: bytes
    command: bytes | None
    text: str


@dataclass(frozen=True, slots=True)
class State:
    """All that is kept; digests are SHA-256."""

    base: bytes
    """The gateway's own file over which the versions were made."""
    versions: tuple[bytes, ...] = ()
    trial: Trial | None = None
    verdict: Verdict | None = None
    changes: tuple[Change, ...] = ()

    @property
    def settled(self) -> bytes:
        """Return the configuration that counts whatever becomes of a trial."""
        return self._top(self.versions)

    @property
    def on_trial(self) -> bytes | None:
        """Return the configuration that is being tried."""
        return self._top(self.trial.versions) if self.trial is not None and self.trial.begun else None

    @property
    def in_force(self) -> bytes:
        """Return the configuration with which the gateway runs."""
        return self.on_trial or self.settled

    @property
    def before(self) -> bytes | None:
        """Return the configuration to which a trial that fails or else a roll-back returns."""
        if self.on_trial is not None:
            return self.settled
        return self._top(self.versions[:-1]) if self.versions else None

    @property
    def documents(self) -> frozenset[bytes]:
        """Return the configurations that must be kept."""
        return frozenset(self.versions) | frozenset(self.trial.versions if self.trial is not None else ())

    @property
    def candidates(self) -> Sequence[bytes]:
        """Return the configurations in the order in which they count, the one in force first, the base last."""
        tried = () if self.on_trial is None else (self.on_trial,)
        return (*tried, *reversed(self.versions), self.base)

    def _top(self, versions: tuple[bytes, ...]) -> bytes:
        return versions[-1] if versions else self.base

    def proposed(self, digest: bytes | None, command: bytes, trial_s: int) -> "State":
        """Return the state with a trial to come: of a new configuration, or (None) of the one before."""
        versions = self.versions[:-1] if digest is None else (*self.versions, digest)[-KEPT:]
        return replace(self, trial=Trial(versions, command, trial_s))

    def begun(self, now_ms: int) -> "State":
        """Return the state with the trial in force."""
        assert self.trial is not None
        after = replace(self, trial=replace(self.trial, begun=True))
        return after.with_change(now_ms, self.trial.command, f"on trial for {self.trial.trial_s} s")

    def confirmed(self, now_ms: int) -> "State":
        """Return the state in which what was tried stays."""
        assert self.trial is not None
        command = self.trial.command
        after = replace(self, versions=self.trial.versions, trial=None, verdict=Verdict(command, Outcome.DONE, ""))
        return after.with_change(now_ms, command, "stays: the centre answered")

    def failed(self, now_ms: int, reason: str) -> "State":
        """Return the state in which what counted before the trial is in force."""
        assert self.trial is not None
        after = replace(self, trial=None, verdict=Verdict(self.trial.command, Outcome.FAILED, reason))
        # One that was not begun was never in force.
        return after.with_change(now_ms, self.trial.command, f"rolled back: {reason}") if self.trial.begun else after

    def without_newest(self, now_ms: int, reason: str) -> "State":
        """Return the state without the version in force, which can't be used any more."""
        return replace(self, versions=self.versions[:-1]).with_change(now_ms, None, reason)

    def over(self, base: bytes, now_ms: int, reason: str) -> "State":
        """Return the state in which the gateway's own file counts, and nothing else any more."""
        verdict = self.verdict if self.trial is None else Verdict(self.trial.command, Outcome.FAILED, reason)
        after = replace(self, base=base, versions=(), trial=None, verdict=verdict)
        same = base == self.base and not self.versions and self.on_trial is None
        return after if same else after.with_change(now_ms, None, reason)

    def with_change(self, now_ms: int, command: bytes | None, text: str) -> "State":
        """Return the state with an event to be made of the configuration now in force."""
        change = Change(now_ms, self.in_force, command, text)
        return replace(self, changes=(*self.changes, change)[-_MOST_CHANGES:])

    def journalled(self, changes: Sequence[Change]) -> "State":
        """Return the state without changes that the journal has."""
        return replace(self, changes=tuple(change for change in self.changes if change not in changes))

    def told(self, command: bytes) -> "State":
        """Return the state in which the outcome of a command is in the journal."""
        if self.verdict is None or self.verdict.command != command:
            return self
        return replace(self, verdict=replace(self.verdict, told=True))
