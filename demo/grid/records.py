"""What the centre's store has of the meters, slot by slot: energy, carbon as it was metered, and its adjustments."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from cloud_receiver import schema
from demo.grid.plan import Gateway, Meter
from demo.grid.tables import SLOT_MS


@dataclass(frozen=True, slots=True)
class MeterSlot:
    """All records of one meter in one slot."""

    covered_ms: int = 0
    """How much of the slot the intervals cover."""
    forward_mwh: int = 0
    reverse_mwh: int = 0
    carbon_ug: int = 0
    """Of the intervals: by the factor that the gateway had then, of a generating unit by its emission register."""
    adjusted_ug: int = 0
    """What adjustments changed of it since."""
    records: int = 0
    held: int = 0
    """Intervals whose slot's own factor had not arrived."""

    @property
    def settled_ug(self) -> int:
        """The carbon that stands in the end."""
        return self.carbon_ug + self.adjusted_ug


Slots = dict[int, dict[str, MeterSlot]]
"""By slot start in ms UTC, then by the element that is metered."""


def metered_slots(connection: Connection, gateways: Iterable[Gateway], first_ms: int, end_ms: int) -> Slots:
    """Return what meters say of each slot in [first_ms, end_ms); a meter without a record in it is not there."""
    elements = _elements(connection, gateways)
    interval, adjustment = schema.interval.c, schema.adjustment.c
    slot = interval.start_ms - interval.start_ms % SLOT_MS
    found: Slots = {}
    for row in connection.execute(
        select(
            slot.label("slot"),
            interval.meter,
            func.count().label("records"),
            func.sum(interval.duration_ms).label("covered"),
            func.sum(interval.forward_mwh).label("forward"),
            func.sum(interval.reverse_mwh).label("reverse"),
            func.sum(interval.carbon_forward_ug - interval.carbon_reverse_ug).label("carbon"),
            func.sum(interval.factor_quality != 0).label("held"),
        )
        .where(interval.start_ms >= first_ms, interval.start_ms < end_ms)
        .group_by("slot", interval.meter)
    ):
        if row.meter in elements:
            found.setdefault(row.slot, {})[elements[row.meter]] = MeterSlot(
                *(row.covered, row.forward, row.reverse, row.carbon), 0, row.records, row.held
            )
    slot = adjustment.start_ms - adjustment.start_ms % SLOT_MS
    for row in connection.execute(
        select(
            slot.label("slot"),
            adjustment.meter,
            func.count().label("records"),
            func.sum(adjustment.carbon_forward_ug - adjustment.carbon_reverse_ug).label("carbon"),
        )
        .where(adjustment.start_ms >= first_ms, adjustment.start_ms < end_ms)
        .group_by("slot", adjustment.meter)
    ):
        if row.meter in elements:
            meters = found.setdefault(row.slot, {})
            old = meters.get(elements[row.meter], MeterSlot())
            meters[elements[row.meter]] = MeterSlot(
                *(old.covered_ms, old.forward_mwh, old.reverse_mwh, old.carbon_ug),
                *(row.carbon, old.records + row.records, old.held),
            )
    return found


def _elements(connection: Connection, gateways: Iterable[Gateway]) -> dict[int, str]:
    """Return the element that each of the store's meters measures."""
    planned: dict[tuple[str, str], Meter] = {
        (gateway.id, meter.id): meter for gateway in gateways for meter in gateway.meters
    }
    rows = connection.execute(select(schema.meter.c.id, schema.meter.c.gateway, schema.meter.c.name))
    return {row.id: planned[row.gateway, row.name].element_id for row in rows if (row.gateway, row.name) in planned}
