"""The bench of the nightly run measures nights that took place."""

from bench.estimation import nights, shared_nights
from bench.estimation.shared_nights import SELDOM, Shared


def test_the_first_night_takes_all_windows_and_the_next_adds_a_day() -> None:
    found = nights.nights(1, 8, 2)
    assert [one.full for one in found] == [True, False, False]
    assert all(one.cpu_ms > 0 for one in found)


def test_one_process_and_several_make_the_same_nights() -> None:
    told: list[str] = []
    found = shared_nights.shared(4, 8, [2, 2, SELDOM], drawn=2, told=told.append)
    assert sorted(one.processes for one in found) == [1, 1, 1, 2, 2, 2]
    assert {one.stations for one in found} == {4}
    assert all(one.wall_s > 0 and one.cpu_ms > 0 for one in found)
    several, alone = ([(one.every, one.full) for one in found if one.processes == number] for number in (2, 1))
    assert several == alone
    # Each night half of the stations has its own day, in two each of them once.
    assert [every for every, _ in alone] == [2, 2, SELDOM]
    assert all(full >= 2 for every, full in alone if every == 2)
    assert told[-1] == "night 3 of 3, by one process and by 2"


def test_what_processes_bring_is_told_of_days_added_and_of_nights_with_a_share_of_all_windows() -> None:
    found = [
        Shared(7, 1, 40, 5, 3.0, 2000.0),
        Shared(7, 2, 40, 5, 2.0, 2200.0),
        Shared(7, 1, 40, 7, 5.0, 2000.0),
        Shared(7, 2, 40, 7, 2.0, 2200.0),
        Shared(SELDOM, 1, 40, 0, 2.0, 1000.0),
        Shared(SELDOM, 2, 40, 0, 1.25, 1200.0),
        Shared(SELDOM, 1, 40, 1, 9.0, 5000.0),
        Shared(SELDOM, 2, 40, 1, 5.0, 5000.0),
    ]
    assert shared_nights.lines(found) == [
        "nights shared by processes, 40 stations in a SQLite store, by the wall clock:",
        "  a day added to each:",
        "    1 of them: 20.0 stations a second (mean of 1 nights), 25.0 ms of CPU each, on 0.50 cores",
        "    2 of them: 32.0 stations a second (mean of 1 nights), 30.0 ms of CPU each, on 0.96 cores",
        "    2 bring 1.60 times as many as 1",
        (
            "    extrapolated from this sample to 50000 stations by 2 processes on 2 cores: 1562 s; target 600 s: "
            "missed by a factor of 2.6"
        ),
        "  2 nights, 12 of 80 with all windows, of one in 7 its turn:",
        "    1 of them: 10.0 stations a second (mean of 2 nights), 50.0 ms of CPU each, on 0.50 cores",
        "    2 of them: 20.0 stations a second (mean of 2 nights), 55.0 ms of CPU each, on 1.10 cores",
        "    2 bring 2.00 times as many as 1",
        (
            "    extrapolated from this sample to 50000 stations by 2 processes on 2 cores: 2500 s; target 600 s: "
            "missed by a factor of 4.2"
        ),
    ]
