"""A generating unit with an emission register, and what a gateway makes of its polls."""

from decimal import Decimal
from typing import Any

from agent.config import Meter
from agent.generation import GeneratingUnit
from agent.reading import Reading
from diantan_core import FactorSchedule
from profiles import load
from wire.domain import check_record
from wire.records import (
    AdjustmentRecord,
    IntervalRecord,
    Record,
)

START = 1_767_196_800_000  # a local midnight and the first of a month
SLOT = 900_000
KG = 10**12  # ng
UG_PER_KG = 10**9
DISPATCHED = FactorSchedule(default=581_000)  # what the node has, which says nothing of a unit


def unit(**settings: Any) -> GeneratingUnit:
    """Return a unit of 600 MW."""
    meter = Meter(id="g", profile="sim-grid-meter", role="generation", **{"rated_kw": Decimal(600_000), **settings})
    return GeneratingUnit(meter, load("sim-grid-meter").points["carbon_forward"], interval_ms=SLOT, timezone="UTC")


def reading(time_ms: int, forward: int, emission_kg: int | None = None, **more: Any) -> Reading:
    """Return a poll of it; energies in mWh."""
    return Reading("g", time_ms, forward, 0, emission_ng=None if emission_kg is None else emission_kg * KG, **more)


def feed(one: GeneratingUnit, *readings: Reading) -> list[Record]:
    """Feed as a gateway does; the records must be able to travel."""
    records: list[Record] = []
    for taken in readings:
        if not one.doubts(taken):
            records += one.feed(taken, DISPATCHED)
    for record in records:
        check_record(record)
    return records


def of(kind: type[Any], records: list[Record]) -> list[Any]:
    """Return the records of a kind."""
    return [record for record in records if isinstance(record, kind)]


def emitted_kg(records: list[Record]) -> Decimal:
    """Return what records and their adjustments say was emitted."""
    total = sum(record.carbon_forward_ug for record in of(IntervalRecord, records) + of(AdjustmentRecord, records))
    return Decimal(total) / UG_PER_KG
