"""Findings about the grid from a day's slots: few, one a kind and subject."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cloud_receiver.grid.findings import Draft

KINDS: Final = (
    *("grid_missing", "grid_late", "grid_flagged", "grid_bad_data", "grid_imbalance"),
    *("grid_fallback", "grid_unsolved", "grid_island", "grid_station"),
)
MOST_SUBJECTS: Final = 20
"""Of a kind and day; more of them are one finding of the whole grid."""
IMPROBABLE: Final = 1e-5
"""An imbalance that chance makes so seldom is a finding: with right standard deviations one in a thousand days."""
_SUBJECT_LENGTH: Final = 96
_WHOLE: Final = "grid"

Slots = Sequence[tuple[int, Mapping[str, Any]]]


@dataclass
class _Group:
    """Slots in which something holds of a subject."""

    starts: list[int] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)


def drafts(slots: Slots, stations: Iterable[tuple[int, str, str]] = ()) -> list[Draft]:
    """Return the findings of a day from its slots' summaries.

    `stations`: slot, station and node of each that the slot's grid doesn't have.
    """
    found: list[Draft] = []
    found += _elements("grid_missing", "warning", _listed(slots, "missing"))
    found += _elements("grid_late", "info", _listed(slots, "late"))
    found += _elements("grid_flagged", "warning", _flagged(slots))
    found += _elements("grid_bad_data", "warning", _bad_data(slots))
    found += _elements("grid_island", "warning", _islands(slots))
    found += _imbalance(slots)
    found += _fallback(slots)
    found += _unsolved(slots)
    found += _elements(
        "grid_station", "alarm", ((start, f"station {name}", {"node": node}) for start, name, node in stations)
    )
    return found


def _elements(kind: str, severity: str, told: Iterable[tuple[int, str, Mapping[str, Any]]]) -> Iterator[Draft]:
    groups: dict[str, _Group] = defaultdict(_Group)
    for start, subject, evidence in told:
        group = groups[subject]
        if not group.starts or group.starts[-1] != start:
            group.starts.append(start)
        group.evidence.update(evidence)
    if len(groups) > MOST_SUBJECTS:
        starts = sorted({start for group in groups.values() for start in group.starts})
        evidence = {"slots": len(starts), "subjects": len(groups), "first": sorted(groups)[:MOST_SUBJECTS]}
        yield Draft(kind, _WHOLE, starts[0], starts[-1], severity, evidence)
        return
    for subject, group in sorted(groups.items()):
        evidence = {"slots": len(group.starts), **group.evidence}
        yield Draft(kind, subject[:_SUBJECT_LENGTH], group.starts[0], group.starts[-1], severity, evidence)


def _listed(slots: Slots, name: str) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    for start, summary in slots:
        # Where nothing came at all, the slot is one finding of its own.
        if summary["told"]:
            yield from ((start, subject, {}) for subject in summary[name]["first"])


def _flagged(slots: Slots) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    for start, summary in slots:
        yield from ((start, where, {"why": why}) for where, why in summary["flagged"]["first"])


def _bad_data(slots: Slots) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    for start, summary in slots:
        findings = summary.get("reconciliation", {}).get("bad_data", {"first": ()})["first"]
        for element, name, which, measured, corrected, residual, left_out in findings:
            evidence = {"which": which, "measured_mw": measured, "corrected_mw": corrected}
            yield start, f"{element} {name}", {**evidence, "residual": residual, "left_out": left_out}


def _islands(slots: Slots) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    for start, summary in slots:
        if nodes := summary.get("no_source", {"first": ()})["first"]:
            yield start, f"node {nodes[0]}", {"nodes": nodes[:MOST_SUBJECTS], "count": summary["no_source"]["count"]}


def _imbalance(slots: Slots) -> Iterator[Draft]:
    beyond = [
        (start, told)
        for start, summary in slots
        if (told := summary.get("reconciliation")) is not None
        and told["degrees_of_freedom"] > 0
        and (told["probability"] or 0.0) < IMPROBABLE
    ]
    if beyond:
        worst = max((told for _, told in beyond), key=lambda told: told["before_megawatts"] or 0.0)
        evidence = {
            "slots": len(beyond),
            "largest_mw": worst["before_megawatts"],
            "share": worst["before_share"],
            "chi_square": worst["chi_square"],
            "degrees_of_freedom": worst["degrees_of_freedom"],
            "nodes": [node for node, _ in worst["worst"]],
        }
        yield Draft("grid_imbalance", _WHOLE, beyond[0][0], beyond[-1][0], "warning", evidence)


def _fallback(slots: Slots) -> Iterator[Draft]:
    found = [(start, summary) for start, summary in slots if "fallback" in summary]
    if found:
        official = next((summary["official"] for _, summary in found if "official" in summary), None)
        nodes = sorted({node for _, summary in found for node, _ in summary["fallback"]["first"]})
        evidence = {
            "slots": len(found),
            "most_nodes": max(summary["fallback"]["count"] for _, summary in found),
            "nodes": nodes[:MOST_SUBJECTS],
            "official": official,
        }
        severity = "warning" if official is None else "alarm"
        yield Draft("grid_fallback", _WHOLE, found[0][0], found[-1][0], severity, evidence)


def _unsolved(slots: Slots) -> Iterator[Draft]:
    found = [(start, summary["error"]) for start, summary in slots if "error" in summary]
    if found:
        evidence = {"slots": len(found), "why": found[-1][1]}
        yield Draft("grid_unsolved", _WHOLE, found[0][0], found[-1][0], "alarm", evidence)
