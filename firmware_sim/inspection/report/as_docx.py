"""The report as a Word document in Chinese, in the form of an inspection record (检验记录)."""

import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from docx import Document
from docx.document import Document as Docx
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Cm, Pt

from firmware_sim.inspection.report.model import ALL_FACTORS, GROUPS, KINDS, VERDICT_ZH, Report, amperes, volts
from firmware_sim.inspection.result import ItemInfo, ItemResult, PointResult, Verdict

_FONT: Final = "宋体"
_METHODS: Final = {"fixed": "固定因子", "dynamic": "动态因子", "electricity": "电能"}
_WAYS: Final = {"register": "示值", "pulse": "脉冲"}
_BALANCES: Final = {"balanced": "平衡", "a": "A相", "b": "B相", "c": "C相"}
_FIGURES: Final = {"points": "结果数", "beyond the limit": "超差数", "measured once more": "重测次数", "days": "天数"}
_ENGLISH_FIRST: Final = re.compile(r"^[\x20-\x7e]+ (?=[\u4e00-\u9fff])")
_POINT_HEAD: Final = (
    *(
        "序号",
        "方法",
        "负载",
        "功率因数",
        "电流",
        "因子\nkg/kWh",
        "比对",
        "误差1\n%",
        "误差2…\n%",
        "平均\n%",
        "化整\n%",
        "误差限\n%",
    ),
    "结论",
)


def as_docx(report: Report) -> bytes:
    """Return the document's bytes."""
    document = Document()
    _style(document)
    properties = document.core_properties
    properties.title, properties.author = f"电碳计量设备检验记录 {report.subject.number}", report.subject.inspector
    properties.created = properties.modified = datetime.fromtimestamp(report.ended_ms // 1000, UTC)
    title = document.add_heading("电碳计量设备检验记录", 0)
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _pairs(document, _head(report))
    document.add_heading("检验条件", 1)
    _pairs(document, _conditions(report))
    document.add_heading("检验结论", 1)
    document.add_paragraph(f"{report.headline[1]}。{report.summary()[1]}")
    _pairs(
        document,
        [("检验员", report.subject.inspector), ("核验员", ""), ("检验日期", report.moment(report.ended_ms)[:10])],
    )
    document.add_heading("检验项目一览", 1)
    _overview(document, report)
    for group, (_, name_zh) in GROUPS.items():
        infos = [info for info in report.items if info.group == group]
        performed = [(info, report.of(info)) for info in infos if report.of(info).steps or report.of(info).points]
        if performed:
            document.add_heading(name_zh, 1)
        for info, result in performed:
            _item(document, info, result)
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def _style(document: Docx) -> None:
    for name in ("Normal", "Heading 1", "Heading 2", "Title"):
        style = document.styles[name]
        style.font.name = _FONT
        # Word keeps the font of East Asian text beside that of Latin text.
        style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), _FONT)
    document.styles["Normal"].font.size = Pt(10.5)
    for section in document.sections:
        section.left_margin = section.right_margin = Cm(1.8)


def _head(report: Report) -> list[tuple[str, str]]:
    subject, rating = report.subject, report.rating
    currents = f"{rating.imin_ma / 1000:g}-{rating.itr_ma / 1000:g}({rating.imax_ma / 1000:g}) A"
    return [
        ("记录编号", subject.number),
        ("检验类别", KINDS[report.kind][1]),
        ("制造单位", subject.manufacturer),
        ("型号规格", subject.model),
        ("出厂编号", subject.serial),
        ("固件版本", subject.firmware),
        ("准确度等级", rating.accuracy_class),
        ("参比电压", f"{rating.phases}×{rating.voltage_mv / 1000:g} V"),
        ("电流", currents),
        ("起动电流", f"{rating.starting_ma / 1000:g} A"),
        ("电能表常数", "" if rating.constant is None else f"{rating.constant} imp/kWh"),
        ("电碳常数", "" if rating.carbon_constant is None else f"{rating.carbon_constant} imp/kg"),
    ]


