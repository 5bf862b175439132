"""What `diantan-agent journal ls` and `export` print: a journal as figures by meter, and as JSON lines."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from agent import journal_schema as schema
from agent.journal_check import open_read_only, records
from diantan_core import Carbon, Energy
from wire.records import AdjustmentRecord, EventRecord, FreezeKind, FreezeRecord, IntervalRecord, Record
from wire.row import RecordError

_UG: Final = 1000  # ng


@dataclass(slots=True)
class MeterFigures:
    """One meter's records in the journal; energies in mWh, carbon in µg."""

    meter: str
    energy_forward: int = 0  # cumulative, from the newest interval
    energy_reverse: int = 0
    carbon_forward: int = 0
    carbon_reverse: int = 0
    sum_energy_forward: int = 0  # of the increments that the journal holds
    sum_energy_reverse: int = 0
    sum_carbon_forward: int = 0
    sum_carbon_reverse: int = 0
    adjusted_carbon_forward: int = 0
    adjusted_carbon_reverse: int = 0
    intervals: int = 0
    daily_freezes: int = 0
    monthly_freezes: int = 0
    adjustments: int = 0
    events: int = 0
    records: int = 0
    sent: int = 0
    acknowledged: int = 0

    def add(self, record: Record) -> None:
        """Count a record."""
        match record:
            case IntervalRecord():
                self.intervals += 1
                self.energy_forward, self.energy_reverse = record.forward_total_mwh, record.reverse_total_mwh
                self.carbon_forward = record.carbon_forward_total_ug
                self.carbon_reverse = record.carbon_reverse_total_ug
                self.sum_energy_forward += record.forward_mwh
                self.sum_energy_reverse += record.reverse_mwh
                self.sum_carbon_forward += record.carbon_forward_ug
                self.sum_carbon_reverse += record.carbon_reverse_ug
            case FreezeRecord():
                self.daily_freezes += record.kind == FreezeKind.DAILY
                self.monthly_freezes += record.kind == FreezeKind.MONTHLY
            case AdjustmentRecord():
                self.adjustments += 1
                self.adjusted_carbon_forward += record.carbon_forward_ug
                self.adjusted_carbon_reverse += record.carbon_reverse_ug
            case EventRecord():
                self.events += 1

    def as_json(self) -> dict[str, Any]:
        """Return the figures with energies in kWh and carbon in kg, as exact decimal texts."""
        plain = asdict(self)
        shown: dict[str, Any] = {}
        for name, value in plain.items():
            if "energy" in name:
                shown[f"{name}_kwh"] = _text(Energy(value).kwh)
            elif "carbon" in name:
                shown[f"{name}_kg"] = _text(Carbon(value * _UG).kg)
            else:
                shown[name] = value
        return shown


@dataclass(slots=True)
class JournalFigures:
    """A journal's state."""

    file: str
    context: str
    created_ms: int
    next_sequence: int
    sent: int
    acknowledged: int
    dropped: int
    gateway_events: int
    bytes: int
    factors: int
    meters: list[MeterFigures]

    def as_json(self) -> dict[str, Any]:
        """Return everything for `--json`."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__ if name != "meters"}
        plain["unacknowledged"] = self.next_sequence - 1 - self.acknowledged
        return {**plain, "meters": [meter.as_json() for meter in self.meters]}


def figures(path: Path) -> JournalFigures:
    """Read the whole journal and count; JournalError when it can't be read."""
    with closing(open_read_only(path)) as connection:
        try:
            connection.execute("BEGIN")
            context, created, following, sent, acknowledged, dropped = connection.execute(
                "SELECT context, created_ms, next_sequence, sent, acknowledged, dropped FROM header"
            ).fetchone()
            (factors,) = connection.execute("SELECT count(*) FROM factors").fetchone()
            meters: dict[str, MeterFigures] = {}
            gateway_events = 0
            for sequence, record in records(connection):
                if record.meter is None:
                    gateway_events += 1
                    continue
                meter = meters.setdefault(record.meter, MeterFigures(record.meter))
                meter.add(record)
                meter.records += 1
                meter.sent += sequence <= sent
                meter.acknowledged += sequence <= acknowledged
        except sqlite3.Error as error:
            raise schema.translated(error, path) from error
        except RecordError as error:
            raise schema.damaged(path, str(error)) from error
    return JournalFigures(
        str(path),
        context.hex(),
        created,
        following,
        sent,
        acknowledged,
        dropped,
        gateway_events,
        path.stat().st_size,
        factors,
        [meters[name] for name in sorted(meters)],
    )


def table(found: JournalFigures) -> str:
    """Return the figures for people, in fixed columns."""
    head = (
        f"journal {found.file}, context {found.context}\n"
        f"records {found.next_sequence - 1}, sent up to {found.sent}, acknowledged up to {found.acknowledged}, "
        f"dropped {found.dropped}; factors of {found.factors} slots; {found.bytes / 1e6:.1f} MB\n"
    )
    titles = (
        "meter",
        "fwd kWh",
        "rev kWh",
        "fwd kgCO2",
        "rev kgCO2",
        "intervals",
        "freezes",
        "written",
        "sent",
        "acked",
    )
    rows = [titles]
    for meter in found.meters:
        shown = meter.as_json()
        rows.append(
            (
                meter.meter,
                shown["energy_forward_kwh"],
                shown["energy_reverse_kwh"],
                shown["carbon_forward_kg"],
                shown["carbon_reverse_kg"],
                str(meter.intervals),
                str(meter.daily_freezes + meter.monthly_freezes),
                str(meter.records),
                str(meter.sent),
                str(meter.acknowledged),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(titles))]
    lines = ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    return head + "\n".join(lines)


def export(path: Path) -> Iterator[str]:
    """Return one JSON object a record, oldest first; names and units are those of wire.records."""
    with closing(open_read_only(path)) as connection:
        try:
            for sequence, record in records(connection):
                entry: dict[str, Any] = {"sequence": sequence, "record": _KINDS[type(record)]}
                for name in type(record).__dataclass_fields__:
                    value = getattr(record, name)
                    if isinstance(value, bytes):
                        value = value.hex()
                    elif hasattr(value, "items"):
                        value = dict(value.items())
                    entry[name] = value.name.lower() if hasattr(value, "name") else value
                yield json.dumps(entry, ensure_ascii=False)
        except sqlite3.Error as error:
            raise schema.translated(error, path) from error
        except RecordError as error:
            raise schema.damaged(path, str(error)) from error


_KINDS: Final[dict[type[Record], str]] = {
    IntervalRecord: "interval",
    FreezeRecord: "freeze",
    AdjustmentRecord: "adjustment",
    EventRecord: "event",
}


def _text(value: Decimal) -> str:
    return f"{value:f}"
