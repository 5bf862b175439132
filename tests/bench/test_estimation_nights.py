"""The bench of the nightly run measures nights that took place."""

from bench.estimation import nights


def test_the_first_night_takes_all_windows_and_the_next_adds_a_day() -> None:
    found = nights.nights(1, 8, 2)
    assert [one.full for one in found] == [True, False, False]
    assert all(one.cpu_ms > 0 for one in found)
