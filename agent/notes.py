"""What is still to be asked of each meter beside its polls, and how that is stored with the records it leads to."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from agent.config import AgentConfig, Meter
from agent.freezes import TABLES, FreezeSettings, MeterFreezes, Registers, Wish
from agent.journal_entry import Row, to_row
from agent.logs import log
from agent.meter_clock import MeterClock
from agent.orders import MeterOrders
from agent.reading import Reading
from agent.spare import Errand
from profiles import Profile
from wire.records import EventCode, EventRecord, FreezeKind, Record

ORDER_RESULTS: Final = ("read", "missed", "repeated", "torn")


class MeterNotes:
    """One meter's own freezes, its clock, and its charge orders."""

    def __init__(
        self,
        meter: str,
        profile: Profile,
        config: AgentConfig,
        now_ms: Callable[[], int],
        *,
        trusted: Callable[[], bool],
        tell: Callable[["MeterNotes", Record | None], None],
        charger: Meter | None = None,
    ) -> None:
        """`tell` takes each record that an errand led to, or None, to be stored together with `encoded`.

        `charger`: what is configured of the meter, if it is a charger's.
        """
        self.meter = meter
        self.freezes: MeterFreezes | None = None
        self.clock: MeterClock | None = None
        self.orders: MeterOrders | None = None
        zone, seconds = config.gateway.timezone, config.freezes.margin_seconds
        if config.freezes.read and any(table in profile.tables for table in TABLES.values()):
            settings = FreezeSettings(zone, 1000 * seconds, 3_600_000 * config.freezes.give_up_hours)
            self.freezes = MeterFreezes(meter, profile, settings, now_ms, self._tell)
        point = profile.points.get("device_time")
        if config.meter_clocks.check_minutes and point is not None:
            self.clock = MeterClock(
                meter,
                profile.plan([point], zone)[0],
                limit_ms=1000 * config.meter_clocks.limit_seconds,
                check_ms=60_000 * config.meter_clocks.check_minutes,
                now_ms=now_ms,
                trusted=trusted,
                tell=self._tell,
            )
        if charger is not None and config.orders.check_seconds and profile.orders is not None:
            self.orders = MeterOrders(
                meter,
                profile.orders,
                zone,
                check_ms=1000 * config.orders.check_seconds,
                now_ms=now_ms,
                tell=self._tell,
                connector=charger.connector,
            )
        self._told = tell

    def _tell(self, record: Record | None) -> None:
        self._told(self, record)

    def take(self, reading: Reading, records: list[Record]) -> bool:
        """Take a reading and the records it closed; return whether the notes have changed."""
        exchanged = any(isinstance(record, EventRecord) and record.code == EventCode.EXCHANGE for record in records)
        if exchanged and self.orders is not None:
            self.orders.exchanged()
        return (self.freezes is not None and self.freezes.take(reading, records)) or exchanged

    def leapt(self) -> None:
        """Take note that the gateway's time leapt."""
        if self.freezes is not None:
            self.freezes.leapt()

    def errand(self) -> Errand | None:
        """Return what to ask the meter next, if anything."""
        # Orders last: they are asked for most often, and can wait as long as the charger keeps them.
        for part in (self.freezes, self.clock, self.orders):
            if part is not None and (errand := part.errand()) is not None:
                return errand
        return None

    def encoded(self) -> bytes:
        """Return what the journal keeps."""
        document: dict[str, object] = {"clock_off": self.clock is not None and self.clock.off, "freezes": []}
        if self.freezes is not None:
            document["freezes"] = [_wish_fields(wish) for wish in self.freezes.wishes]
            document["failing"] = sorted(self.freezes.failing)
        if self.orders is not None:
            document["orders"] = self.orders.stored()
        return json.dumps(document).encode()

    def restore(self, stored: bytes) -> None:
        """Go on from what the journal kept. Notes that can't be used are dropped: no energy depends on them.

        Orders are then read anew, and the centre knows those that it has by their numbers.
        """
        try:
            document = json.loads(stored)
            found = [_wish(fields) for fields in document["freezes"]]
            failing = {FreezeKind(kind) for kind in document.get("failing", ())}
            clock_off = bool(document["clock_off"])
            if self.orders is not None and "orders" in document:
                self.orders.restore(document["orders"])
        except (ValueError, TypeError, KeyError) as error:
            log.warning("the notes in the journal can't be used: %s", error, extra={"about": self.meter})
            return
        if self.freezes is not None:
            self.freezes.wishes, self.freezes.failing = found, failing
        if self.clock is not None:
            self.clock.off = clock_off


def _wish_fields(wish: Wish) -> dict[str, object]:
    return {
        "time": wish.time_ms,
        "kind": wish.kind,
        "reverse": wish.reverse_mwh,
        "carbon": wish.carbon_ug,
        "low": wish.low,
        "high": wish.high,
        "checkable": wish.checkable,
    }


def _wish(stored: Mapping[str, Any]) -> Wish:
    low, high = stored["low"], stored["high"]
    return Wish(
        int(stored["time"]),
        FreezeKind(stored["kind"]),
        int(stored["reverse"]),
        _pair(stored["carbon"]),
        None if low is None else _pair(low),
        None if high is None else _pair(high),
        bool(stored["checkable"]),
    )


def _pair(values: Sequence[int]) -> Registers:
    first, second = values
    return int(first), int(second)


def build_notes(
    config: AgentConfig,
    profiles: Mapping[str, Profile],
    stored: Mapping[str, bytes],
    now_ms: Callable[[], int],
    *,
    trusted: Callable[[], bool],
    tell: Callable[[MeterNotes, Record | None], None],
) -> dict[str, MeterNotes]:
    """Return the notes of every meter, gone on from what is stored."""
    found = {}
    for line in config.line:
        for meter in line.meter:
            charger = meter if meter.role == "charger" else None
            notes = MeterNotes(
                meter.id, profiles[meter.id], config, now_ms, trusted=trusted, tell=tell, charger=charger
            )
            if (kept := stored.get(meter.id)) is not None:
                notes.restore(kept)
            found[meter.id] = notes
    return found


def row_of(record: Record, now_ms: int) -> Row:
    """Return a record that an errand led to as the journal keeps it; RecordError when a field can't travel."""
    row = to_row(record)
    if isinstance(record, EventRecord) and record.code == EventCode.CHARGE_ORDER:
        # By the charger's clock, which may be years away, it would be kept too short or hold up what is to be deleted.
        return replace(row, start_ms=now_ms)
    return row


def figures_of(notes: Collection[MeterNotes]) -> dict[str, int]:
    """Return how the meters' own freezes, clocks and order logs are: for the log."""
    freezes = [one.freezes for one in notes if one.freezes is not None]
    clocks = [one.clock for one in notes if one.clock is not None]
    orders = [one.orders for one in notes if one.orders is not None]
    return {
        "freezes_read": sum(one.read for one in freezes),
        "freezes_missing": sum(one.missing for one in freezes),
        "freezes_awaited": sum(len(one.wishes) for one in freezes),
        "meter_clocks_off": sum(one.off for one in clocks),
        "meter_clock_worst_ms": max((one.deviation_ms or 0 for one in clocks), key=abs, default=0),
        **{f"orders_{name}": sum(getattr(one, name) for one in orders) for name in ORDER_RESULTS},
    }
