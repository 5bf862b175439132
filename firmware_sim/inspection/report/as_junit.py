"""The report as JUnit XML, for a manufacturer's CI: one suite a group, one case an item."""

import re
from typing import Final
from xml.etree import ElementTree as ET

from firmware_sim.inspection.report.model import GROUPS, Report
from firmware_sim.inspection.result import ItemInfo, ItemResult, Verdict

# XML 1.0 has no place for other control characters, not even escaped: what a device says may hold any.
_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MOST_NAMED: Final = 50


def as_junit(report: Report) -> str:
    """Return the report; items that were not performed are skipped cases, faults of the bench are errors."""
    root = ET.Element("testsuites", name=_clean(f"inspection {report.subject.number}"))
    for group in GROUPS:
        infos = [info for info in report.items if info.group == group]
        if not infos:
            continue
        results = [report.of(info) for info in infos]
        suite = ET.SubElement(root, "testsuite", {"name": group, **_counts(results)})
        for info, result in zip(infos, results, strict=True):
            _case(suite, info, result)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _counts(results: list[ItemResult]) -> dict[str, str]:
    verdicts = [result.verdict for result in results]
    skipped = verdicts.count(Verdict.SKIPPED) + verdicts.count(Verdict.NOT_PERFORMED)
    return {
        "tests": str(len(verdicts)),
        "failures": str(verdicts.count(Verdict.FAILED)),
        "errors": str(verdicts.count(Verdict.ERROR)),
        "skipped": str(skipped),
        "time": _seconds(sum(result.ended_ms - result.started_ms for result in results)),
    }


def _case(suite: ET.Element, info: ItemInfo, result: ItemResult) -> None:
    case = ET.SubElement(
        suite, "testcase", classname=info.group, name=info.id, time=_seconds(result.ended_ms - result.started_ms)
    )
    match result.verdict:
        case Verdict.FAILED:
            wrong = _wrong(result)
            failure = ET.SubElement(case, "failure", message=_clean(wrong[0] if wrong else result.note))
            failure.text = _clean("\n".join(wrong))
        case Verdict.ERROR:
            ET.SubElement(case, "error", message=_clean(result.note))
        case Verdict.SKIPPED | Verdict.NOT_PERFORMED:
            ET.SubElement(case, "skipped", message=_clean(result.note or result.verdict.value))
        case Verdict.PASSED:
            pass


def _wrong(result: ItemResult) -> list[str]:
    steps = [f"{step.what}: expected {step.expected}, found {step.found}" for step in result.steps if not step.good]
    points = [
        f"{point.key}: error {point.rounded_percent} % (mean {point.mean_percent} %), limit {point.limit_percent} %"
        for point in result.points
        if not point.good
    ]
    named = [*steps, *points]
    more = len(named) - _MOST_NAMED
    return [*named[:_MOST_NAMED], *([f"and {more} more"] if more > 0 else [])]


def _seconds(duration_ms: int) -> str:
    return f"{duration_ms // 1000}.{duration_ms % 1000:03}"


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text)
