"""The stored state of a generating unit (机组): both integrators', and what is still to be said of its emission."""

from dataclasses import dataclass, field
from typing import Final

from wire import strict

_VERSION: Final = 1
_CORE: Final = b"DT"  # with which the state of an integrator of the core begins, as no array in CBOR does

Pending = tuple[int, int, int, int]
"""An interval whose record lacks its emission: start and duration in ms, energy forward and reverse in mWh."""


class UnitStateError(ValueError):
    """Bytes that are no state of a generating unit."""


@dataclass(slots=True)
class UnitState:
    """What a generating unit's metering goes on from."""

    energy: bytes = b""
    emission: bytes = b""
    total_ug: int = 0  # cumulative emission of the records
    chained: bool = False  # a record has been made, so that the total can only go on
    exchanged: bool = False  # the next emission reading is a new register's
    broken: bool = False  # nobody can tell which records the emission until the next reading belongs to
    pending: list[Pending] = field(default_factory=list)


def energy_part(state: bytes) -> bytes:
    """Return the energy integrator's state of a meter's, whatever its role was when it was stored."""
    if state.startswith(_CORE):
        return state
    try:
        return decode(state).energy
    except UnitStateError:
        return state  # the integrator says what is wrong with it


def encode(state: UnitState) -> bytes:
    """Return the bytes to store."""
    return strict.dump(
        [
            _VERSION,
            state.energy,
            state.emission,
            state.total_ug,
            int(state.chained),
            int(state.exchanged),
            int(state.broken),
            [list(entry) for entry in state.pending],
        ]
    )


def decode(stored: bytes) -> UnitState:
    """Return the state in the bytes; UnitStateError. That of a meter which was no unit before has energy alone."""
    if stored.startswith(_CORE):
        return UnitState(energy=stored, chained=True)
    try:
        value = strict.load(stored)
    except strict.StrictError as error:
        raise UnitStateError(str(error)) from error
    match value:
        case [1, bytes(energy), bytes(emission), int(total), int(chained), int(exchanged), int(broken), list(pending)]:
            marks = bool(chained), bool(exchanged), bool(broken)
            return UnitState(energy, emission, total, *marks, [_entry(item) for item in pending])
        case _:
            raise UnitStateError(f"expected a generating unit's state of version {_VERSION}")


def _entry(item: object) -> Pending:
    match item:
        case [int(start), int(duration), int(forward), int(reverse)]:
            return start, duration, forward, reverse
        case _:
            raise UnitStateError("expected intervals as four integers")
