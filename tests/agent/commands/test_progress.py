"""Progress of long work."""

import io

from agent.commands.progress import Progress
from clock import ManualClock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_a_minute_where_nobody_watches() -> None:
    clock, stream = ManualClock(), io.StringIO()
    progress = Progress(clock, stream)
    for second in range(150):
        progress(f"unit {second}")
        clock.elapsed_ms += 1000
    assert stream.getvalue() == "unit 60\nunit 120\n"
    progress.clear()
    assert stream.getvalue() == "unit 60\nunit 120\n"


def test_in_place_on_a_terminal() -> None:
    """At most ten times a second, and nothing of a longer text stays."""
    clock, stream = ManualClock(), Terminal()
    progress = Progress(clock, stream)
    progress.prefix = "9600: "
    progress("unit 100")
    progress("unit 101")
    clock.elapsed_ms += 100
    progress("done")
    progress.clear()
    assert stream.getvalue() == "\r9600: unit 100\r9600: done    \r" + " " * 14 + "\r"
