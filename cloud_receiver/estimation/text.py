"""A station's estimate as a report in English and Chinese."""

from collections.abc import Mapping, Sequence
from statistics import median
from zoneinfo import ZoneInfo

from cloud_receiver.checks.day import local_time
from cloud_receiver.estimation.result import ChargerResult, StationResult
from cloud_receiver.estimation.store import Drift, Past
from cloud_receiver.estimation.unjudged import NIGHTS
from cloud_receiver.estimation.words import ADVICE, BRANCHES, DECISIONS, FINDINGS, REASONS, both
from cloud_receiver.report_text import aligned, printable

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
        *found.common_mode,
        "",
        *aligned([_HEAD, *(_row(one) for one in found.chargers)], right={1, 2, 3, 4, 5, 6, 8, 9}),
    ]
    if found.earlier:
        lines += ["", "before the exchange or adjustment 换表或调整之前"]
        lines += aligned([_HEAD, *(_row(one) for one in found.earlier)], right={1, 2, 3, 4, 5, 6, 8, 9})
    lines += [*_fit(found, zone), *_branches(found)]
    if found.findings:
        lines += ["", "findings 发现"]
    for item in found.findings:
        about = f": {', '.join(printable(name) for name in item.meters)}" if item.meters else ""
        stop = "; no charger can be judged 无法判定各桩" if item.blocks else ""
        lines.append(f"  {both(FINDINGS, item.name)}{about}{_numbers(item.numbers)}{stop}")
        if item.name in ADVICE:
            lines += [f"    {words}" for words in ADVICE[item.name]]
    if found.breaks:
        lines.append(f"registers began anew 示数重新开始: {found.breaks}")
    if found.unsynchronised:
        lines.append(f"intervals sent by an unconfirmed clock 时钟未确认的时段: {found.unsynchronised}")
    return "\n".join(lines)


def _row(one: ChargerResult) -> tuple[str, ...]:
    suitable = "" if one.suitable else " (U > limit/3)"
    return (
        printable(one.meter) + (" *" if one.verified else ""),
        f"{one.error:+.3f}",
        f"{one.u:.3f}",
        f"{one.u_common:.3f}",
        f"{one.u_own:.3f}",
        f"{one.limit:g}",
        f"{one.probability:.3f}",
        both(DECISIONS, one.decision),
        str(one.active_windows),
        f"{one.energy_kwh:.1f}",
        (both(REASONS, one.reason) if one.reason else "") + suitable,
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


def _branches(found: StationResult) -> list[str]:
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
    for reason in dict.fromkeys(one.reason for _, one in told if one.reason is not None):
        names = [printable(meter) for meter, one in told if one.reason == reason]
        lines.append(f"  {both(BRANCHES, reason)}" + (f": {', '.join(names)}" if len(names) < len(told) else ""))
    if found.voltage_blocks.left_out:
        lines.append(f"  blocks of voltages left out 弃用的电压数据块{_numbers(found.voltage_blocks.left_out)}")
    return lines


def _numbers(numbers: Mapping[str, float | str]) -> str:
    shown = [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in numbers.items()
    ]
    return f" ({', '.join(shown)})" if shown else ""


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
        f"  {printable(names.get(item.meter, f'#{item.meter}'))}: {100 * item.change:+.3f} (u {100 * item.u:.3f})"
        for item in drifts
    ]
    return "\n".join(lines)
