"""A network and its factors as tables for people (English and Chinese) and as JSON."""

import json
from collections.abc import Iterable
from typing import Any, Final

from cloud_receiver.grid.flags import Flag, island_flags, missing_flags, open_flags
from cloud_receiver.grid.snapshot import Network
from cloud_receiver.grid.solving import Solved, factor_text
from cloud_receiver.grid.sums import NodeSums, end_powers, node_sums
from cloud_receiver.report_text import aligned, printable

_QUALITIES: Final = {
    "defined": "",
    "dead": "no through-flow 无潮流",
    "no_source": "no source feeds it 无电源",
    "unknown_origin": "origin unknown 来源不明",
    "bad_input": "measurement unusable 量测不可用",
    "unsolved": "not solved 未求解",
}
_BALANCE: Final = {
    "sources": "sources 电源",
    "loads": "loads 负荷",
    "losses": "losses 网损",
    "negative_sources": "negative generation 负出力",
    "storages": "storages, charged 储能充电",
    "dropped": "dropped at dead nodes 舍弃",
    "imbalance": "of unbalanced power 不平衡功率",
    "residual": "residual 残差",
}


def solved_text(solved: Solved) -> str:
    """Return the factors, the balance and the flags as tables."""
    flow = solved.flow
    rows = [["node 节点", "name 名称", "factor 碳因子 kgCO2/kWh", "through-flow 有功通量 MW", "remark 备注"]]
    nodes = zip(solved.network.grid.nodes, flow.factors, flow.flux_megawatts, flow.qualities, strict=True)
    for node, factor, flux, quality in nodes:
        shown = factor_text(factor) or "undefined 未定义"
        rows.append([node.id, printable(node.name), shown, f"{flux:.3f}", _QUALITIES.get(quality, quality)])
    balance = flow.balance
    terms = [[text, _unsigned_zero(f"{balance[key]:.6f}")] for key, text in _BALANCE.items() if key != "residual"]
    terms.append([_BALANCE["residual"], f"{balance['residual']:.3e}"])
    terms.append(["relative 相对值", f"{balance['relative_residual']:.1e}"])
    lines = [
        *_head(solved.network),
        *aligned(rows, right={2, 3}),
        "",
        "Balance 碳平衡, tCO2/h: sources = all others 电源 = 其余各项之和",
        *(f"  {line}" for line in aligned(terms, right={1})),
        "",
        *_flag_lines(solved.flags),
    ]
    return "\n".join(lines) + "\n"


