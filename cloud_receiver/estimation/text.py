"""A station's estimate as a report in English and Chinese."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from cloud_receiver.checks.day import local_time
from cloud_receiver.estimation.branch_result import BranchResult
from cloud_receiver.estimation.result import ChargerResult, StationFinding, StationResult
from cloud_receiver.estimation.store import Drift, Past
from cloud_receiver.estimation.unjudged import NIGHTS
from cloud_receiver.estimation.words import (
    ADVICE,
    BALANCES,
    BRANCHES,
    DECISIONS,
    FINDINGS,
    REASONS,
    SUSPICIONS,
    UNEVEN_UNSURE,
    both,
)
from cloud_receiver.report_text import aligned, printable

_UNSURE_PERCENT: Final = 0.2
"""More than so much is unsure of a charger's error by what its uneven load loses: as a fifth of a limit of 1 %."""

_HEAD = (
    "charger 充电桩",
    "error 误差 %",
    "u %",
    "common 公共",
    "own 自身",
    "limit 限值",
    "P",
    "decision 结论",
    "windows 时段",
    "kWh",
    "why 原因",
)


def report(found: StationResult, zone: ZoneInfo) -> str:
    """Return the report."""
    lines = [
        f"station 充电站 {found.station}  {local_time(found.first_ms, zone)} .. {local_time(found.end_ms, zone)}",
        (
            f"{found.windows} windows 时段, {found.hours:.2f} h, master 总表 {found.master_kwh:.2f} kWh, "
            f"chargers 各桩 {found.energy_kwh:.2f} kWh"
        ),
        *(
            f"supposed 假设: {printable(name)} exchanged at 换表于 {local_time(at_ms, zone)}"
            for name, at_ms in found.supposed
        ),
        *found.common_mode,
        "",
        *_table(found.chargers, zone),
    ]
    for head, rows in (
        ("before the exchange or adjustment 换表或调整之前", [one for one in found.earlier if one.changed_ms is None]),
        ("before its error changed 误差变化之前", [one for one in found.earlier if one.changed_ms is not None]),
    ):
        if rows:
            lines += ["", head, *_table(rows, zone, earlier=True)]
    lines += [*_fit(found, zone), *_conversion(found), *_branches(found, zone)]
    if found.findings:
        lines += ["", "findings 发现"]
    advised = set()
    for item in _joined(found.findings):
        about = f": {', '.join(printable(name) for name in item.meters)}" if item.meters else ""
        stop = "; no charger can be judged 无法判定各桩" if item.blocks else ""
        lines.append(f"  {both(FINDINGS, item.name)}{about}{_numbers(item.numbers)}{stop}")
        if item.name in ADVICE and item.name not in advised:
            advised.add(item.name)
            lines += [f"    {words}" for words in ADVICE[item.name]]
    if found.breaks:
        lines.append(f"registers began anew 示数重新开始: {found.breaks}")
    if found.unsynchronised:
        lines.append(f"intervals sent by an unconfirmed clock 时钟未确认的时段: {found.unsynchronised}")
    return "\n".join(lines)


def _joined(findings: Sequence[StationFinding]) -> list[StationFinding]:
    """Return the findings with those made one that say the same of several meters."""
    by_text: dict[tuple[str, str, bool], StationFinding] = {}
    for place, item in enumerate(findings):
        # What is about two meters at once is about this pair.
        apart = "" if len(item.meters) == 1 else f"{place}"
        key = item.name, _numbers(item.numbers) + apart, item.blocks
        said = by_text.get(key)
        by_text[key] = item if said is None else replace(said, meters=said.meters + item.meters)
    return list(by_text.values())


def _table(chargers: Sequence[ChargerResult], zone: ZoneInfo, *, earlier: bool = False) -> list[str]:
    return aligned([_HEAD, *(_row(one, zone, earlier=earlier) for one in chargers)], right={1, 2, 3, 4, 5, 6, 8, 9})


def _row(one: ChargerResult, zone: ZoneInfo, *, earlier: bool) -> tuple[str, ...]:
    """Return a line of the table. Of an `earlier` meter nobody counts the windows."""
    why = [both(REASONS, one.reason)] if one.reason else []
    if one.changed_ms is not None and not earlier:
        why.append(f"since {local_time(one.changed_ms, zone)} 起")
    if not one.suitable:
        why.append("(U > limit/3)")
    counted = one.active_windows or not earlier
    return (
        printable(one.meter) + (" *" if one.verified else ""),
        f"{one.error:+.3f}",
        f"{one.u:.3f}",
        f"{one.u_common:.3f}",
        f"{one.u_own:.3f}",
        f"{one.limit:g}",
        f"{one.probability:.3f}",
        both(DECISIONS, one.decision),
        str(one.active_windows) if counted else "",
        f"{one.energy_kwh:.1f}" if counted else "",
        " ".join(why),
    )


