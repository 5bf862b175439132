"""Networks as JSON, written in the format that `reference` reads."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cloud_receiver.grid.model import BranchKind, Node
from cloud_receiver.grid.reference import COLUMNS, DEFAULT_COLUMNS, REGISTERS
from cloud_receiver.grid.snapshot import Charge, Demand, EndRegisters, Flow, Generation, Network


def dumps(network: Network) -> str:
    """Return a network as the text of such a file, with the optional headings only where they say something."""
    grid, snapshot = network.grid, network.snapshot
    rows: dict[str, list[dict[str, Any]]] = {
        "node": [
            {"id": node.id, "kind": node.kind, "name": node.name or None, "aliases": list(node.aliases) or None}
            for node in grid.nodes
            if node != Node(node.id)
        ],
        "branch": [
            {"id": item.id, "from_bus": item.start, "to_bus": item.end}
            | _flow(snapshot.flows.get(item.id))
            | {"kind": None if item.kind is BranchKind.LINE else item.kind}
            | {"open": True if item.id in snapshot.open_branches else None}
            for item in grid.branches
        ],
        "gen": [
            {"id": item.id, "bus": item.node} | _made(snapshot.generators.get(item.id)) for item in grid.generators
        ],
        "load": [
            {"id": item.id, "bus": item.node} | _used(snapshot.loads.get(item.id)) | {"station": item.station or None}
            for item in grid.loads
        ],
        "storage": [
            {"id": item.id, "bus": item.node} | _charge(snapshot.storages.get(item.id)) for item in grid.storages
        ],
    }
    document: dict[str, Any] = {
        "case": network.name,
        "source": network.source,
        "units": {"power": "MW", "factor": "kgCO2/kWh = tCO2/MWh", "carbon_rate": "tCO2/h"},
        "hours": snapshot.hours,
        "bus": [node.id for node in grid.nodes],
    }
    for key, items in rows.items():
        required, optional = COLUMNS[key]
        always = (*required, *(name for name in DEFAULT_COLUMNS[key] if name not in required and key != "node"))
        headings = [name for name in (*required, *optional) if name in always or _said(items, name)]
        if items or key in ("branch", "gen", "load"):
            document[f"{key}_columns"] = headings
            document[key] = [[_cell(name, row.get(name)) for name in headings] for row in items]
    return json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"


def _said(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(row.get(name) is not None for row in rows)


def _cell(name: str, value: object) -> object:
    return value is True if name == "open" else value


def _flow(flow: Flow | None) -> dict[str, Any]:
    if isinstance(flow, EndRegisters):
        values = (flow.from_in_megawatts, flow.from_out_megawatts, flow.to_in_megawatts, flow.to_out_megawatts)
        return dict(zip(REGISTERS, values, strict=True))
    return {} if flow is None else {"p_from_mw": flow.from_megawatts, "p_to_mw": flow.to_megawatts}


def _made(value: Generation | None) -> dict[str, Any]:
    return (
        {} if value is None else {"p_mw": value.megawatts, "factor": value.factor, "emission_t_per_h": value.emission}
    )


def _used(value: Demand | None) -> dict[str, Any]:
    return {} if value is None else {"p_mw": value.megawatts, "factor": value.factor}


def _charge(value: Charge | None) -> dict[str, Any]:
    if value is None:
        return {}
    return {
        "charge_mw": value.charge_megawatts,
        "discharge_mw": value.discharge_megawatts,
        "charge_efficiency": value.charge_efficiency,
        "discharge_efficiency": value.discharge_efficiency,
        "stored_mw_h": value.stored_megawatt_hours,
        "stored_t": value.stored_tonnes,
        "unknown_mw_h": value.unknown_megawatt_hours,
    }
