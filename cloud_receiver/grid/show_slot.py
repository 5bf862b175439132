"""`diantan-receiver grid show --slot TIME`: a slot of the store with its factors, its measurements and its versions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from cloud_receiver.grid import shelf, shown
from cloud_receiver.grid.analysis.fields import decimal
from cloud_receiver.grid.analysis.periods import Span, utc
from cloud_receiver.grid.history import TERMS, HistoryError
from cloud_receiver.grid.history_versions import Version, versions
from cloud_receiver.grid.kept import KeptSlot, NodeQuality
from cloud_receiver.grid.shelf import KeptGrid
from cloud_receiver.grid.show_snapshot import snapshot_of
from cloud_receiver.grid.snapshot import Network
from cloud_receiver.report_text import aligned, printable
from wire.messages import Origin


@dataclass(frozen=True)
class StoredSlot:
    """A slot: the version that is shown, its grid, and all versions."""

    slot: KeptSlot
    kept: KeptGrid
    versions: tuple[Version, ...]

    @property
    def network(self) -> Network:
        """What was measured, as a network."""
        snapshot = snapshot_of(self.kept.grid, self.slot.measured, self.slot.start_ms)
        return Network(self.kept.grid, snapshot, self.kept.name, f"slot {utc(self.slot.start_ms)}")


def read(connection: Connection, span: Span, version: int | None = None) -> StoredSlot:
    """Return a slot, in its newest version or in one of a number; HistoryError where there is none."""
    found = tuple(versions(connection, span))
    if not found:
        raise HistoryError(f"no slot {utc(span.first_ms)} is stored")
    wanted = [item for item in found if version in {None, item.slot.version}]
    if not wanted:
        known = ", ".join(str(item.slot.version) for item in found)
        raise HistoryError(f"slot {utc(span.first_ms)} has no version {version} (versions: {known})")
    slot = wanted[-1].slot
    return StoredSlot(slot, shelf.grids(connection)[slot.grid], found)


def text(stored: StoredSlot) -> str:
    """Return a slot as tables: factors, measurements, what was noted, versions."""
    slot = stored.slot
    rows = [
        ["node 节点", "name 名称", "factor 碳因子 kgCO2/kWh", "origin 来源", "quality 质量", "through-flow 通量 MW"]
    ]
    for node in nodes(stored):
        factor, flux = node["factor_kg_per_kwh"], node["through_flow_mw"]
        rows.append(
            [
                *(str(node["node"]), printable(str(node["name"])), str(factor or "undefined 未定义")),
                *(str(node["origin"] or ""), str(node["quality"]), "" if flux is None else f"{flux:.3f}"),
            ]
        )
    lines = [
        f"Slot 时段 {utc(slot.start_ms)}, version {slot.version} of {len(stored.versions)}, grid {slot.grid}",
        f"  solve_id {slot.solve_id.hex()}, solved {utc(slot.solved_ms)}",
        "",
        *aligned(rows, right={2, 5}),
        "",
        shown.network_text(stored.network).rstrip("\n"),
        "",
        "Notes 记录",
        *(f"  {line}" for line in _notes(slot.summary) or ["none 无"]),
        "",
        "Versions 版本",
        *(f"  {printable(version.line())}" for version in stored.versions),
    ]
    return "\n".join(lines) + "\n"


def document(stored: StoredSlot) -> dict[str, Any]:
    """Return all of a slot as JSON has it."""
    slot = stored.slot
    return {
        "interval_start_utc": utc(slot.start_ms),
        "version": slot.version,
        "versions": [version.record() for version in stored.versions],
        "solve_id": slot.solve_id.hex(),
        "solved_utc": utc(slot.solved_ms),
        **TERMS,
        "factors": nodes(stored),
        "measured": json.loads(shown.network_json(stored.network)),
        "summary": slot.summary,
    }


def nodes(stored: StoredSlot) -> list[dict[str, Any]]:
    """Return the nodes of a slot with their factors, exact as they were sent."""
    results = stored.slot.nodes
    columns = zip(
        stored.kept.grid.nodes,
        *(results.dispatched, results.origins, results.qualities, results.flux),
        strict=True,
    )
    return [
        {
            "node": node.id,
            "name": node.name,
            "kind": node.kind.value,
            "factor_kg_per_kwh": None if sent is None else decimal(sent, 6),
            "origin": None if sent is None else Origin(origin).name.lower(),
            "quality": NodeQuality(quality).name.lower(),
            "through_flow_mw": flux if flux == flux else None,  # noqa: PLR0124 - NaN isn't itself
        }
        for node, sent, origin, quality, flux in columns
    ]


def _notes(summary: Mapping[str, Any]) -> list[str]:
    """Return what the grid service noted: counts, and the first of what it counted."""
    lines = []
    for name in ("missing", "late", "estimated", "doubtful", "flagged", "faults", "fallback", "no_source"):
        found = summary.get(name)
        if isinstance(found, dict) and found.get("count"):
            first = "; ".join(_said(item) for item in found["first"][:5])
            lines.append(printable(f"{name}: {found['count']}: {first}"))
    if isinstance(error := summary.get("error"), str):
        lines.append(printable(f"error: {error}"))
    if isinstance(repair := summary.get("reconciliation"), dict):
        corrections, bad = repair["corrections"], repair["bad_data"]
        lines.append(
            f"reconciliation 数据协调: {repair['before_megawatts']:.3f} -> {repair['after_megawatts']:.3f} MW, "
            f"{corrections['count']} corrections of {corrections['megawatts']:.3f} MW, {bad['count']} bad data 坏数据"
        )
        lines += [printable(f"  {label}: {difference:+.3f} MW") for label, difference in corrections["largest"][:5]]
        lines += [printable(f"  bad data: {_said(item)}") for item in bad["first"][:5]]
    return lines


def _said(item: object) -> str:
    return ": ".join(map(str, item)) if isinstance(item, list) else str(item)