def _conditions(report: Report) -> list[tuple[str, str]]:
    environment = report.environment
    return [
        ("检验地点", report.subject.place),
        ("起止时间", f"{report.moment(report.begun_ms)} 至 {report.moment(report.ended_ms)}"),
        ("环境温度", environment.temperature),
        ("相对湿度", environment.humidity),
        ("电压偏差", environment.voltage_deviation),
        ("频率偏差", environment.frequency_deviation),
        ("备注", environment.remarks),
        *((_chinese(name), value) for name, value in report.equipment.items()),
        ("误差限依据", report.limits),
        ("检验程序", report.program),
    ]


def _pairs(document: Docx, pairs: Sequence[tuple[str, str]]) -> None:
    """Write names and values, two pairs a row."""
    table = document.add_table(rows=0, cols=4)
    table.style = "Table Grid"
    for first in range(0, len(pairs), 2):
        cells = table.add_row().cells
        for column, (name, value) in enumerate(pairs[first : first + 2]):
            cells[2 * column].text = name
            cells[2 * column + 1].text = _clean(value) or "—"


def _overview(document: Docx, report: Report) -> None:
    rows = [
        (str(number), info.title_zh, info.clause or "—", VERDICT_ZH[report.of(info).verdict], _note(report.of(info)))
        for number, info in enumerate(report.items, 1)
    ]
    _table(document, ("序号", "项目", "条款", "结论", "说明"), rows)


def _note(result: ItemResult) -> str:
    if result.verdict is Verdict.NOT_PERFORMED:
        return "需在试验室进行"
    return _chinese(result.note) if result.verdict is Verdict.SKIPPED else result.note


def _item(document: Docx, info: ItemInfo, result: ItemResult) -> None:
    clause = f"（{info.clause}）" if info.clause else ""
    document.add_heading(f"{info.title_zh}{clause}：{VERDICT_ZH[result.verdict]}", 2)
    if result.steps:
        rows = [(step.what, step.expected, step.found, "合格" if step.good else "不合格") for step in result.steps]
        _table(document, ("检验内容", "要求", "实测", "结论"), rows)
    if result.figures:
        document.add_paragraph(
            "；".join(_clean(f"{_FIGURES.get(name, name)}：{value}") for name, value in result.figures.items())
        )
    if result.points:
        _table(document, _POINT_HEAD, [_point(number, point) for number, point in enumerate(result.points, 1)])


def _point(number: int, point: PointResult) -> tuple[str, ...]:
    first = point.readings[0]
    errors = [reading.error_percent for reading in point.readings]
    where = (
        f"{_BALANCES.get(first.balance, first.balance)}\n{volts(first.voltage_mv)}",
        first.power_factor,
        f"{first.current}\n{amperes(first.current_ma)}",
        "全部" if first.factor == ALL_FACTORS else first.factor,
    )
    judged = (point.mean_percent, point.rounded_percent, f"±{point.limit_percent}", "合格" if point.good else "不合格")
    method, way = _METHODS.get(first.method, first.method), _WAYS.get(first.by, first.by)
    return (str(number), method, *where, way, errors[0], "\n".join(errors[1:]), *judged)


def _table(document: Docx, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = document.add_table(rows=1 + len(rows), cols=len(head))
    table.style = "Table Grid"
    # By the table's own list: asking it for each cell anew takes a time that grows with the square of the rows.
    cells = iter(table._cells)  # noqa: SLF001 - the public way is quadratic
    for text in (*head, *(text for row in rows for text in row)):
        cell = next(cells)
        cell.text = _clean(text)
        for paragraph in cell.paragraphs:
            for run in paragraph.runs:
                run.font.size = Pt(8)


def _clean(text: str) -> str:
    return "".join(character if character in "\n\t" or character.isprintable() else "\ufffd" for character in text)


def _chinese(text: str) -> str:
    """Return the Chinese of a text that says a thing in English first; of another the text."""
    return _ENGLISH_FIRST.sub("", text)
