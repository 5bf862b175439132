"""When meters are polled."""

from hypothesis import given
from hypothesis import strategies as st

from agent.schedule import next_poll, phase, silence_delay

QUARTER = 900_000


def test_polls_fall_on_the_boundary_and_start_afresh_there() -> None:
    """A period that does not divide the interval makes one shorter step."""
    due = [0]
    while due[-1] < QUARTER:
        due.append(next_poll(due[-1], 400_000, QUARTER))
    assert due == [0, 400_000, 800_000, QUARTER]


@given(
    now=st.integers(0, 10**13),
    period=st.integers(1_000, QUARTER),
    interval=st.sampled_from([60_000, 180_000, 300_000, QUARTER]),
    offset=st.integers(0, 999),
)
def test_next_poll_is_after_now_within_a_period_and_never_passes_a_boundary(
    now: int, period: int, interval: int, offset: int
) -> None:
    """The grid holds for any instant."""
    due = next_poll(now, period, interval, offset)
    assert now < due <= now + period
    boundary = (now - offset) // interval * interval + interval + offset
    assert due <= boundary


def test_lines_take_their_turns_within_a_second() -> None:
    """200 lines do not burst, and none is late for its boundary by more than a second."""
    phases = [phase(i, 200, 60_000) for i in range(200)]
    assert phases == sorted(phases)
    assert len(set(phases)) == 200
    assert phases[-1] < 1000


def test_a_silent_meter_is_left_alone_longer_and_longer() -> None:
    """One lost frame costs nothing; then the pause doubles up to the limit, never below the period."""
    assert [silence_delay(n, 1_000, 60_000) for n in range(9)] == [
        *(0, 0, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000),
    ]
    assert silence_delay(50, 900_000, 60_000) == 900_000
