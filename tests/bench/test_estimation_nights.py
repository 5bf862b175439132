"""The bench of the nightly run measures nights that took place."""

from bench.estimation import nights, shared_nights
from bench.estimation.shared_nights import Shared


def test_the_first_night_takes_all_windows_and_the_next_adds_a_day() -> None:
    found = nights.nights(1, 8, 2)
    assert [one.full for one in found] == [True, False, False]
    assert all(one.cpu_ms > 0 for one in found)


def test_one_process_and_several_make_the_same_nights() -> None:
    told: list[str] = []
    found = shared_nights.shared(4, 8, 2, drawn=2, told=told.append)
    assert sorted(one.processes for one in found) == [1, 1, 2, 2]
    assert {one.stations for one in found} == {4}
    assert all(one.wall_s > 0 and one.cpu_ms > 0 for one in found)
    several, alone = ([one.full for one in found if one.processes == number] for number in (2, 1))
    assert several == alone
    assert told[-1] == "night 2 of 2, by one process and by 2"


def test_what_processes_bring_is_told_of_nights_that_add_a_day() -> None:
    found = [
        Shared(1, 40, 0, 2.0, 1000.0),
        Shared(2, 40, 0, 1.25, 1200.0),
        Shared(1, 40, 5, 9.0, 5000.0),
        Shared(2, 40, 5, 5.0, 5000.0),
    ]
    assert shared_nights.lines(found) == [
        "nights shared by processes, 40 stations in a SQLite store, a day added, by the wall clock:",
        "  1 of them: 20.0 stations a second (median of 1 nights), 25.0 ms of CPU each, on 0.50 cores",
        "  2 of them: 32.0 stations a second (median of 1 nights), 30.0 ms of CPU each, on 0.96 cores",
        "  2 bring 1.60 times as many as 1",
        (
            "  extrapolated from this sample to 50000 stations by 2 processes on 2 cores: 1562 s; target 600 s: "
            "missed by a factor of 2.6"
        ),
    ]
    assert "with some that took all windows" in shared_nights.lines(found[2:])[0]
