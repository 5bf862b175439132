"""What was measured in one slot: flows at both ends of branches, and what is fed in and taken out at nodes.

Mean powers of the slot in MW. Measurements go by the ids of their elements, so that a slot whose topology is another
one needs no renumbering. A value that is not there is None: it is told of, and costs the nodes it concerns, no others.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, TypeAlias

from cloud_receiver.grid.model import Element, Grid, quoted_id
from cloud_receiver.mistakes import InputError, Mistake, Problem, quoted

MAX_MEGAWATTS: Final = 1e9
"""Beyond it a power is no measurement: the solver takes none."""
MAX_FACTOR: Final = 10.0
"""In kgCO₂/kWh. Poor lignite has 1.5, blast-furnace gas less than 4: more is a factor in g/kWh or a misplaced point."""
MAX_EMISSION: Final = 1e9
"""In t/h."""
MAX_STORED: Final = 1e12
"""In MW·h and in t."""


@dataclass(frozen=True, slots=True)
class EndPowers:
    """Power measured *into* the branch at its from end and at its to end."""

    from_megawatts: float | None
    to_megawatts: float | None


@dataclass(frozen=True, slots=True)
class EndRegisters:
    """Both registers (正向, 反向) at both ends: into the branch and out of it, none negative.

    A flow that turned within the slot is two flows, and never netted.
    """

    from_in_megawatts: float | None
    from_out_megawatts: float | None
    to_in_megawatts: float | None
    to_out_megawatts: float | None


Flow: TypeAlias = EndPowers | EndRegisters


@dataclass(frozen=True, slots=True)
class Generation:
    """Power of a generator, negative where it takes power, with its factor in kg/kWh or its emission in t/h."""

    megawatts: float | None
    factor: float | None = None
    emission: float | None = None


@dataclass(frozen=True, slots=True)
class Demand:
    """Power of a load; a negative one feeds in, with a factor in kg/kWh."""

    megawatts: float | None
    factor: float | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """Charging and discharging power of a storage, its efficiencies, and its tank when the slot begins."""

    charge_megawatts: float | None
    discharge_megawatts: float | None
    charge_efficiency: float = 1.0
    discharge_efficiency: float = 1.0
    stored_megawatt_hours: float = 0.0
    stored_tonnes: float = 0.0
    unknown_megawatt_hours: float = 0.0
    """The part of the stored energy whose origin is unknown."""


Measurement: TypeAlias = Flow | Generation | Demand | Charge


@dataclass(frozen=True)
class Snapshot:
    """All that was measured in one slot, by element ids. Branches in `open_branches` were switched off throughout."""

    flows: Mapping[str, Flow] = field(default_factory=dict)
    generators: Mapping[str, Generation] = field(default_factory=dict)
    loads: Mapping[str, Demand] = field(default_factory=dict)
    storages: Mapping[str, Charge] = field(default_factory=dict)
    open_branches: frozenset[str] = frozenset()
    hours: float = 0.25
    start_ms: int | None = None

    def of(self, element: Element) -> Mapping[str, Measurement]:
        """Return the measurements of a kind of element; of nodes there are none."""
        kinds: dict[Element, Mapping[str, Measurement]] = {
            Element.BRANCH: self.flows,
            Element.GENERATOR: self.generators,
            Element.LOAD: self.loads,
            Element.STORAGE: self.storages,
        }
        return kinds.get(element, {})


@dataclass(frozen=True)
class Network:
    """A grid with what was measured in one slot, as a file holds it."""

    grid: Grid
    snapshot: Snapshot
    name: str = ""
    source: str = ""


_POWERS: Final = frozenset(
    {"megawatts", "from_megawatts", "to_megawatts", "charge_megawatts", "discharge_megawatts"}
    | {f"{end}_{way}_megawatts" for end in ("from", "to") for way in ("in", "out")}
)
_UNSIGNED: Final = _POWERS - {"megawatts", "from_megawatts", "to_megawatts"}


def value_mistakes(value: Measurement, max_factor: float = MAX_FACTOR) -> Iterator[tuple[Mistake, str, str]]:
    """Find what a measurement can't be: kind of mistake, field, and what was expected. None is no mistake here."""
    for name in (item.name for item in fields(value)):
        number = getattr(value, name)
        if number is None:
            continue
        low, high, unit = _range(name, max_factor)
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
            yield Mistake.NUMBER, name, f"expected a finite number of {unit}, found {quoted(number)}"
        elif not low <= number <= high:
            hint = " (is it in g/kWh?)" if name == "factor" and number > high else ""
            expected = f"expected {low:g} to {high:g} {unit}, found {quoted(number)}{hint}"
            yield _mistake(name), name, expected
    if isinstance(value, Generation) and value.factor is not None and value.emission is not None:
        yield Mistake.FORM, "emission", "expected a factor or an emission, found both"
    if isinstance(value, Charge):
        for name in ("charge_efficiency", "discharge_efficiency"):
            if getattr(value, name) == 0:
                yield Mistake.NUMBER, name, "expected more than 0, found 0"
        if value.unknown_megawatt_hours > value.stored_megawatt_hours:
            text = f"expected at most the {value.stored_megawatt_hours:g} MW·h stored"
            yield Mistake.NUMBER, "unknown_megawatt_hours", text


