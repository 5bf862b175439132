"""What is measured of each charger's branch (支路): as it is kept from one run over all windows to the next."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

OFF: Final = "switched_off"
DC: Final = "dc_output"
NOTHING: Final = "no_voltages"
GONE: Final = "voltages_removed"
SEVERAL: Final = "several_masters"
PHASE: Final = "no_phase"
POWER: Final = "power_mismatch"
ABSURD: Final = "absurd"
CONTRADICTED: Final = "contradicted"
FAILED: Final = "failed"
"""Why a branch's measurement isn't there, or isn't used, beside the reasons of the core's `DropBranch`."""

SINGLE_KW: Final = 8
"""Up to which a charger is taken to be on one phase (单相): 32 A at 250 V. What its phase loses before its branch, the
mean of the phases doesn't show; neither do the phases of a master before a transformer."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A loss in 1/kW as it was measured over windows up to `end_ms`; `u`: statistical only."""

    end_ms: int
    loss: float
    u: float


@dataclass(frozen=True, slots=True)
class Branch:
    """What a voltage drop says of a charger's branch, in 1/kW; `u`: statistical only.

    `reason`: why it isn't used, None where it is. `last` and `earlier`: what was measured before, of which `earlier`
    has no window in common with what is measured once both are there.
    """

    loss: float | None = None
    u: float = 0.0
    quarters: int = 0
    reference: str = ""
    """Whose voltage it follows: the mean of the master's phases, or one of them."""
    reason: str | None = None
    last: Measured | None = None
    earlier: Measured | None = None
    even: bool | None = None
    """Whether its load stands evenly on its three phases (三相平衡); None: nobody can say."""
    factor: float = 1.0
    """All that it loses by what it would lose if its load stood evenly."""
    uneven_loss: tuple[float, float] | None = None
    """What it loses more because it doesn't, of its energy, with the standard uncertainty."""

    @property
    def used(self) -> bool:
        """Return whether the estimate rests on it."""
        return self.loss is not None and self.reason is None

    @property
    def before(self) -> Measured | None:
        """Return what to compare it with."""
        return self.earlier or self.last


@dataclass(frozen=True, slots=True)
class Branches:
    """Of a station: by charger, measured over windows up to `end_ms`, with the blocks of voltages that there were."""

    by_meter: Mapping[int, Branch] = field(default_factory=dict)
    end_ms: int = 0
    blocks: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Blocks that were left out, by the reason."""
    kept_from_ms: int | None = None
    """Since when voltages are kept, where a part of the span lies before that."""

    def contradicted(self, numbers: frozenset[int]) -> "Branches":
        """Return it with some measurements out of use."""
        return replace(
            self,
            by_meter={
                number: replace(one, reason=CONTRADICTED) if number in numbers else one
                for number, one in self.by_meter.items()
            },
        )

    def past(self, number: int, first_ms: int, end_ms: int) -> tuple[Measured | None, Measured | None]:
        """Return (last, earlier) of a charger for a measurement over windows in [first, end] that follows on this one.

        What was noted last becomes the earlier one as soon as it has no window in common with what is measured.
        """
        one = self.by_meter.get(number, Branch())
        last, earlier = one.last, one.earlier
        if one.used and one.loss is not None and (last is None or last.end_ms <= first_ms):
            last, earlier = Measured(self.end_ms, one.loss, one.u), last or earlier
        known = [None if item is None or item.end_ms >= end_ms else item for item in (last, earlier)]
        return known[0], known[1]

    def encoded(self) -> str:
        """Return it as text; `decoded` gives the same back to the bit."""
        return json.dumps(asdict(self), allow_nan=False)


def decoded(text: str) -> Branches | None:
    """Return what `encoded` gave; None for anything else, such as of another version."""
    try:
        told = json.loads(text)
        by_meter = {int(number): _branch(one) for number, one in told["by_meter"].items()}
        left_out = {name: int(count) for name, count in told["left_out"].items()}
        kept_from_ms = told.get("kept_from_ms")
        return Branches(by_meter, int(told["end_ms"]), int(told["blocks"]), left_out, kept_from_ms)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _branch(told: dict[str, Any]) -> Branch:
    past = {name: None if told[name] is None else Measured(**told[name]) for name in ("last", "earlier")}
    uneven = told.get("uneven_loss")
    return Branch(**told | past | {"uneven_loss": None if uneven is None else (float(uneven[0]), float(uneven[1]))})
