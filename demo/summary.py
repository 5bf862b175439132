"""What a demonstration ends with: a table by meter, the station's balance and the findings, as the programs say."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from demo.files import STATION, Files
from demo.plan import Plan
from demo.processes import output_of

UJ_PER_KWH = 3_600_000_000_000
WIDTH = 150


@dataclass(frozen=True, slots=True)
class Results:
    """What the three programs say after the run."""

    journal: dict[str, Any]  # diantan-agent journal ls
    report: dict[str, Any]  # diantan-receiver report
    truth: dict[str, Any]  # diantan-sim truth

    @property
    def lost(self) -> int:
        """Records that the journal holds and the centre has not acknowledged."""
        return int(self.journal["unacknowledged"])


def collect(files: Files, plan: Plan) -> Results:
    """Ask each program for its view of the day."""
    start, end = (
        datetime.fromtimestamp(moment / 1000, plan.zone).isoformat() for moment in (plan.day_start_ms, plan.day_end_ms)
    )
    return Results(
        json.loads(output_of("diantan-agent", "journal", "ls", "--config", str(files.agent), "--json")),
        json.loads(
            output_of(
                "diantan-receiver",
                "report",
                *("--config", str(files.receiver), STATION, str(plan.day), "--format", "json"),
            )
        ),
        json.loads(output_of("diantan-sim", "truth", str(files.station), "--from", start, "--to", end, "--json")),
    )


def show(results: Results, plan: Plan, console: Console) -> None:
    """Print the table, the balance and the findings."""
    console.print(_table(results, plan))
    journal = results.journal
    written = journal["next_sequence"] - 1
    console.print(
        f"Records 记录: {written} written 写入, {journal['sent']} sent 发送,"
        f" {journal['acknowledged']} acknowledged 确认"
        f" (with {journal['gateway_events']} events of the gateway itself 含网关事件)"
    )
    _show_balance(results.report["balance"], console)
    _show_findings(results.report["findings"], console)


def _table(results: Results, plan: Plan) -> Table:
    table = Table(title=f"{STATION}, {plan.day} ({plan.timezone})", title_style="bold")
    table.add_column("meter\n电能表")
    for heading in (
        "energy fwd\n正向电量 kWh",
        "energy rev\n反向电量 kWh",
        "carbon fwd\n正向碳量 kg",
        "carbon rev\n反向碳量 kg",
        "intervals\n时段",
        "freezes\n冻结",
        "sent\n发送",
        "acked\n确认",
        "true energy\n真值 kWh",
        "error\n误差 %",
    ):
        table.add_column(heading, justify="right")
    journal = {meter["meter"]: meter for meter in results.journal["meters"]}
    truth = {meter["id"]: meter for meter in results.truth["meters"]}
    for meter in results.report["meters"]:
        name = meter["meter"]
        true_kwh = (truth[name]["true_forward_uj"] + truth[name]["true_reverse_uj"]) / UJ_PER_KWH
        seen_kwh = float(meter["energy_forward_kwh"]) + float(meter["energy_reverse_kwh"])
        table.add_row(
            name,
            meter["energy_forward_kwh"],
            meter["energy_reverse_kwh"],
            f"{float(meter['carbon_forward_kg']):.6f}",
            f"{float(meter['carbon_reverse_kg']):.6f}",
            f"{meter['intervals']}/{meter['expected']}",
            str(meter["freezes"]),
            str(journal[name]["sent"]),
            str(journal[name]["acknowledged"]),
            f"{true_kwh:.3f}",
            f"{(seen_kwh / true_kwh - 1) * 100:+.2f}" if true_kwh else "-",
        )
    return table


def _show_balance(balance: dict[str, Any] | None, console: Console) -> None:
    if balance is None:
        console.print("Balance 平衡: no slot in which every meter reported 没有全部电能表均上报的时段")
        return
    verdict = "within tolerance 合格" if balance["within"] else "BEYOND TOLERANCE 超差"
    console.print(
        f"Balance of the day 日平衡: chargers 充电桩 {balance['chargers_kwh']}"
        f" + auxiliary 辅助 {balance['auxiliary_kwh']} + loss 线损 {balance['loss_kwh']}"
        f" - grid side 关口 {balance['grid_kwh']} kWh"
    )
    console.print(
        f"  = imbalance 不平衡量 {balance['imbalance_kwh']} kWh ({balance['imbalance_percent']} %), tolerance 允差 "
        f"±{balance['tolerance_kwh']} kWh ({balance['tolerance_percent']} %): {verdict}"
    )


def _show_findings(findings: list[dict[str, Any]], console: Console) -> None:
    console.print(f"Findings 核查发现: {len(findings) or 'none 无'}")
    for finding in findings:
        evidence = finding["evidence"]
        slots = evidence.get("slots", [])
        console.print(
            f"  {finding['severity']} {finding['kind']} {finding['meter'] or STATION}: {len(slots)} slots 时段, "
            f"{finding['first']} .. {finding['last']}"
        )
        named = evidence.get("suspects") or (evidence["details"] if finding["kind"] == "charger_error" else [])
        for suspect in named:
            console.print(
                f"    suspected 疑似 {suspect['meter']}: apparent error 表观误差"
                f" {suspect['apparent_error_percent']:+} %,"
                f" standard uncertainty 标准不确定度 {suspect['standard_uncertainty_percent']} %,"
                f" class 等级 {suspect['class_percent']}"
            )
