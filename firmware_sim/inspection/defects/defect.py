"""What a seeded defect (预设缺陷) is: simulated firmware with one mistake, and the item that must catch it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from firmware_sim.faces.build import FaceBuilder, Faces
from firmware_sim.inspection.bench import Selection
from firmware_sim.inspection.functions import Expectations
from firmware_sim.inspection.parts.simulated import Adjust, Firmware, Transport
from firmware_sim.inspection.points import Rating
from firmware_sim.meter import Meter
from firmware_sim.meter_settings import MeterSettings

RATING: Final = Rating("B", 220_000, 250, 500, 60_000, 20, constant=1_000, carbon_constant=1_000)
"""The meter that is inspected: class B, 220 V, 0.25-0.5(60) A, of which the defects' sizes are chosen."""

FEW: Final = Selection(
    factors=(100_000, 1_000_000), power_factors=("1.0",), currents=("Imax", "Imin"), balances=("balanced",)
)
"""Few load points: the largest and the smallest load with the largest and the smallest factor."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """At which load points, on which line and expecting what a defect and the healthy meter are inspected."""

    selection: Selection = FEW
    transport: Transport = "modbus-tcp"
    expectations: Expectations | None = None  # None: the default ones


def unchanged(settings: MeterSettings) -> MeterSettings:
    """Return settings as they follow from the rating."""
    return settings


@dataclass(frozen=True, slots=True)
class Defect:
    """One mistake in firmware.

    `mistake` is what the programmer did wrong, in a sentence. `caught_by` is the id of the one item that must fail the
    meter for it; others may too. `firmware`, `faces` and `adjust` are how it is made (`simulated_bench`).
    """

    id: str
    title: str
    title_zh: str
    mistake: str
    caught_by: str
    firmware: Firmware = Meter
    faces: Faces = FaceBuilder
    adjust: Adjust = unchanged
    conditions: Conditions = Conditions()


def of_kind(kind: type[MeterSettings]) -> Adjust:
    """Return what gives the meter settings of another class, for a defect in what they work out."""

    def adjust(settings: MeterSettings) -> MeterSettings:
        values: Mapping[str, Any] = {field.name: getattr(settings, field.name) for field in fields(settings)}
        return kind(**values)

    return adjust
