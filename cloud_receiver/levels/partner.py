"""The centre on the other side of a boundary (关口): which element of this grid it is, and whose word counts for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import ceil
from pathlib import Path
from typing import Final

from cloud_receiver.levels.config import Child, Parent
from cloud_receiver.registry import Measures, Meter, Registry
from diantan_core import Energy
from settings.errors import ConfigError
from wire import topics
from wire.envelope import KeyRing
from wire.keys import KeyFileError, load_public

_PPM_OF_PERCENT: Final = 10_000
_MAX_PPM: Final = 1_000_000
MAX_NAME: Final = 57
"""Of a centre: its name with the word before it is that of a feed, which has 64 bytes."""


class Rank(IntEnum):
    """What the other centre is to this one."""

    PARENT = 0  # 上级
    CHILD = 1  # 下级


class Side(IntEnum):
    """Whose statement a row of the store is."""

    OURS = 0
    THEIRS = 1


@dataclass(frozen=True)
class Partner:
    """A centre on the other side of a boundary."""

    centre: str
    rank: Rank
    node: str
    """The boundary node, in the parent's grid."""
    element: Measures
    """What it is in this grid: to a child its parent is a generator, to a parent its child a load."""
    ring: KeyRing
    meters: tuple[Meter, ...]
    """The meters of this side, one after the other in time."""

    @property
    def feed(self) -> str:
        """Return the name under which its factors are kept among the telemetry."""
        return f"centre {self.centre}"

    def limits(self, starts: Sequence[int]) -> tuple[int | None, int | None]:
        """Return the limit of the error in 10⁻⁶, and the register's step in mWh, of this side's meter in these slots.

        Where the meter was exchanged, those of the worst; None where there is no meter.
        """
        found = [meter for meter in self.meters if any(map(meter.in_service, starts))]
        if not found:
            return None, None
        ppm = max(ceil(meter.accuracy_class * _PPM_OF_PERCENT) for meter in found)
        return min(ppm, _MAX_PPM), max(Energy.from_kwh(meter.resolution_kwh).mwh for meter in found)

    def topic_of(self, side: Side, own_name: str) -> str:
        """Return the topic of a statement; the child's name is in it."""
        child = own_name if self.rank is Rank.PARENT else self.centre
        upward = (self.rank is Rank.PARENT) == (side is Side.OURS)
        return topics.level_up(child) if upward else topics.level_down(child)


def partners(parent: Parent | None, children: Iterable[Child], registry: Registry, own_name: str) -> list[Partner]:
    """Return all partners of this centre; ConfigError names what can't be."""
    problems: list[str] = []
    found: list[Partner] = []
    listed: list[tuple[str, Parent | Child]] = [("parent", parent)] if parent is not None else []
    listed += [(f"child[{number}]", item) for number, item in enumerate(children, 1)]
    names: dict[str, str] = {own_name: "centre.name"}
    elements: dict[Measures, str] = {}
    for key, item in listed:
        if (other := names.setdefault(item.centre, key)) != key or item.centre == own_name:
            problems.append(f"{key}.centre: {item.centre} is the name of {other} too, expected one of its own")
        if len(item.centre) > MAX_NAME:
            problems.append(f"{key}.centre: expected at most {MAX_NAME} characters, found {len(item.centre)}")
        element = Measures("generator", item.source) if isinstance(item, Parent) else Measures("load", item.load)
        if (other := elements.setdefault(element, key)) != key:
            problems.append(f"{key}: {element.element} {element.id} stands for {other} already")
        found.append(
            Partner(
                item.centre,
                Rank.PARENT if isinstance(item, Parent) else Rank.CHILD,
                item.node,
                element,
                _ring(f"{key}.key_file", item.key_file, item.centre, problems),
                _meters(registry, element),
            )
        )
    if problems:
        raise ConfigError(problems)
    return found


def _meters(registry: Registry, element: Measures) -> tuple[Meter, ...]:
    found = [meter for station in registry.station for meter in station.meter if meter.element == element]
    return tuple(sorted(found, key=lambda meter: (meter.since is not None, meter.since or 0)))


def _ring(key: str, path: Path, owner: str, problems: list[str]) -> KeyRing:
    ring = KeyRing()
    try:
        ring.add(load_public(path), owner)
    except (KeyFileError, ValueError) as error:
        problems.append(f"{key}: {error}")
    return ring