def _fit(found: StationResult, zone: ZoneInfo) -> list[str]:
    halves = found.halves
    lines = (
        []
        if found.spread is None
        else ["", f"residuals 残差: robust sd {found.spread:.3f} % of what was sold 占售电量"]
    )
    if halves is None:
        return lines
    verdict = "agree 一致" if halves.agree else f"don't agree 不一致: own u x {halves.factor:.2f}"
    return [
        *(lines or [""]),
        (
            f"halves 前后两半 (from {local_time(halves.split_ms, zone)} 起): {len(halves.chargers)} chargers 桩, "
            f"rms {halves.rms:.3f} %, z rms {halves.z_rms:.2f} (95 %: {halves.z_limit:.2f}), {verdict}"
        ),
    ]


def _conversion(found: StationResult) -> list[str]:
    """Return what conversion loses before meters of DC output, and how far that differs from charger to charger."""
    if found.conversion is None or found.conversion_spread is None:
        return []
    loss, spread = ("{:.2f} %, u {:.2f} %".format(*pair) for pair in (found.conversion, found.conversion_spread))
    return [
        "",
        f"conversion of chargers metered at their output 直流侧计量桩转换: loss 损耗 {loss} of the output 占输出",
        f"  it differs from charger to charger by (sd) 桩间差异（标准差）{spread}: part of every such u 已计入 u",
    ]


def _branches(found: StationResult, zone: ZoneInfo) -> list[str]:
    """Return how many branches were measured, how well, and why the others weren't."""
    if found.voltage_blocks is None:
        return []
    told = [(one.meter, one.branch) for one in found.chargers if one.branch is not None]
    shares = [(one.percent, one.u) for _, one in told if one.reason is None and one.percent is not None]
    line = f"branches 支路: {len(shares)}/{len(told)} measured by voltage drop 由电压降测得"
    if shares:
        percent, u = (median(values) for values in zip(*shares, strict=True))
        line += f", medians 中位数: loss at rated power 额定功率下损耗 {percent:.2f} %, u {u:.2f} %"
    lines = ["", line]
    kept_ms = found.voltage_blocks.kept_from_ms
    if kept_ms is not None:
        since = local_time(kept_ms, zone)
        lines.append(f"  voltages before {since} are no longer kept 此前的电压数据已超过保存期")
    for reason in dict.fromkeys(one.reason for _, one in told if one.reason is not None):
        names = [printable(meter) for meter, one in told if one.reason == reason]
        lines.append(f"  {both(BRANCHES, reason)}" + (f": {', '.join(names)}" if len(names) < len(told) else ""))
    lines += _balances(told)
    if found.voltage_blocks.left_out:
        lines.append(f"  blocks of voltages left out 弃用的电压数据块{_numbers(found.voltage_blocks.left_out)}")
    return lines


def _balances(told: Sequence[tuple[str, BranchResult]]) -> list[str]:
    """Return which loads don't stand evenly on three phases, or of which nobody knows it, and what helps."""
    lines = []
    for balance in BALANCES:
        those = [(meter, one) for meter, one in told if one.balance == balance]
        names = [
            printable(meter)
            + ("" if one.uneven_percent is None else f" +{one.uneven_percent:.2f} % (u {one.uneven_u or 0.0:.2f})")
            for meter, one in those
        ]
        if names:
            lines.append(f"  {both(BALANCES, balance)}: {', '.join(names)}")
        if any(one.uneven_u is not None and one.uneven_u > _UNSURE_PERCENT for _, one in those):
            lines.append(f"    {' '.join(UNEVEN_UNSURE)}")
    return lines


def _numbers(numbers: Mapping[str, float | str]) -> str:
    shown = [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {_told(name, value)}"
        for name, value in numbers.items()
    ]
    return f" ({', '.join(shown)})" if shown else ""


def _told(name: str, value: str) -> str:
    return both(SUSPICIONS, value) if name == "suspicion" else both(REASONS, value) if name == "reason" else value


def past(found: Sequence[Past], drifts: Sequence[Drift], names: Mapping[int, str], zone: ZoneInfo) -> str:
    """Return what was said night after night, and how errors changed."""
    rows = [("until 截至", "charger 充电桩", "error 误差 %", "u %", "P", "decision 结论")]
    rows += [
        (
            local_time(item.end_ms, zone),
            printable(names.get(item.meter, f"#{item.meter}")),
            f"{100 * item.error:+.3f}",
            f"{100 * item.u:.3f}",
            f"{item.probability:.3f}",
            both(DECISIONS, item.decision),
        )
        for item in found
    ]
    lines = aligned(rows, right={2, 3, 4})
    last = {item.meter: item for item in found}
    waiting = [item for item in last.values() if item.nights >= NIGHTS]
    if waiting:
        lines.append("not judged 未能判定")
    lines += [
        f"  {printable(names.get(item.meter, f'#{item.meter}'))}: {item.nights} nights running 夜: "
        f"{both(REASONS, item.reason or '')}"
        for item in waiting
    ]
    if drifts:
        lines.append("change 变化 %")
    lines += [
        f"  {printable(names.get(item.meter, f'#{item.meter}'))}: {100 * item.change:+.3f} (u {100 * item.u:.3f}), "
        f"{local_time(item.first_ms, zone)} .. {local_time(item.last_ms, zone)}"
        for item in drifts
    ]
    return "\n".join(lines)
