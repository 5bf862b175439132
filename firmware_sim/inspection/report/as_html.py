"""The report as one HTML file without anything from elsewhere, in Chinese and English, with error curves."""

import dataclasses
from html import escape
from typing import Final

from firmware_sim.inspection.report.chart import chart
from firmware_sim.inspection.report.model import ALL_FACTORS, GROUPS, KINDS, VERDICT_ZH, Report, amperes, curves, volts
from firmware_sim.inspection.result import ItemInfo, ItemResult, PointResult, Reading, Verdict

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --good: #1a7f37; --bad: #c62828; --dim: #777; }
body { font: 15px/1.5 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; } h3 { font-size: 1rem; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; } th, td { border-bottom: 1px solid var(--line);
  padding: .25rem .5rem; text-align: left; vertical-align: top; } td.n, th.n { text-align: right;
  font-variant-numeric: tabular-nums; }
.passed { color: var(--good); } .failed, .error { color: var(--bad); font-weight: 600; }
.skipped, .not { color: var(--dim); }
.conclusion { border: 1px solid var(--line); background: var(--soft); padding: .7rem 1rem; border-radius: .4rem; }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: 1rem; }
svg { width: 100%; } svg text { font-size: 11px; fill: currentColor; } svg .title { font-size: 13px; font-weight: 600; }
svg .grid { stroke: var(--soft); } svg .zero { stroke: var(--line); }
svg .limit { fill: none; stroke: var(--bad); stroke-dasharray: 5 4; }
details > summary { cursor: pointer; } .wide { overflow-x: auto; }
"""
_METHODS: Final = {"fixed": "固定因子法", "dynamic": "动态因子法", "electricity": "电能"}
_WAYS: Final = {"register": ("registers", "示值"), "pulse": ("pulses", "脉冲")}
_SUBJECT: Final = {
    "number": "Report 编号",
    "manufacturer": "Manufacturer 制造单位",
    "model": "Model 型号",
    "serial": "Serial number 出厂编号",
    "firmware": "Firmware 固件版本",
    "inspector": "Inspector 检验员",
    "place": "Place 地点",
}
_ENVIRONMENT: Final = {
    "temperature": "Temperature 温度",
    "humidity": "Relative humidity 相对湿度",
    "voltage_deviation": "Voltage deviation 电压偏差",
    "frequency_deviation": "Frequency deviation 频率偏差",
    "remarks": "Remarks 备注",
}


def as_html(report: Report) -> str:
    """Return the page."""
    kind, kind_zh = KINDS[report.kind]
    said, said_zh = report.summary()
    title = f"电碳计量设备检验记录 · {report.subject.number}"
    conclusion = " ".join(reversed(report.headline))
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{kind_zh} {kind} · {report.moment(report.begun_ms)} – {report.moment(report.ended_ms)}</p>",
        f'<div class="conclusion"><strong class="{_style(report.verdict)}">{conclusion}</strong>',
        f"<br>{escape(said_zh)}<br>{escape(said)}</div>",
        "<h2>样品 Device</h2>",
        _pairs([(_SUBJECT[name], value) for name, value in dataclasses.asdict(report.subject).items()]),
        "<h2>铭牌 Rating</h2>",
        _pairs(_rating(report)),
        "<h2>条件 Conditions</h2>",
        _pairs(
            [
                *((_ENVIRONMENT[name], value) for name, value in dataclasses.asdict(report.environment).items()),
                *((name, value) for name, value in report.equipment.items()),
                ("Limits 误差限", report.limits),
                ("Program 程序", report.program),
            ]
        ),
    ]
    for group, (name, name_zh) in GROUPS.items():
        infos = [info for info in report.items if info.group == group]
        if infos:
            body.append(f"<h2>{name_zh} {name}</h2>")
            body.append(_items(report, infos))
            body += [_details(info, report.of(info)) for info in infos]
    return (
        f'<!doctype html><html lang="zh"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _rating(report: Report) -> list[tuple[str, str]]:
    rating = report.rating
    currents = f"{rating.imin_ma / 1000:g}-{rating.itr_ma / 1000:g}({rating.imax_ma / 1000:g}) A"
    return [
        ("Class 准确度等级", rating.accuracy_class),
        ("Voltage 参比电压", f"{rating.phases} × {rating.voltage_mv / 1000:g} V"),
        ("Current 电流 Imin-Itr(Imax)", currents),
        ("Starting current 起动电流", f"{rating.starting_ma / 1000:g} A"),
        ("Constant 常数", "" if rating.constant is None else f"{rating.constant} imp/kWh"),
        ("Carbon constant 电碳常数", "" if rating.carbon_constant is None else f"{rating.carbon_constant} imp/kg"),
    ]


def _pairs(pairs: list[tuple[str, str]]) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value or '—')}</td></tr>" for name, value in pairs)
    return f"<table>{rows}</table>"


def _items(report: Report, infos: list[ItemInfo]) -> str:
    rows = []
    for info in infos:
        result = report.of(info)
        rows.append(
            f"<tr><td>{escape(info.title_zh)}<br>{escape(info.title)}</td><td>{escape(info.clause or '—')}</td>"
            f'<td class="{_style(result.verdict)}">{VERDICT_ZH[result.verdict]}<br>{result.verdict.value}</td>'
            f"<td>{escape(result.note)}</td></tr>"
        )
    head = "<tr><th>项目 Item</th><th>条款 Clause</th><th>结论 Conclusion</th><th>说明 Note</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _details(info: ItemInfo, result: ItemResult) -> str:
    if not result.steps and not result.points:
        return ""
    parts = []
    if result.figures:
        said = "; ".join(f"{name}: {value}" for name, value in result.figures.items())
        parts.append(f"<p>{escape(said)}</p>")
    if result.steps:
        rows = "".join(
            f"<tr><td>{escape(step.what)}</td><td>{escape(step.expected)}</td><td>{escape(step.found)}</td>"
            f'<td class="{"passed" if step.good else "failed"}">{"✓" if step.good else "✗"}</td></tr>'
            for step in result.steps
        )
        head = "<tr><th>所检 What</th><th>应为 Expected</th><th>实测 Found</th><th></th></tr>"
        parts.append(f'<div class="wide"><table>{head}{rows}</table></div>')
    for way, (name, name_zh) in _WAYS.items():
        found = curves(result.points, by=way)
        drawn = [
            chart(f"{name_zh} {name} · {balance} {volts(voltage)} · cos φ {factor}", line)
            for (balance, factor, voltage), line in found.items()
        ]
        if drawn:
            parts.append(f'<div class="curves">{"".join(drawn)}</div>')
    if result.points:
        parts.append(_points(result.points))
    opened = " open" if result.verdict is Verdict.FAILED else ""
    return f"<details{opened}><summary>{escape(info.title_zh)} {escape(info.title)}</summary>{''.join(parts)}</details>"


def _points(points: tuple[PointResult, ...]) -> str:
    head = (
        "<tr><th>方法 Method</th><th>负载 Load</th><th>cos φ</th><th>I</th><th>因子 kg/kWh</th><th>比对 By</th>"
        '<th class="n">各次误差 Errors %</th><th class="n">平均 Mean %</th><th class="n">化整 Rounded %</th>'
        '<th class="n">误差限 Limit %</th><th></th></tr>'
    )
    return f'<div class="wide"><table>{head}{"".join(_point(point) for point in points)}</table></div>'


def _point(point: PointResult) -> str:
    first: Reading | None = point.readings[0] if point.readings else None
    cells = (
        ["", "", "", "", "", ""]
        if first is None
        else [
            _METHODS.get(first.method, first.method),
            f"{first.balance} {volts(first.voltage_mv)}",
            first.power_factor,
            f"{first.current} = {amperes(first.current_ma)}",
            "全部 all" if first.factor == ALL_FACTORS else first.factor,
            _WAYS[first.by][1] if first.by in _WAYS else first.by,
        ]
    )
    errors = "<br>".join(escape(reading.error_percent) for reading in point.readings)
    return (
        "<tr>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + f'<td class="n">{errors}</td><td class="n">{escape(point.mean_percent)}</td>'
        f'<td class="n">{escape(point.rounded_percent)}</td><td class="n">±{escape(point.limit_percent)}</td>'
        f'<td class="{"passed" if point.good else "failed"}">{"✓" if point.good else "✗"}</td></tr>'
    )


def _style(verdict: Verdict) -> str:
    return verdict.value.split()[0]
