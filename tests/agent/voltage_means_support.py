"""The means of one meter, brought polls by the test, and what they told."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from agent.reading import Reading
from agent.voltage_means import MeterPoints, VoltageMeans
from profiles.model import CodecError
from wire.records import EventRecord
from wire.voltage_means import QUARTER_MS, VoltageBlock

HOUR_MS = 3_600_000
ORIGIN_MS = 1_767_196_800_000  # 2026-01-01T00:00:00+08:00
ONE = MeterPoints(("voltage_a",), ("power",))
THREE = MeterPoints(("voltage_a", "voltage_b", "voltage_c"), ("power",))
EACH = replace(THREE, by_phase=True)


@dataclass(frozen=True)
class Named:
    """A point of which only the name counts here."""

    name: str


@dataclass(frozen=True)
class Poll:
    """A request whose octets are its values in JSON."""

    names: tuple[str, ...]

    @property
    def points(self) -> Any:
        """What it brings."""
        return tuple(Named(name) for name in self.names)

    def decode(self, reply: bytes) -> dict[str, int]:
        """Return the values; octets that are none raise CodecError."""
        try:
            return dict(json.loads(reply))
        except ValueError as error:
            raise CodecError("no values") from error


ENERGY = Poll(("energy_forward",))
VALUES = Poll(("voltage_a", "voltage_b", "voltage_c", "power", "power_a", "power_b", "power_c"))


@dataclass
class Bench:
    """The means of one meter, and what they told."""

    points: MeterPoints = ONE
    timezone: str = "Asia/Shanghai"
    told: list[EventRecord] = field(default_factory=list)
    room: bool = True
    trusted: bool = True
    now_ms: int = ORIGIN_MS

    def __post_init__(self) -> None:
        self.means = VoltageMeans(
            {"m": self.points},
            self.timezone,
            now_ms=lambda: self.now_ms,
            tell=self.told.append,
            has_room=lambda: self.room,
            trusted=lambda: self.trusted,
        )

    def poll(self, at_ms: int, voltages: Iterable[int] = (230_000,), power: int | None = 0, **more: Any) -> None:
        """Bring a poll, so many ms after the origin."""
        self.now_ms = ORIGIN_MS + at_ms
        values = dict(zip(("voltage_a", "voltage_b", "voltage_c"), voltages, strict=False))
        if power is not None:
            values["power"] = power
        blocks = ((ENERGY, b'{"energy_forward": 1}'), (VALUES, json.dumps(values).encode()))
        self.means.take(Reading("m", self.now_ms, 1, 0, more.pop("blocks", blocks), **more))

    def quarter(self, number: int, voltages: Iterable[int] = (230_000,), power: int = 0) -> None:
        """Bring a poll in each half of a quarter, counted from the origin."""
        found = tuple(voltages)
        for half in (0, 1):
            self.poll(number * QUARTER_MS + half * QUARTER_MS // 2, found, power)

    def over(self) -> None:
        """Let time pass without a poll, until every block is over."""
        self.now_ms += 6 * HOUR_MS
        self.means.tell_due()

    def block(self) -> VoltageBlock:
        """Return the one block that is told."""
        self.over()
        (event,) = self.told
        return VoltageBlock.from_details(event.details)
