"""`GET /grid`: the newest slot as a page in Chinese and English, without any script."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from cloud_receiver.grid.analysis.fields import Row, Value, decimal
from cloud_receiver.grid.analysis.periods import utc
from cloud_receiver.grid.show_slot import StoredSlot, nodes

CONTENT_TYPE: Final = "text/html; charset=utf-8"
POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1b2733}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}caption{text-align:left;font-weight:600}"
    "th,td{padding:.25rem .6rem;border-bottom:1px solid #d5dde5;text-align:left}"
    "thead th{font-weight:600}tbody th{font-weight:400}.n{text-align:right;font-variant-numeric:tabular-nums}"
    ".f{background:#fff3d6}.u{color:#a03030}code{overflow-wrap:anywhere}"
)
_KINDS: Final = (
    ("plant", "电厂 Power plants"),
    ("substation", "变电站 Substations"),
    ("load", "用户 Loads"),
    ("star", "变压器星点 Transformer star points"),
)
_ORIGINS: Final[Mapping[str | None, str]] = {
    "solved": "求解 solved",
    "held": "沿用 held",
    "official": "官方因子 official",
    None: "",
}
_QUALITIES: Final = {
    "defined": "正常 defined",
    "dead": "无潮流 no through-flow",
    "no_source": "无电源 no source",
    "unknown_origin": "来源不明 origin unknown",
    "bad_input": "量测不可用 measurement unusable",
    "unsolved": "未求解 not solved",
}
_TERMS: Final = (
    ("电源 Sources", "sources_energy_kwh", "sources_kg"),
    ("负荷上送 Loads that feed in", "fed_in_energy_kwh", "fed_in_kg"),
    ("放电 Discharged", "discharged_energy_kwh", "discharged_kg"),
    ("负荷 Loads", "loads_energy_kwh", "loads_kg"),
    ("负出力 Negative generation", "negative_sources_energy_kwh", "negative_sources_kg"),
    ("充电 Charged", "charged_energy_kwh", "charged_kg"),
    ("网损 Losses", "losses_energy_kwh", "losses_kg"),
    ("不平衡 Imbalance", "imbalance_energy_kwh", "imbalance_kg"),
    ("未追踪 Untraced", "undefined_energy_kwh", "untraced_kg"),
    ("残差 Residual", None, "residual_kg"),
)
_RIGHT: Final = ' class="n"'  # headings with a unit are those of numbers


def page(stored: StoredSlot | None, balance: Row | None, centre: str) -> str:
    """Return the page of a slot; without one, that there is none yet."""
    return "".join(_page(stored, balance, centre))


def _page(stored: StoredSlot | None, balance: Row | None, centre: str) -> Iterator[str]:
    yield (
        '<!DOCTYPE html>\n<html lang="zh"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>电网碳因子 Carbon factors of the grid - {escape(centre)}</title><style>{_STYLE}</style></head><body>\n"
        "<h1>电网碳因子 <small>Carbon factors of the grid</small></h1>\n"
    )
    if stored is None:
        yield "<p>尚无已求解的时段。 No slot is solved yet.</p></body></html>\n"
        return
    slot = stored.slot
    yield (
        f"<p>{escape(centre)} · 时段 Slot <time>{utc(slot.start_ms)}</time> (15 min, UTC) · "
        f"版本 version {slot.version} · 求解于 solved <time>{utc(slot.solved_ms)}</time><br>"
        f"solve_id <code>{slot.solve_id.hex()}</code></p>\n"
    )
    known = nodes(stored)
    for kind, heading in _KINDS:
        if rows := [node for node in known if node["kind"] == kind]:
            yield from _nodes(heading, rows)
    if balance is not None:
        yield from _balance(balance)
    yield "</body></html>\n"


def _nodes(heading: str, rows: list[dict[str, Any]]) -> Iterator[str]:
    heads = _heads(
        "节点 Node", "名称 Name", "碳因子 Factor, kgCO₂/kWh", "来源 Origin", "质量 Quality", "通量 Through-flow, MW"
    )
    yield f"<table><caption>{heading} ({len(rows)})</caption>{heads}"
    for row in rows:
        factor, flux, origin = row["factor_kg_per_kwh"], row["through_flow_mw"], row["origin"]
        mark = ' class="u"' if factor is None else "" if origin == "solved" else ' class="f"'
        yield (
            f'<tr{mark}><th scope="row">{escape(str(row["node"]))}</th><td>{escape(str(row["name"]))}</td>'
            f'<td class="n">{"未定义 undefined" if factor is None else escape(str(factor))}</td>'
            f"<td>{_ORIGINS.get(origin, '')}</td><td>{_QUALITIES.get(row['quality'], '')}</td>"
            f'<td class="n">{"" if flux is None else f"{flux:.3f}"}</td></tr>\n'
        )
    yield "</tbody></table>\n"


def _heads(*headings: str) -> str:
    cells = (f'<th scope="col"{_RIGHT if "," in heading else ""}>{heading}</th>' for heading in headings)
    return f"<thead><tr>{''.join(cells)}</tr></thead><tbody>\n"


def _balance(balance: Row) -> Iterator[str]:
    heads = _heads("项目 Term", "电量 Energy, kWh", "碳量 Carbon, kgCO₂")
    yield f"<table><caption>平衡 Balance</caption>{heads}"
    for heading, energy, carbon in _TERMS:
        amounts = ("" if energy is None else _exact(balance[energy], 6), _exact(balance[carbon], 9))
        yield f'<tr><th scope="row">{heading}</th><td class="n">{amounts[0]}</td><td class="n">{amounts[1]}</td></tr>\n'
    yield "</tbody></table>\n"


def _exact(value: Value, digits: int) -> str:
    return decimal(value, digits) if isinstance(value, int) else ""
