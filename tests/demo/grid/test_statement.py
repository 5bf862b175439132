"""What is printed at the end: every entry, the verdict, and what is wrong."""

from datetime import datetime
from pathlib import Path

from rich.console import Console

from cloud_receiver.cli import parser
from demo.grid import statement
from demo.grid.books import Amounts, DayBooks, SlotBooks
from demo.grid.plan import Gateway, GridPlan, Meter
from demo.grid.records import MeterSlot
from demo.grid.tables import SLOT, SLOT_MS, Day

START = datetime.fromisoformat("2026-06-15T00:00:00+08:00")
START_MS = round(START.timestamp()) * 1000
GOOD = Amounts(sources=1000.0, metered=300, adjusted=-20, unmetered=700, losses=19.9999, imbalance=-1e-9, bound=0.001)


def printed(*slots: SlotBooks) -> str:
    """Return what is shown of a day."""
    console = Console(width=150, record=True, file=None, quiet=True)
    plan = GridPlan(Path(), Day([START]), "Asia/Shanghai", ())
    with console.capture() as capture:
        console.quiet = False
        statement.show(DayBooks(slots), plan, console)
    return capture.get()


def test_books_that_close_are_shown_with_every_entry() -> None:
    """In tonnes and per cent; the remainder beside what the rounding allows."""
    text = printed(SlotBooks(START_MS, GOOD, (), 3), SlotBooks(START_MS + SLOT_MS, GOOD, (), 4))
    assert "Carbon of 2026-06-15" in text
    for label, tonnes, share in (
        ("at the plants' meters", "2.000000", "100.0000"),
        ("at the users' meters, as metered", "0.600000", "30.0000"),
        ("adjustments for late factors", "-0.040000", "-2.0000"),
        ("unmetered loads", "1.400000", "70.0000"),
        ("losses of lines", "0.040000", "2.0000"),
        ("of unbalanced power", "0.000000", "0.0000"),
    ):
        row = next(line for line in text.splitlines() if label in line)
        assert [cell.strip() for cell in row.split("│")[2:4]] == [tonnes, share]
    assert "Remainder 余差: +0.000200 kg" in text
    assert "±0.002000 kg" in text
    assert "2 close each by itself" in text
    assert ": 7" in text
    assert "CLOSED 平衡" in text
    assert "NOT CLOSED" not in text


def test_books_that_don_t_close_say_why() -> None:
    """Slot by slot, not without end."""
    complaints = tuple(f"load U{number:03}: gone" for number in range(30))
    text = printed(SlotBooks(START_MS, GOOD), SlotBooks(START_MS + SLOT_MS, GOOD, complaints))
    assert "NOT CLOSED 不平衡" in text
    assert "00:15 load U000: gone" in text
    assert "U019" in text
    assert "U020" not in text
    assert "and 10 more" in text


def test_each_meter_has_a_row_with_its_factors() -> None:
    """From the least to the greatest of the slots, and their mean by energy."""
    gateway = Gateway("gw-a", "park", "park", "B014", (Meter("entry", "load U014", "grid", 1),))
    plan = GridPlan(Path(), Day([START, START + SLOT]), "Asia/Shanghai", (gateway,))
    records = {
        START_MS: {"U014": MeterSlot(SLOT_MS, 2_000_000_000, 0, 1_000_000_000_000, 200_000_000_000)},
        START_MS + SLOT_MS: {"U014": MeterSlot(SLOT_MS, 1_000_000_000, 0, 300_000_000_000, 0)},
    }
    console = Console(width=200)
    with console.capture() as capture:
        statement.show_meters(records, plan, console)
    row = next(line for line in capture.get().splitlines() if "U014" in line)
    assert [cell.strip() for cell in row.split("│")[1:-1]] == [
        *("gw-a", "load U014", "3.000", "1.500000", "+0.200000"),
        *("0.300000", "0.500000", "0.600000", "2/2"),
    ]


def test_the_commands_that_look_further_are_ones_of_the_centre() -> None:
    """Each one its command line takes, with the day that was simulated."""
    meter = Meter("entry-014", "load U014", "grid", 1)
    gateway = Gateway("gw-park-014", "park-014", "park", "B014", (meter,))
    plan = GridPlan(Path(), Day([START, START + SLOT]), "Asia/Shanghai", (gateway,))
    console = Console(width=60)
    with console.capture() as capture:
        statement.show_commands(plan, Path("where/receiver.toml"), console)
    commands = [line.split() for line in capture.get().splitlines() if "diantan-receiver" in line]
    centre = parser()
    parsed = [centre.parse_args(command[1:]) for command in commands]
    assert {options.config for options in parsed} == {"where/receiver.toml"}
    assert [getattr(options, "node", "") for options in parsed if getattr(options, "figure", None)] == ["B014", ""]
    assert "grid show --slot 2026-06-15T00:15+08:00" in capture.get()
