"""Every form of the report says what was measured, no more and no less, whatever a device has said."""

import io
import json
from dataclasses import asdict, replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from docx import Document
from report_support import ITEMS, NASTY, RESULTS, report

from firmware_sim.inspection.report.as_docx import as_docx
from firmware_sim.inspection.report.as_html import as_html
from firmware_sim.inspection.report.as_json import as_json
from firmware_sim.inspection.report.as_junit import as_junit
from firmware_sim.inspection.report.model import curves
from firmware_sim.inspection.result import Verdict

OPEN = "The inspection could not be completed: no conclusion."


class Page(HTMLParser):
    """The texts of a page and its elements, which must close in the order in which they opened."""

    VOID = frozenset({"meta", "br", "line", "circle", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.elements: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        assert not any(name in {"src", "href"} for name, _ in attrs), "nothing may come from elsewhere"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page() -> Page:
    found = Page()
    found.feed(as_html(report()))
    found.close()
    assert found.open == []
    return found


def texts_of_document(data: bytes) -> list[str]:
    document = Document(io.BytesIO(data))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return [*(paragraph.text for paragraph in document.paragraphs), *cells]


def test_json_has_every_reading() -> None:
    found = json.loads(as_json(report()))
    items = {item["id"]: item for item in found["items"]}
    assert [item["id"] for item in found["items"]] == [info.id for info in ITEMS]
    points = items["metering.carbon.fixed"]["points"]
    assert points == [json.loads(json.dumps(asdict(point))) for point in RESULTS["metering.carbon.fixed"].points]
    assert items["laboratory.emc"]["verdict"] == "not performed here"
    assert (found["conclusion"], found["subject"]["inspector"]) == ("failed", "张三")
    assert items["function.display"]["steps"][0]["found"] == NASTY


def test_junit_counts_and_names_what_is_wrong() -> None:
    root = ET.fromstring(as_junit(report()))
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == ["electricity", "metering", "function", "robustness", "laboratory"]
    counts = {
        name: [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] for name, suite in suites.items()
    }
    assert counts["metering"] == ["1", "1", "0", "0"]
    assert counts["robustness"] == ["1", "0", "1", "0"]
    assert counts["laboratory"] == ["1", "0", "0", "1"]
    failure = suites["metering"].find("testcase/failure")
    assert failure is not None
    assert failure.text == "5000/0.5/register: error +1.2 % (mean 1.250000 %), limit 1 %"
    assert suites["electricity"].find("testcase").get("time") == "1.500"  # type: ignore[union-attr]  # it is there
    # What the device said has no octets that XML can't hold.
    assert "alert" in (suites["function"].find("testcase/failure").text or "")  # type: ignore[union-attr]  # likewise


def test_html_is_whole_and_shows_what_a_device_said_as_text() -> None:
    found = page()
    assert "script" not in found.elements
    assert any("<script>" in text for text in found.texts)
    joined = " ".join(found.texts)
    for expected in (
        "不合格 failed",
        "张三",
        "1.250000",
        "+1.2",
        "本台未做",
        "检验台故障",
        "23.1 °C",
        "the line is gone",
    ):
        assert expected in joined


def test_html_draws_a_curve_for_each_factor_and_way() -> None:
    text = as_html(report())
    assert text.count("<svg") == 2  # registers and pulses; both at cos phi 0.5L
    registers = text[text.index("<svg") : text.index("</svg>")]
    assert registers.count("<circle") == 3
    assert "0.5 kg/kWh" in registers
    assert "1 kg/kWh" in registers


def test_curves_rise_with_the_current() -> None:
    found = curves(RESULTS["metering.carbon.fixed"].points, by="register")
    assert found == {
        ("balanced", "0.5L", 220_000): {
            "0.5": [(5_000, "1.250000", "1"), (60_000, "0.250000", "1")],
            "1": [(5_000, "0.200000", "1")],
        }
    }


def test_the_word_document_is_an_inspection_record_in_chinese() -> None:
    texts = texts_of_document(as_docx(report()))
    joined = "\n".join(texts)
    for expected in ("电碳计量设备检验记录", "型式检验", "某某仪表", "核验员", "需在试验室进行", "±1", "1.250000"):
        assert expected in joined
    assert "所做 3 项检验中 2 项不合格。1 项未做。" in joined


def test_the_word_document_leaves_out_the_english_of_what_is_said_twice() -> None:
    fixed = replace(RESULTS["metering.carbon.fixed"], figures={"points": "4", "of its own": "5"})
    noted = replace(RESULTS["metering.electricity"], note="limits: own 限 (limits.toml)")
    results = {fixed.id: fixed, noted.id: noted}
    texts = texts_of_document(
        as_docx(report(results=results, asked=frozenset(), equipment={"Source 功率源": "stream"}))
    )
    assert {"功率源", "stream", "未要求", "limits: own 限 (limits.toml)"} <= {*texts}
    assert "结果数：4；of its own：5" in texts
    assert not any("not asked for" in text for text in texts)


@pytest.mark.parametrize(
    ("changes", "said", "said_zh"),
    [
        (
            {},
            "2 of 3 performed items do not conform. 1 items were not performed.",
            "所做 3 项检验中 2 项不合格。1 项未做。",
        ),
        (
            {"results": {"metering.electricity": RESULTS["metering.electricity"]}, "whole": False},
            "All 1 performed items conform. 4 items were not performed. Only part of the inspection was asked for.",
            "所做 1 项检验全部合格。4 项未做。仅进行了部分检验。",
        ),
        (
            {"results": {}, "whole": False},
            f"{OPEN} 5 items were not performed. Only part of the inspection was asked for.",
            None,
        ),
        (
            {"results": {"metering.electricity": RESULTS["metering.electricity"]}},
            f"{OPEN} 4 items were not performed. It was interrupted before 3 of them.",
            "检验未能完成，不作结论。4 项未做。其中 3 项因检验中断未做。",
        ),
    ],
)
def test_the_summary_never_says_more_than_was_done(changes: dict[str, object], said: str, said_zh: str | None) -> None:
    found = report(**changes).summary()
    assert found[0] == said
    assert said_zh in (None, found[1])


def test_an_interrupted_inspection_has_not_passed() -> None:
    done = {"metering.electricity": RESULTS["metering.electricity"]}
    for asked, verdict in ((ITEMS[:2], Verdict.ERROR), (ITEMS[:1], Verdict.PASSED)):
        found = report(results=done, whole=False, asked=frozenset(info.id for info in asked))
        assert found.verdict is verdict
        assert [info.id for info in found.unreached] == [info.id for info in asked[1:]]
        for form in (as_html(found), as_json(found), as_junit(found), "\n".join(texts_of_document(as_docx(found)))):
            assert ("未检至此项" in form) == (verdict is Verdict.ERROR)
    assert report(results=done).verdict is Verdict.ERROR


def test_finished_points_of_an_item_that_broke_off_are_shown_without_a_conclusion() -> None:
    points = RESULTS["metering.carbon.fixed"].points
    lost = {key: value for key, value in RESULTS.items() if key not in {"metering.carbon.fixed", "function.display"}}
    cut = report(results=lost, asked=frozenset(RESULTS), finished={"metering.carbon.fixed": points})
    shown = cut.of(ITEMS[1])
    assert (shown.verdict, shown.points) == (Verdict.SKIPPED, points)
    assert "interrupted after 4 results" in shown.note
    assert ITEMS[1] in cut.unreached
    items = {item["id"]: item for item in json.loads(as_json(cut))["items"]}
    assert [len(point["readings"]) for point in items["metering.carbon.fixed"]["points"]] == [2, 2, 2, 2]
    assert as_html(cut).count("1.250000") == as_html(report()).count("1.250000") > 0
    assert "1.250000" in "".join(texts_of_document(as_docx(cut)))


def test_points_of_an_item_that_the_bench_could_not_end_are_shown_with_its_note() -> None:
    points = RESULTS["metering.carbon.fixed"].points
    shown = report(finished={"robustness.noise": points, "metering.carbon.fixed": points[:1]})
    assert shown.of(ITEMS[3]) == replace(RESULTS["robustness.noise"], points=points)
    assert shown.of(ITEMS[1]) == RESULTS["metering.carbon.fixed"]


def test_an_interruption_is_no_fault_of_the_bench() -> None:
    some = {"metering.electricity": RESULTS["metering.electricity"]}
    cut = report(results=some, asked=frozenset({*some, "function.display"}))
    assert cut.headline == ("no conclusion", "无结论")
    assert ">无结论 no conclusion<" in as_html(cut)
    assert any(text.startswith("无结论。") for text in texts_of_document(as_docx(cut)))
    faulty = report(results={**some, "robustness.noise": RESULTS["robustness.noise"]})
    assert faulty.headline == ("error", "检验台故障")
    assert report().headline == ("failed", "不合格")


def test_voltages_and_sequences_of_factors_are_told_apart() -> None:
    points = RESULTS["metering.carbon.fixed"].points
    low = [replace(p, readings=tuple(replace(r, voltage_mv=57_700) for r in p.readings)) for p in points[:2]]
    whole = [replace(p, readings=tuple(replace(r, factor="all") for r in p.readings)) for p in points[:2]]
    result = replace(
        RESULTS["metering.carbon.fixed"], points=(*points, *low, *whole), figures={"measured once more": "2"}
    )
    found = report(results={result.id: result})
    assert len(curves(result.points, by="register")) == 2
    html, word = as_html(found), "\n".join(texts_of_document(as_docx(found)))
    assert "balanced 57.7 V" in html
    assert "全部 all factors" in html
    assert "all kg/kWh" not in html
    assert "measured once more: 2" in html
    assert "60000mA = 60 A" in html
    assert "平衡\n57.7 V" in word
    assert "全部" in word
    assert "重测次数：2" in word


def test_a_laboratory_item_never_passes_by_itself() -> None:
    results = {info.id: replace(RESULTS["metering.electricity"], id=info.id) for info in ITEMS[:-1]}
    whole = report(results=results)
    assert whole.verdict is Verdict.PASSED
    assert whole.of(ITEMS[-1]).verdict is Verdict.NOT_PERFORMED
    assert "1 items were not performed" in whole.summary()[0]
