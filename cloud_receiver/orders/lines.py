"""What cloud_receiver.orders.shown has made of an order or a result, as lines of text for a terminal."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from cloud_receiver.orders.shown import Object
from cloud_receiver.report_text import printable

_OBEYED: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that move the cursor, turn the direction of writing, or end a line."""


def order_line(order: Object) -> str:
    """Return an order in one line, without the text of a configuration."""
    parts = []
    for name, value in order.items():
        if name == "document":
            parts.append(f"document of {len(value.encode())} bytes")
        elif isinstance(value, list):
            parts += [f"{name} {', '.join(map(str, value))}"] if value else []
        elif value not in {None, False}:
            parts.append(name if value is True else f"{name} {value}")
    return printable(", ".join(parts)) or "-"


def result_lines(result: Object) -> Iterator[str]:
    """Yield a result, whatever its verb."""
    if "values" in result:
        yield f"meter {printable(result['meter'])} at {result['time']}"
        yield from _table((name, item["value"], item["unit"]) for name, item in _by_name(result["values"]))
    if "freezes" in result:
        yield from _freezes(result["freezes"])
        yield from _factors(result["factors"])
    for title, name in (("on their way again", "queued"), ("no longer in the journal", "gone")):
        if name in result:
            ranges = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in result[name])
            yield f"{title}: {ranges or 'none'}"
    if "figures" in result:
        yield from _table((name, str(value)) for name, value in _by_name(result["figures"]))
    if "digest" in result:
        yield from _configuration(result)
    if result.get("refused"):
        yield "not obtained:"
        yield from _table(_by_name(result["refused"]))


def _freezes(freezes: Sequence[Object]) -> Iterator[str]:
    yield f"freezes (冻结), kWh and kgCO2: {len(freezes)}"
    heading = ("time", "kind", "meter", "kWh fwd", "kWh rev", "kgCO2 fwd", "kgCO2 rev", "by", "record")
    amounts = ("energy_forward_kwh", "energy_reverse_kwh", "carbon_forward_kg", "carbon_reverse_kg")
    rows = [
        (
            *(item["time"], item["kind"], item["meter"]),
            *(item[name] for name in amounts),
            *(item["source"], str(item["sequence"] or "-")),
        )
        for item in freezes
    ]
    if rows:
        yield from _table([heading, *rows])


def _factors(factors: Sequence[Object]) -> Iterator[str]:
    yield f"carbon factors (电碳因子), kgCO2/kWh: {len(factors)}"
    heading = ("slot", "factor", "issued", "solve id")
    rows = [
        (item["start"], item["factor_kg_per_kwh"] or "undefined", item["issued"], item["solve_id"]) for item in factors
    ]
    if rows:
        yield from _table([heading, *rows])


def _configuration(result: Object) -> Iterator[str]:
    """Yield the configuration as a TOML file: what is said of it are comments."""
    yield f"# in force: {result['state']}, SHA-256 {result['digest']}"
    if result["previous"] is not None:
        yield f"# a roll-back returns to {result['previous']}"
    for problem in result["problems"]:
        yield f"# problem: {printable(problem)}"
    if result["document"] is not None:
        yield from document_lines(result["document"])


def document_lines(document: str) -> Iterator[str]:
    """Yield the lines of a file as they are, without what a terminal would obey."""
    for line in document.removesuffix("\n").split("\n"):
        yield "".join(
            char
            if char == "\t" or unicodedata.category(char) not in _OBEYED
            else char.encode("unicode_escape").decode()
            for char in line.removesuffix("\r")
        )


def _by_name(content: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return entries in an order for people: they travel in that of their encoded names, the shortest first."""
    return sorted(content.items())


def _table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
