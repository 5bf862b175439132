"""The report as JSON: every reading, nothing rounded that was not rounded before."""

import dataclasses
import json
from typing import Any

from firmware_sim.inspection.report.model import Report

FORM = 1


def as_json(report: Report) -> str:
    """Return the report; the keys are the names of the dataclasses' fields (docs/inspection.md)."""
    document: dict[str, Any] = {
        "form": FORM,
        "kind": report.kind,
        "conclusion": report.verdict.value,
        "summary": dict(zip(("en", "zh"), report.summary(), strict=True)),
        "whole": report.whole,
        "subject": dataclasses.asdict(report.subject),
        "environment": dataclasses.asdict(report.environment),
        "rating": dataclasses.asdict(report.rating),
        "limits": report.limits,
        "equipment": dict(report.equipment),
        "program": report.program,
        "timezone": report.timezone,
        "begun_ms": report.begun_ms,
        "ended_ms": report.ended_ms,
        "items": [_item(report, index) for index in range(len(report.items))],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _item(report: Report, index: int) -> dict[str, Any]:
    info = report.items[index]
    described = {**dataclasses.asdict(info), "needs": sorted(info.needs)}
    return {**described, **dataclasses.asdict(report.of(info))}
