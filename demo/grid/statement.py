"""The books as a person reads them: a table of the day, the verdict, and what is wrong, in English and Chinese."""

from datetime import datetime
from typing import Final

from rich.console import Console
from rich.table import Table

from demo.grid.books import Amounts, DayBooks
from demo.grid.plan import GridPlan

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
            table.add_row(text, f"{value / _KG_PER_T:.6f}", f"{value / whole * 100:.4f}", end_section=last)
    return table


def _time(start_ms: int, plan: GridPlan) -> str:
    return f"{datetime.fromtimestamp(start_ms / 1000, plan.zone):%H:%M}"