def solved_json(solved: Solved) -> str:
    """Return everything that was solved; factors with six decimals as dispatched, and unrounded; null: undefined."""
    grid, snapshot, flow = solved.network.grid, solved.network.snapshot, solved.flow
    columns = zip(
        *(grid.nodes, flow.factors, flow.qualities, flow.flux_megawatts),
        *(flow.imbalances_megawatts, flow.unknown_shares),
        strict=True,
    )
    document = _network(solved.network) | {
        "units": {"power": "MW", "factor": "kgCO2/kWh", "carbon_rate": "tCO2/h"},
        "convention": "loss-borne",
        "nodes": [
            {
                "id": node.id,
                "name": node.name,
                "kind": node.kind,
                "aliases": list(node.aliases),
                "factor": None if (text := factor_text(factor)) is None else float(text),
                "factor_unrounded": factor,
                "quality": quality,
                "through_flow_mw": flux,
                "imbalance_mw": imbalance,
                "unknown_share": share,
            }
            for node, factor, quality, flux, imbalance, share in columns
        ],
        "branches": [
            {"id": branch.id, "from_node": branch.start, "to_node": branch.end, "kind": branch.kind}
            | {"open": branch.id in snapshot.open_branches}
            | dict(zip(("p_from_mw", "p_to_mw"), end_powers(snapshot, branch.id), strict=True))
            | {"carbon_forward": forward, "carbon_reverse": reverse, "carbon_loss": loss}
            for branch, (forward, reverse, loss) in zip(grid.branches, flow.branches, strict=True)
        ],
        "generators": _carbon(grid.generators, flow.sources),
        "loads": _carbon(grid.loads, flow.loads),
        "storages": _carbon(grid.storages, flow.storages),
        "balance": flow.balance,
        "flags": _flags(solved.flags),
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _carbon(items: Iterable[Any], rates: Iterable[float | None]) -> list[dict[str, object]]:
    return [{"id": item.id, "node": item.node, "carbon": rate} for item, rate in zip(items, rates, strict=True)]


def network_text(network: Network) -> str:
    """Return a network and what was measured on it as tables: nothing is solved."""
    sums = node_sums(network.grid, network.snapshot)
    heads = (
        "node 节点",
        "name 名称",
        "kind 类型",
        "branches 支路",
        "generation 发电 MW",
        "load 负荷 MW",
        "imbalance 不平衡 MW",
    )
    rows = [list(heads)]
    for node in network.grid.nodes:
        own = sums[node.id]
        powers = (own.generation, own.load + own.storage, own.imbalance)
        rows.append(
            [node.id, printable(node.name), node.kind, str(own.branches), *(_megawatts(power) for power in powers)]
        )
    totals = _totals(sums)
    terms = [
        ["generation 发电", _megawatts(totals["generation_mw"])],
        ["load 负荷", _megawatts(totals["load_mw"])],
        ["storage, net 储能净充", _megawatts(totals["storage_mw"])],
        ["losses of branches 支路损耗", _megawatts(totals["losses_mw"])],
        ["imbalance, absolute 不平衡绝对值之和", _megawatts(totals["imbalance_mw"])],
    ]
    lines = [
        *_head(network),
        *aligned(rows, right={3, 4, 5, 6}),
        "",
        "Sums 合计, MW",
        *(f"  {line}" for line in aligned(terms, right={1})),
        "",
        *_flag_lines(_measured_flags(network)),
    ]
    return "\n".join(lines) + "\n"


def network_json(network: Network) -> str:
    """Return a network's nodes with their sums, its elements, and its flags."""
    grid, snapshot = network.grid, network.snapshot
    sums = node_sums(grid, snapshot)
    document = _network(network) | {
        "nodes": [
            {"id": node.id, "name": node.name, "kind": node.kind, "aliases": list(node.aliases)}
            | {"branches": sums[node.id].branches, "generation_mw": sums[node.id].generation}
            | {"load_mw": sums[node.id].load, "storage_mw": sums[node.id].storage}
            | {"imbalance_mw": sums[node.id].imbalance}
            for node in grid.nodes
        ],
        "branches": [
            {"id": branch.id, "from_node": branch.start, "to_node": branch.end, "kind": branch.kind}
            | {"open": branch.id in snapshot.open_branches}
            | dict(zip(("p_from_mw", "p_to_mw"), end_powers(snapshot, branch.id), strict=True))
            for branch in grid.branches
        ],
        "sums": _totals(sums),
        "flags": _flags(_measured_flags(network)),
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _measured_flags(network: Network) -> list[Flag]:
    return [*island_flags(network), *open_flags(network.snapshot), *missing_flags(network)]


def _totals(sums: dict[str, NodeSums]) -> dict[str, float]:
    return {
        "generation_mw": sum(own.generation for own in sums.values()),
        "load_mw": sum(own.load for own in sums.values()),
        "storage_mw": sum(own.storage for own in sums.values()),
        "losses_mw": sum(own.outflow for own in sums.values()),
        "imbalance_mw": sum(abs(own.imbalance) for own in sums.values()),
    }


def _megawatts(power: float) -> str:
    return _unsigned_zero(f"{power:.3f}")


def _unsigned_zero(text: str) -> str:
    return text if text.strip("-0.") else text.removeprefix("-")


def _network(network: Network) -> dict[str, Any]:
    grid = network.grid
    return {
        "network": network.name,
        "source": network.source,
        "topology": grid.digest,
        "counts": {
            "nodes": len(grid.nodes),
            "branches": len(grid.branches),
            "generators": len(grid.generators),
            "loads": len(grid.loads),
            "storages": len(grid.storages),
        },
        "hours": network.snapshot.hours,
    }


def _head(network: Network) -> list[str]:
    grid = network.grid
    counts = (
        f"{len(grid.nodes)} nodes 节点, {len(grid.branches)} branches 支路 "
        f"({len(network.snapshot.open_branches)} open 断开), {len(grid.generators)} generators 电源, "
        f"{len(grid.loads)} loads 负荷, {len(grid.storages)} storages 储能"
    )
    name = printable(" ".join(part for part in (network.name, network.source and f"({network.source})") if part))
    return [f"Network 网络: {name}", f"  {counts}", f"  topology 拓扑 {grid.digest[:16]}", ""]


def _flags(flags: Iterable[Flag]) -> list[dict[str, object]]:
    return [{"kind": flag.kind, "where": flag.where, "text": flag.text, "nodes": list(flag.nodes)} for flag in flags]


def _flag_lines(flags: Iterable[Flag]) -> list[str]:
    lines = [f"  {printable(flag.where)}: {flag.text}" for flag in flags]
    return ["Flags 标记", *(lines or ["  none 无"])]
