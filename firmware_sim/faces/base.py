"""What a simulated line and the protocols spoken on it say to each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from firmware_sim.meter import Row


class PowerLostError(ValueError):
    """The meter has no power: the write was not stored, or not all of it. Nobody hears the refusal."""


class Values(Protocol):
    """What a face reads and writes: a meter (firmware_sim.meter.Meter), or one made to misbehave (faults)."""

    def values(self, now_ms: int) -> Row:
        """Return every point the meter knows, by standard name, in canonical units, of one instant."""

    def row(self, table: str, number: int, now_ms: int) -> Row:
        """Return a row of a table; empty when the meter has nothing there."""

    def apply(self, write: str, fields: Row, now_ms: int) -> None:
        """Carry out a standard write (`profiles.points.WRITES`); ValueError for values that the meter refuses.

        Of what a master writes in one piece (the factors of a day), each part is a call, all at the same instant.
        """


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply (应答) of one meter, before the line's faults are applied to it."""

    meter: str  # its id, whose faults apply
    octets: bytes


class Face(Protocol):
    """One protocol on one line, with every meter that speaks it there.

    It finds its requests in the octets of the line, whatever else is in them, and lets each addressed meter answer.
    Every connection has faces of its own: octets of two clients are never mixed.
    """

    protocol: str

    def feed(self, data: bytes, now_ms: int) -> Sequence[Answer]:
        """Take octets as they come from the master; return the replies in the order in which the meters send them."""

    def flush(self) -> None:
        """Give up an unfinished request, after silence on the line."""

    def misaddressed(self, octets: bytes) -> bytes:
        """Return a reply as if another meter had sent it, its checks right: the fault "wrong unit"."""

    def addresses(self) -> Mapping[str, str]:
        """Return each meter's address on the line by its id, as text."""


@runtime_checkable
class DialInFace(Face, Protocol):
    """A face whose meters call the centre over TCP (DL/T 698.45) and say by themselves that they are there.

    What they say is subject to their faults, as replies are.
    """

    def opened(self, now_ms: int) -> Sequence[Answer]:
        """Return what the meters say when the connection is up: LINK login (登录)."""

    def due(self, now_ms: int) -> tuple[Sequence[Answer], int | None]:
        """Return what the meters say by themselves now (heartbeats 心跳), and the instant at which to ask again.

        Asked after `opened` and at each instant it names; None means that nothing more will come.
        """
