"""Solved slots as the store keeps them: what was measured, what was used, and what came of it, in order of the grid.

Numbers are 64-bit floats, little-endian, as they went into the solver and came out of it: a slot can be solved again
from its row and gives the same bits. Powers in MW, factors in kg/kWh, carbon rates in t/h; NaN is a value that is not
there.
"""

import hashlib
import json
import math
import struct
import sys
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from cloud_receiver.grid.model import Grid
from wire.messages import Origin

if TYPE_CHECKING:
    Floats: TypeAlias = array[float]
else:
    Floats: TypeAlias = array  # which is no generic type before Python 3.12

FLOW: Final = 4  # registers of a branch: into it and out of it at its from end, then at its to end
SOURCE: Final = 3  # power, factor, emission
LOAD: Final = 2  # power, factor of one that feeds in
TANK: Final = 7  # as diantan_core.CarbonSlot takes a storage
_HEAD: Final = struct.Struct("<BdIIIII")
_FORMAT: Final = 1


class NodeQuality(IntEnum):
    """Why a node has a factor or none, as the core tells it (docs/carbon-flow.md)."""

    DEFINED = 0
    DEAD = 1  # 无潮流
    NO_SOURCE = 2
    UNKNOWN_ORIGIN = 3
    BAD_INPUT = 4
    UNSOLVED = 5


_QUALITIES: Final = tuple(NodeQuality)
_ORIGINS: Final = tuple(Origin)


class KeptError(ValueError):
    """Bytes of the store that are no slot of the grid."""


@dataclass(frozen=True)
class Powers:
    """The measurements of a slot, in the order of the grid's elements."""

    hours: float
    flows: Floats
    sources: Floats
    loads: Floats
    storages: Floats
    open_branches: frozenset[int] = frozenset()
    """Places of the branches that were switched off throughout."""

    @classmethod
    def missing(cls, grid: Grid, hours: float = 0.25) -> Self:
        """Return a slot of which nothing was measured."""
        return cls(
            hours,
            _nothing(FLOW * len(grid.branches)),
            _nothing(SOURCE * len(grid.generators)),
            _nothing(LOAD * len(grid.loads)),
            _nothing(TANK * len(grid.storages)),
        )

    def pack(self) -> bytes:
        """Return the bytes of the store; equal measurements have equal bytes."""
        opened = sorted(self.open_branches)
        parts = (self.flows, self.sources, self.loads, self.storages)
        head = _HEAD.pack(_FORMAT, self.hours, *(len(part) for part in parts), len(opened))
        return b"".join((head, *map(_bytes, parts), struct.pack(f"<{len(opened)}I", *opened)))

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Return the measurements in bytes of the store; KeptError when they are none."""
        try:
            form, hours, *counts, opened = _HEAD.unpack_from(data)
        except struct.error as error:
            raise KeptError(f"measurements of a slot: {error}") from error
        if form != _FORMAT or len(data) != _HEAD.size + 8 * sum(counts) + 4 * opened:
            raise KeptError(f"measurements of a slot: expected form {_FORMAT} and matching counts, found form {form}")
        place = _HEAD.size
        parts = []
        for count in counts:
            parts.append(_array(data[place : place + 8 * count]))
            place += 8 * count
        flows, sources, loads, storages = parts
        return cls(hours, flows, sources, loads, storages, frozenset(struct.unpack_from(f"<{opened}I", data, place)))


@dataclass(frozen=True)
class NodeResults:
    """What was solved of each node, in the order of the grid."""

    factors: Floats
    """Unrounded, NaN where a node has none."""
    flux: Floats
    qualities: tuple[NodeQuality, ...]
    dispatched: tuple[int | None, ...]
    """In mg/kWh, as it is sent to gateways: solved and rounded once, or what stands in."""
    origins: tuple[Origin, ...]

    def pack(self) -> bytes:
        """Return the bytes of the store."""
        count = len(self.factors)
        sent = struct.pack(f"<{count}q", *(-1 if value is None else value for value in self.dispatched))
        return b"".join(
            (
                struct.pack("<BI", _FORMAT, count),
                _bytes(self.factors),
                _bytes(self.flux),
                sent,
                bytes(self.qualities),
                bytes(self.origins),
            )
        )

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Return the results in bytes of the store; KeptError when they are none."""
        try:
            form, count = struct.unpack_from("<BI", data)
            if form != _FORMAT or len(data) != 5 + 26 * count:
                raise KeptError(f"results of a slot: expected form {_FORMAT} of {count} nodes, found form {form}")
            sent = struct.unpack_from(f"<{count}q", data, 5 + 16 * count)
            place = 5 + 24 * count
            return cls(
                _array(data[5 : 5 + 8 * count]),
                _array(data[5 + 8 * count : 5 + 16 * count]),
                tuple(map(_QUALITIES.__getitem__, data[place : place + count])),
                tuple(None if value < 0 else value for value in sent),
                tuple(map(_ORIGINS.__getitem__, data[place + count :])),
            )
        except (struct.error, IndexError) as error:
            raise KeptError(f"results of a slot: {error}") from error


@dataclass(frozen=True)
class KeptSlot:
    """One version of a slot."""

    start_ms: int
    version: int
    grid: int
    """The number of its grid in the store."""
    solve_id: bytes
    solved_ms: int
    measured: Powers
    used: Powers
    """After the reconciliation; what was not corrected is as measured."""
    nodes: NodeResults
    summary: Mapping[str, Any] = field(default_factory=dict)
    """Balance, imbalance, corrections, missing and late elements: cloud_receiver.grid.service.summary."""


def solve_id(grid: Grid, start_ms: int, measured: Powers, settings: Mapping[str, object]) -> bytes:
    """Return the hash (SHA-256) of all that a solution depends on: topology, slot, measurements, settings."""
    order = [[item.id for item in items] for items in (grid.nodes, grid.branches, grid.generators, grid.loads)]
    content = [grid.digest, order, [item.id for item in grid.storages], start_ms, dict(settings)]
    text = json.dumps(content, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
    return hashlib.sha256(struct.pack("<Q", len(text)) + text + measured.pack()).digest()


def _nothing(count: int) -> Floats:
    return array("d", (math.nan,)) * count


def _bytes(numbers: Floats) -> bytes:
    if sys.byteorder == "big":
        numbers = array("d", numbers)
        numbers.byteswap()
    return numbers.tobytes()


def _array(data: bytes) -> Floats:
    numbers = array("d")
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def of(numbers: Iterable[float | None]) -> Floats:
    """Return numbers as the store keeps them."""
    return array("d", (math.nan if number is None else number for number in numbers))
