"""Progress on a terminal and elsewhere."""

import inspect
import io
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_sim.inspection import runner
from firmware_sim.inspection.metering import visit
from firmware_sim.inspection.progress import TROUBLE, Display, duration
from firmware_sim.inspection.runner import Progress

PROGRESS = Progress(1, 3, "Carbon error", "point 5 of 120", 0, 3_600_000)


class Seconds:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_elsewhere_a_line_a_minute_and_one_for_each_item() -> None:
    stream, seconds = io.StringIO(), Seconds()
    display = Display(stream, seconds, changing=False)
    display.show(PROGRESS)
    seconds.now += 59
    display.show(PROGRESS)
    seconds.now += 2
    display.show(PROGRESS)
    display.show(replace(PROGRESS, number=2, title="Display", detail=""))
    display.end()
    assert stream.getvalue() == (
        "[1/3] Carbon error: point 5 of 120, about 1 h 0 min of the bench's time to go\n"
        "[1/3] Carbon error: point 5 of 120, about 1 h 0 min of the bench's time to go\n"
        "[2/3] Display, about 1 h 0 min of the bench's time to go\n"
    )


def test_on_a_terminal_one_line_changes() -> None:
    stream, seconds = io.StringIO(), Seconds()
    display = Display(stream, seconds, changing=True)
    display.show(PROGRESS)
    display.show(replace(PROGRESS, detail="point 6 of 120"))  # too soon to be read
    seconds.now += 1
    display.show(replace(PROGRESS, detail="point 7 of 120"))
    display.end()
    shown = stream.getvalue()
    assert shown.count("\r") == 2
    assert "point 6" not in shown
    assert shown.endswith("\n")
    assert shown.count("\n") == 1


@pytest.mark.parametrize("changing", [False, True])
def test_a_fault_is_shown_at_once_and_whole_and_stays(*, changing: bool) -> None:
    stream = io.StringIO()
    display = Display(stream, Seconds(), changing=changing)
    display.show(PROGRESS)
    fault = f"once more, as source: {'x' * 200}"
    display.show(replace(PROGRESS, detail=fault))
    display.end()
    assert stream.getvalue().splitlines()[-1] == f"Carbon error: {fault}"
    assert stream.getvalue().endswith("x\n")


def test_the_faults_that_items_tell_of_are_known_by_how_they_begin() -> None:
    told = "".join(Path(inspect.getfile(module)).read_text(encoding="utf-8") for module in (visit, runner))
    assert all(f'f"{words}' in told for words in TROUBLE)


def test_what_is_left_goes_by_how_fast_time_has_passed() -> None:
    seconds = Seconds()
    display = Display(io.StringIO(), seconds, changing=False)
    seconds.now += 30
    half = replace(PROGRESS, done_ms=3_600_000, left_ms=7_200_000)
    assert display.text(half, seconds.now).endswith("about 1 min left")


@pytest.mark.parametrize(("seconds", "text"), [(3, "3 s"), (61, "1 min"), (3_600, "1 h 0 min"), (9_000, "2 h 30 min")])
def test_durations(seconds: int, text: str) -> None:
    assert duration(seconds) == text
