"""What a replay ends with: the altered and the sound chargers, and what the centre says of them."""

from collections.abc import Iterable, Sequence
from math import sqrt

from rich.console import Console
from rich.table import Table

from demo.replay.judge import K95, Judged, Verdict
from demo.replay.plan import ReplayPlan

WIDTH = 150


def show(plan: ReplayPlan, verdict: Verdict, console: Console) -> None:
    """Print the table, what it rests on, and the verdict."""
    console.print(_table(plan, verdict))
    errors = [abs(charger.error - charger.truth) for charger in verdict.chargers]
    covered = sum(charger.covered for charger in verdict.chargers)
    console.print(
        f"Windows 时段: {verdict.windows}; registers known 已知示数 {verdict.known_percent:.1f} %; "
        f"records 记录 {verdict.written}, unacknowledged 未确认 {verdict.unacknowledged}; "
        f"nightly runs 夜间估计 {verdict.nights}/{plan.days}"
    )
    for line in _branches(verdict):
        console.print(line)
    if verdict.findings:
        console.print(f"Findings about the station 站级问题: {', '.join(verdict.findings)}")
    console.print(
        f"Mean absolute error of the estimates 估计平均绝对误差 {sum(errors) / len(errors):.3f} %, "
        f"largest 最大 {max(errors):.3f} %; truth within the 95 % interval 真值在区间内 {covered}/{len(errors)}"
    )
    console.print(
        f"Altered 被改动: {_listed(plan.altered)}; flagged 超差: {_listed(verdict.flagged)}; "
        f"found by the nightly runs 夜间发现: {_listed(verdict.suspected)}"
    )
    console.print("PASSED 通过" if verdict.passed else "FAILED 未通过", style="bold")


def _branches(verdict: Verdict) -> list[str]:
    """Return how well branches were measured, beside their design, and why some were not."""
    measured = verdict.branch_deviations
    line = f"Branches 支路: {len(measured)}/{len(verdict.chargers)} measured by voltage drop 由电压降测得"
    reasons = [charger.branch_reason for charger in verdict.chargers if charger.branch_reason is not None]
    if reasons:
        counted = (f"{reason} {reasons.count(reason)}" for reason in dict.fromkeys(reasons))
        line += f"; not 未测得: {', '.join(counted)}"
    if not measured:
        return [line]
    return [line, f"  off by 偏差 {_spread(measured)}; their design 设计值 by {_spread(verdict.design_deviations)}"]


def _spread(deviations: Sequence[float]) -> str:
    rms = sqrt(sum(one * one for one in deviations) / len(deviations))
    mean = sum(deviations) / len(deviations)
    return f"rms {rms:.1f} %, mean 平均 {mean:+.1f} %, largest 最大 {max(map(abs, deviations)):.1f} %"


def _table(plan: ReplayPlan, verdict: Verdict) -> Table:
    title = f"{plan.sessions.name}, {plan.days} days from {plan.day} ({plan.timezone}), seed {plan.seed}"
    table = Table(title=title, title_style="bold")
    table.add_column("charger\n充电桩")
    table.add_column("plug\n枪")
    for heading in (
        "sessions\n会话",
        "energy\n电量 kWh",
        "truth\n真值 %",
        "estimate\n估计 %",
        "95 % interval\n区间 %",
        "P",
        "branch\n支路真值 %",
        "measured\n实测 %",
    ):
        table.add_column(heading, justify="right")
    for heading in ("decision\n结论", "candidate\n失准复检", "right\n正确"):
        table.add_column(heading)
    for charger in verdict.chargers:
        table.add_row(*_row(charger), style="bold" if charger.altered else None)
    return table


def _row(charger: Judged) -> tuple[str, ...]:
    low, high = charger.error - K95 * charger.u, charger.error + K95 * charger.u
    return (
        f"{charger.id}{' *' if charger.altered else ''}",
        charger.plug,
        str(charger.sessions),
        f"{charger.energy_kwh:.1f}",
        f"{charger.truth:+.2f}",
        f"{charger.error:+.2f}",
        f"{low:+.2f} .. {high:+.2f}",
        f"{charger.probability:.3f}",
        f"{charger.branch_truth:.3f}",
        "" if charger.branch is None else f"{charger.branch:.3f}",
        charger.decision + (f" ({charger.reason})" if charger.reason else ""),
        _candidate(charger),
        "yes 是" if charger.right else "NO 否",
    )


def _candidate(charger: Judged) -> str:
    if charger.suspected:
        return "yes 是"
    return "was 曾是" if charger.accused else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none 无"
