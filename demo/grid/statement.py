"""The books as a person reads them: a table of the day, the verdict, and what is wrong, in English and Chinese."""

from datetime import datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from demo.grid.books import Amounts, DayBooks
from demo.grid.plan import GridPlan
from demo.grid.records import Slots

MOST_COMPLAINTS: Final = 20
_KG_PER_T: Final = 1000
_LEFT: Final = (
    ("sources", "at the plants' meters 电源（发电侧计量）"),
    ("correction", "corrections of the reconciliation 数据协调修正"),
)
_RIGHT: Final = (
    ("metered", "at the users' meters, as metered 用户电能表原计"),
    ("adjusted", "adjustments for late factors 因子后到的调整"),
    ("unmetered", "unmetered loads 未计量负荷"),
    ("losses", "losses of lines and transformers 网损"),
    ("storage", "storage, net 储能净充"),
    ("negative", "taken by sources 电源受电"),
    ("dropped", "at nodes without through-flow 无潮流节点"),
    ("imbalance", "of unbalanced power 不平衡功率"),
)


def show_meters(records: Slots, plan: GridPlan, console: Console) -> None:
    """Print a row for each meter: its energy, its carbon, and between which factors it metered."""
    table = Table(title="Meters 电能表", title_style="bold")
    for heading in ("gateway\n网关", "measures\n计量对象"):
        table.add_column(heading)
    for heading in (
        "energy\n电量 MWh",
        "carbon\n碳量 t",
        "of it adjusted\n其中调整 t",
        "factor, least\n最小因子 kg/kWh",
        "mean\n平均",
        "greatest\n最大",
        "slots\n时段",
    ):
        table.add_column(heading, justify="right")
    for gateway in plan.gateways:
        for meter in gateway.meters:
            slots = [found[meter.element_id] for found in records.values() if meter.element_id in found]
            energy_mwh = sum(slot.forward_mwh for slot in slots)
            carbon_ug = sum(slot.settled_ug for slot in slots)
            factors = [slot.settled_ug / slot.forward_mwh / 1000 for slot in slots if slot.forward_mwh]
            table.add_row(
                gateway.id,
                meter.element,
                f"{energy_mwh / 1e9:.3f}",
                f"{carbon_ug / 1e12:.6f}",
                f"{sum(slot.adjusted_ug for slot in slots) / 1e12:+.6f}",
                f"{min(factors, default=0):.6f}",
                f"{carbon_ug / energy_mwh / 1000 if energy_mwh else 0:.6f}",
                f"{max(factors, default=0):.6f}",
                f"{len(slots)}/{len(plan.slots_ms)}",
            )
    console.print(table)


def show(books: DayBooks, plan: GridPlan, console: Console) -> None:
    """Print the books of the day, the slot that is worst, and whether they close."""
    amounts = books.amounts
    console.print(_table(amounts, plan))
    console.print(
        f"Remainder 余差: {amounts.remainder:+.6f} kg; the rounding of factors and records allows "
        f"因子与记录的舍入允许 ±{amounts.bound:.6f} kg"
    )
    worst = books.worst
    if worst is not None:
        console.print(
            f"Slots 时段: {len(books.slots)}, {sum(slot.amounts.closed for slot in books.slots)} close each by itself "
            f"逐时段平衡; nearest to its bound 最接近允差 {_time(worst.start_ms, plan)}: "
            f"{worst.amounts.remainder:+.6f} of ±{worst.amounts.bound:.6f} kg"
        )
    held = sum(slot.held for slot in books.slots)
    console.print(f"Intervals of users metered before their slot's factor had come 因子到达前计量的时段: {held}")
    complaints = books.complaints
    for start_ms, text in complaints[:MOST_COMPLAINTS]:
        console.print(f"  {_time(start_ms, plan)} {text}", highlight=False)
    if len(complaints) > MOST_COMPLAINTS:
        console.print(f"  and {len(complaints) - MOST_COMPLAINTS} more 等")
    if books.closed:
        console.print("Books 账目: carbon at sources = carbon at meters + losses + unmetered loads: CLOSED 平衡")
    else:
        console.print("Books 账目: NOT CLOSED 不平衡")


def show_commands(plan: GridPlan, config: Path, console: Console) -> None:
    """Print the commands that look further into what the centre has stored, ready to be copied."""
    start = datetime.fromtimestamp(plan.day_start_ms / 1000, plan.zone)
    last = datetime.fromtimestamp(plan.slots_ms[-1] / 1000, plan.zone).isoformat(timespec="minutes")
    day = f"--from {start.date()} --zone {plan.timezone} --config {config}"
    node = plan.gateways[-1].node
    console.print("\nLook further 进一步查看:")
    for what in (
        f"grid history --classes {day}",
        f"grid history --plants {day}",
        f"grid history --loads --by slot {day}",
        f"grid history {node} {day} --figure {node}.svg",
        f"grid show --slot {last} --config {config} --figure network.svg",
        f"grid history --versions {day}",
        f"grid verify {day}",
    ):
        console.print(f"  diantan-receiver {what}", highlight=False, soft_wrap=True)


def _table(amounts: Amounts, plan: GridPlan) -> Table:
    day = datetime.fromtimestamp(plan.day_start_ms / 1000, plan.zone).date()
    table = Table(title=f"Carbon of {day} 碳账 ({plan.timezone})", title_style="bold")
    table.add_column("from 来源 / to 去向")
    table.add_column("tCO2", justify="right")
    table.add_column("%", justify="right")
    whole = amounts.sources or 1.0
    for rows, end in ((_LEFT, True), (_RIGHT, False)):
        for place, (name, text) in enumerate(rows):
            value = getattr(amounts, name)
            last = end and place == len(rows) - 1
            table.add_row(text, _number(value / _KG_PER_T, 6), _number(value / whole * 100, 4), end_section=last)
    return table


def _number(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text if text.strip("-0.") else text.removeprefix("-")


def _time(start_ms: int, plan: GridPlan) -> str:
    return f"{datetime.fromtimestamp(start_ms / 1000, plan.zone):%H:%M}"
