"""What one station's readings say of its chargers against its master, before any prior on cohort and master.

The same windows, read as the estimate read them, are solved again with a master that is taken to be right and errors
of any size: what is left is e − g, by the data alone. Which chargers are sound, the estimate itself has said. Per cent.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Final

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.alike import TOGETHER
from cloud_receiver.estimation.changes import CHANGED
from cloud_receiver.estimation.gross import BEYOND_POWER
from cloud_receiver.estimation.mirrors import MIRRORED
from cloud_receiver.estimation.model import Setup
from cloud_receiver.estimation.noticed import LEVEL
from cloud_receiver.estimation.result import WITHHELD, StationResult
from diantan_core import ErrorEstimation, ErrorEstimator, ErrorWindows, EstimationError

ALONE: Final[Mapping[str, Any]] = {
    "gain": (0.0, 1e-5),
    "cohort_sd": 1.0,
    "sound_sd": 1.0,
    "altered_sd": 1.0,
    "strange_share": 0.0,
    "rounds": 2,
    "u_factor": 1.0,
}
"""What is told to the estimator instead: nothing of errors. Losses, loads and clocks stay as they are known."""

_LEAST_IDENTIFIED: Final = 0.2
_MOST_ALTERED: Final = 0.5
_UNSOUND: Final = frozenset(
    {
        *("implausible", "offset", "collinear", TOGETHER, MIRRORED, WITHHELD, "exchanged", "conversion"),
        *(BEYOND_POWER, CHANGED),
    }
)
"""Why a charger is undetermined of which data don't say what it is, or of which time."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A charger: its error less the master's by the data alone, and its own u."""

    number: int
    error: float
    u: float
    sound: bool
    """It is none of the altered ones, and enough is known of it."""
    flagged: bool
    verified: tuple[float, float] | None = None
    """Its error by verification, and u."""


@dataclass(frozen=True, slots=True)
class View:
    """A station's chargers; `gain`: what is known of its master without them; `u_common`: what all of `error` share."""

    end_ms: int
    gain: tuple[float, float]
    certified: bool
    u_common: float
    chargers: tuple[Seen, ...]

    def encoded(self) -> str:
        """Return it as it is stored."""
        return json.dumps(asdict(self), allow_nan=False)


def decoded(text: str) -> View | None:
    """Return a stored view; None for that of another version."""
    try:
        values = json.loads(text)
        chargers = tuple(
            Seen(**one | {"verified": None if one["verified"] is None else tuple(one["verified"])})
            for one in values["chargers"]
        )
        return View(**values | {"gain": tuple(values["gain"]), "chargers": chargers})
    except (ValueError, TypeError, KeyError):
        return None


def seen(
    context: Context, made: Setup, windows: ErrorWindows, found: ErrorEstimation, said: StationResult
) -> View | None:
    """Return what a run over all windows shows; None where a finding forbids to conclude anything.

    That most chargers lie beside the master (`level`) is none: whose error that is, other stations may tell. Of
    chargers that meter their output nothing is said: their conversion isn't known well enough to tell it from errors.
    """
    if made.again is None or not found.windows or any(item.blocks and item.name != LEVEL for item in said.findings):
        return None
    try:
        alone = only_data(made.again(**ALONE), windows, found)
    except EstimationError:  # priors may be all that makes a station's equations solvable
        return None
    decisions = {one.number: one.decision for one in said.chargers}
    reasons = {one.number: one.reason for one in said.chargers}
    chargers = []
    for one, plain in zip(found.chargers, alone.chargers, strict=True):
        number = made.chargers[one.charger]
        known = one.active_windows > 0 and one.identified >= _LEAST_IDENTIFIED and isfinite(plain.error + plain.u_own)
        known = known and not context.meters[number].dc_output
        read = known and reasons.get(number) not in _UNSOUND
        sound = read and one.altered < _MOST_ALTERED
        pair = made.anchors.get(number) if read else None  # an altered one that was verified tells as well as any
        chargers.append(
            Seen(
                number,
                100 * plain.error if known else 0.0,
                100 * plain.u_own if known else 0.0,
                sound,
                decisions.get(number) == "flag",
                None if pair is None else (100 * pair[0], 100 * pair[1]),
            )
        )
    if not isfinite(alone.u_common):
        return None
    gain, u = made.gain
    return View(said.end_ms, (100 * gain, 100 * u), made.certified, 100 * alone.u_common, tuple(chargers))


def only_data(estimator: ErrorEstimator, windows: ErrorWindows, found: ErrorEstimation) -> ErrorEstimation:
    """Return what data alone say: `estimator` was made with `ALONE`, `found` is what the station's own one found."""
    sums = estimator.begin(found)
    sums.push(windows)
    return sums.estimate()
