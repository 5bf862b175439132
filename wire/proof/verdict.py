"""What the verification of a proof says: one outcome for each check, in plain words."""

from dataclasses import dataclass, field
from enum import Enum

from wire.proof.contents import Frozen, Interval


class Outcome(Enum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, how it ended, why, and single findings."""

    name: str
    outcome: Outcome
    text: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """What the file says it proves; true only as far as the checks passed. Times in ms UTC, the end not included."""

    gateway: str
    station: str
    meter: str
    from_ms: int
    to_ms: int
    exported_ms: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """All checks in their order, and the readings that they prove: none when a check failed."""

    checks: tuple[Check, ...]
    claim: Claim | None = None
    intervals: tuple[Interval, ...] = field(default=())
    freezes: tuple[Frozen, ...] = field(default=())

    @property
    def proved(self) -> bool:
        """Whether nothing failed."""
        return all(check.outcome is not Outcome.FAILED for check in self.checks)


def passed(name: str, text: str, details: tuple[str, ...] = ()) -> Check:
    """Return a check that found everything in order."""
    return Check(name, Outcome.PASSED, text, details)


def failed(name: str, text: str, details: tuple[str, ...] = ()) -> Check:
    """Return a check that found a fault."""
    return Check(name, Outcome.FAILED, text, details)


def not_checked(name: str, text: str, details: tuple[str, ...] = ()) -> Check:
    """Return a check that could not be made, with the reason."""
    return Check(name, Outcome.NOT_CHECKED, text, details)
