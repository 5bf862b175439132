"""The mutation table (变异测试表): text for people, or Markdown for a page."""

import textwrap
from collections.abc import Sequence
from typing import Final

from firmware_sim.inspection.defects.mutations import Mutation, MutationRun
from firmware_sim.inspection.result import Verdict

CAUGHT: Final = "caught"
MISSED: Final = "NOT CAUGHT"
_WIDTH: Final = 120
_HEAD: Final = ("defect", "expected item", "caught by", "verdict", "title")


def table(run: MutationRun, *, why: bool = False) -> str:
    """Return the table, columns aligned; below each defect the other items that caught it, where they were asked.

    With `why`, another line says what its own item found.
    """
    rows = [_row(mutation) for mutation in run.mutations]
    widths = [max(len(row[column]) for row in (_HEAD, *rows)) for column in range(len(_HEAD) - 1)]
    lines = [_aligned(_HEAD, widths), "  ".join("-" * width for width in (*widths, len(_HEAD[-1])))]
    for mutation, row in zip(run.mutations, rows, strict=True):
        lines.append(_aligned(row, widths))
        if why:
            lines.append(f"    {_evidence(mutation)}")
        lines += textwrap.wrap(_others(mutation), _WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join([*lines, "", *_conclusion(run)])


def markdown(run: MutationRun) -> str:
    """Return the table in Markdown, with what the programmer did wrong."""
    lines = ["| defect | 缺陷 | what the programmer did wrong | caught by | verdict |", "|---|---|---|---|---|"]
    for mutation in run.mutations:
        defect = mutation.defect
        _, expected, caught, verdict, _ = _row(mutation)
        told = caught if mutation.is_caught else f"expected {expected}; {caught}"
        lines.append(f"| {defect.title} | {defect.title_zh} | {defect.mistake} | {told} | {verdict} |")
    return "\n".join([*lines, "", *_conclusion(run)])


def _row(mutation: Mutation) -> tuple[str, ...]:
    defect, caught_by = mutation.defect, mutation.caught_by
    more = f" and {len(caught_by) - 1} more" if len(caught_by) > 1 else ""
    return (
        defect.id,
        defect.caught_by,
        f"{caught_by[0]}{more}" if caught_by else "-",
        CAUGHT if mutation.is_caught else MISSED,
        f"{defect.title} {defect.title_zh}",
    )


def _others(mutation: Mutation) -> str:
    others = [name for name in mutation.caught_by if name != mutation.defect.caught_by]
    return f"also caught by {', '.join(others)}" if others else ""


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]])


def _evidence(mutation: Mutation) -> str:
    found = mutation.findings[0]
    return found.why or str(found.verdict)


def _conclusion(run: MutationRun) -> list[str]:
    bad = [found for one in run.healthy for found in one.bad]
    lines = [f"healthy meter: {found.item}: {found.verdict}: {found.why}" for found in bad]
    if not bad:
        passed = {found.item for one in run.healthy for found in one.findings if found.verdict is Verdict.PASSED}
        lines.append(f"healthy meter: passed {len(passed)} items, failed none")
    caught = sum(mutation.is_caught for mutation in run.mutations)
    lines.append(f"defects: {caught} of {len(run.mutations)} caught by the item that should catch them")
    return lines