def emission_beyond(value: Generation, max_factor: float = MAX_FACTOR) -> str:
    """Return what is wrong with an emission that its power can't have; nothing where it can.

    No mistake of a file: a unit that starts up emits before it delivers much.
    """
    power, emission = value.megawatts, value.emission
    if power is None or emission is None or power <= 0 or emission <= max_factor * power:
        return ""
    return f"emission: expected at most {max_factor:g} kgCO2/kWh of its power, found {emission / power:.6g}"


def _mistake(name: str) -> Mistake:
    return {"factor": Mistake.FACTOR, "emission": Mistake.EMISSION}.get(name, Mistake.NUMBER)


def _range(name: str, max_factor: float) -> tuple[float, float, str]:
    if name in _POWERS:
        return (0.0 if name in _UNSIGNED else -MAX_MEGAWATTS), MAX_MEGAWATTS, "MW"
    if name == "factor":
        return 0.0, max_factor, "kgCO2/kWh"
    if name == "emission":
        return 0.0, MAX_EMISSION, "t/h"
    if name.endswith("_efficiency"):
        return 0.0, 1.0, "of 1"
    return 0.0, MAX_STORED, "t" if name == "stored_tonnes" else "MW·h"


def problems_of(grid: Grid, snapshot: Snapshot, max_factor: float = MAX_FACTOR) -> list[Problem]:
    """Find measurements of elements that the grid of this slot doesn't have, and values that can't be."""
    found = []
    for element, ids in _ids(grid).items():
        for name, value in snapshot.of(element).items():
            where = f"{element} {quoted_id(name)}"
            if name not in ids:
                text = "is measured and is not in the grid of this slot"
                found.append(Problem(Mistake.UNKNOWN_ELEMENT, text, element=where))
            found += [
                Problem(mistake, f"{key}: {text}", element=where)
                for mistake, key, text in value_mistakes(value, max_factor)
            ]
    branches = _ids(grid)[Element.BRANCH]
    for name in sorted(snapshot.open_branches - branches):
        text = "is open and is not in the grid of this slot"
        found.append(Problem(Mistake.UNKNOWN_ELEMENT, text, element=f"branch {quoted_id(name)}"))
    return found


def require(grid: Grid, snapshot: Snapshot, max_factor: float = MAX_FACTOR) -> None:
    """InputError with every measurement that can't be of this grid."""
    if problems := problems_of(grid, snapshot, max_factor):
        raise InputError(problems[:1000])


def _ids(grid: Grid) -> dict[Element, frozenset[str]]:
    kinds: dict[Element, Any] = {
        Element.BRANCH: grid.branches,
        Element.GENERATOR: grid.generators,
        Element.LOAD: grid.loads,
        Element.STORAGE: grid.storages,
    }
    return {element: frozenset(item.id for item in items) for element, items in kinds.items()}
