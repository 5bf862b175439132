"""Metrics in the text form that Prometheus reads (exposition format 0.0.4).

A program declares its metric families once and fills a page with their values when somebody asks: what it counts stays
where it is counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Value = int | float


class MetricError(ValueError):
    """A value that does not belong to a declared family; the text names the metric."""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: its name after the Prometheus conventions, kind, meaning, and the names of its labels."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()


@dataclass(slots=True)
class Histogram:
    """Counts by upper bound; a value beyond all bounds counts too."""

    bounds: Sequence[Value]  # ascending
    counts: list[int] = field(default_factory=list)  # not cumulative; one more than there are bounds
    total: Value = 0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def add(self, value: Value) -> None:
        """Count a value."""
        place = next((index for index, bound in enumerate(self.bounds) if value <= bound), len(self.bounds))
        self.counts[place] += 1
        self.total += value


class Page:
    """The values of all families at one moment."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families: Mapping[str, Family] = {family.name: family for family in families}
        self._lines: dict[str, list[str]] = {name: [] for name in self._families}

    def put(self, name: str, value: Value, *labels: str) -> None:
        """Add a sample; MetricError when the family is not declared so."""
        family = self._family(name, labels)
        if family.kind == "histogram":
            raise MetricError(f"{name}: expected a histogram")
        self._lines[name].append(f"{name}{_labelled(family.labels, labels)} {_number(value)}\n")

    def put_histogram(self, name: str, histogram: Histogram, *labels: str) -> None:
        """Add a histogram: its cumulative buckets, sum and count."""
        family = self._family(name, labels)
        if family.kind != "histogram":
            raise MetricError(f"{name}: expected a single value, not a histogram")
        lines, seen = self._lines[name], 0
        names = (*family.labels, "le")
        for bound, count in zip([*histogram.bounds, "+Inf"], histogram.counts, strict=True):
            seen += count
            le = bound if isinstance(bound, str) else _number(bound)
            lines.append(f"{name}_bucket{_labelled(names, (*labels, le))} {seen}\n")
        lines.append(f"{name}_sum{_labelled(family.labels, labels)} {_number(histogram.total)}\n")
        lines.append(f"{name}_count{_labelled(family.labels, labels)} {seen}\n")

    def text(self) -> str:
        """Return the page; a family without samples is left out."""
        parts = []
        for name, lines in self._lines.items():
            if lines:
                family = self._families[name]
                meaning = family.meaning.replace("\\", r"\\").replace("\n", r"\n")
                parts += [f"# HELP {name} {meaning}\n# TYPE {name} {family.kind}\n", *lines]
        return "".join(parts)

    def _family(self, name: str, labels: Sequence[str]) -> Family:
        family = self._families.get(name)
        if family is None:
            raise MetricError(f"{name}: no such metric is declared")
        if len(labels) != len(family.labels):
            raise MetricError(f"{name}: expected the labels {', '.join(family.labels) or '(none)'}, got {labels!r}")
        return family


def _labelled(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: Value) -> str:
    return str(int(value)) if isinstance(value, int) else repr(value)
