"""What an import came to, as text and as a document."""

from cloud_receiver.grid.series_told import time_text
from cloud_receiver.metered_import.registers import kwh
from cloud_receiver.metered_import.wish import Outcome, Wish
from cloud_receiver.mistakes import MOST_SHOWN, Problem

MOST_TOLD = 1000
"""Mistakes of a document."""


def document(outcome: Outcome, wish: Wish) -> dict[str, object]:
    """Return the outcome as a document of JSON; energies in kWh, exactly, as text."""
    series = outcome.series
    return {
        "station": wish.station.id,
        "meter": wish.meter.id,
        "gateway": wish.meter.gateway,
        "file": wish.name,
        "sha256": outcome.sha256,
        "dry_run": wish.dry_run,
        "lines": series.lines,
        "form": "registers" if series.registers else "energies",
        "intervals": len(series.steps),
        "interval_s": wish.meter.interval_s,
        "first_interval_start_utc": time_text(outcome.first_ms) if series.steps else None,
        "last_interval_end_utc": time_text(outcome.end_ms) if series.steps else None,
        "new": outcome.new,
        "corrected": outcome.corrected,
        "known": outcome.same,
        "refused": outcome.refused,
        "gaps": outcome.gaps,
        "lines_without_value": series.valueless,
        "lines_repeated": series.repeated,
        "lines_of_a_skipped_hour": series.skipped,
        "lines_of_a_double_hour": series.doubled,
        "lines_left_out": outcome.told.count,
        "intervals_divided": outcome.divided,
        "intervals_without_factor": outcome.without_factor,
        "forward_kwh": kwh(outcome.forward_mwh),
        "reverse_kwh": kwh(outcome.reverse_mwh),
        "records": outcome.records,
        "journal": outcome.context or None,
        "journal_begun": outcome.begun,
        "key_enrolled": outcome.key or None,
        "mistakes": [told(problem) for problem in (*outcome.told.problems, *outcome.contradictions)[:MOST_TOLD]],
    }


def told(problem: Problem) -> dict[str, str]:
    """Return a mistake as an object."""
    return {"mistake": problem.mistake.value, "file": problem.file, "place": problem.place, "text": problem.text}


def text(outcome: Outcome, wish: Wish) -> list[str]:
    """Return the outcome as lines."""
    series = outcome.series
    if not series.steps and not outcome.records:
        return [f"{wish.meter.id}: {series.lines} lines, no interval of them"]
    would = "would be " if wish.dry_run else ""
    whole = f"{series.lines} lines, {len(series.steps)} intervals of {wish.meter.interval_s} s"
    found = f"{outcome.new} {would}new, {outcome.corrected} corrected, {outcome.same} known already"
    entered = f"{kwh(outcome.forward_mwh)} kWh forward (正向), {kwh(outcome.reverse_mwh)} kWh reverse (反向)"
    lines = [
        f"{wish.meter.id} of {wish.station.id}: {whole}, {time_text(outcome.first_ms)} to {time_text(outcome.end_ms)}",
        f"  {found}, {outcome.refused} refused: stored with other values",
        f"  {would}entered: {entered}, {outcome.records} records",
    ]
    odd = (
        (outcome.gaps, "gaps of intervals (缺口)"),
        (series.valueless, "lines without a value (缺数)"),
        (series.repeated, "lines that repeat another one"),
        (series.skipped, "empty lines of an hour that clocks left out"),
        (series.doubled, "lines of an hour that clocks showed twice"),
        (outcome.told.count, "lines left out"),
        (outcome.divided, "intervals divided, at a change of the factor or a midnight"),
        (outcome.without_factor, "intervals without a carbon factor (`readings settle` once there is one)"),
    )
    lines += [f"  {count} {what}" for count, what in odd if count]
    if outcome.key:
        lines.append(f"  gateway {wish.meter.gateway}: key {outcome.key} made and enrolled")
    if outcome.context:
        begun = ", begun for it" if outcome.begun else ""
        lines.append(f"  journal {outcome.context}{begun}; file SHA-256 {outcome.sha256}")
    return lines


def mistakes(outcome: Outcome) -> list[str]:
    """Return what was left out and what contradicts the store, a bounded number of lines."""
    problems = [*outcome.told.problems, *outcome.contradictions]
    count = outcome.told.count + outcome.refused
    more = [f"and {count - MOST_SHOWN} more"] if count > MOST_SHOWN else []
    return [*(str(problem) for problem in problems[:MOST_SHOWN]), *more]
