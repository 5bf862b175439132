"""How much of a range intervals cover, once and more than once, against counting it instant by instant."""

from hypothesis import given
from hypothesis import strategies as st

from wire.proof.contents import Interval
from wire.proof.continuity import coverage

_END = 24


@given(
    st.lists(st.tuples(st.integers(0, _END), st.integers(1, 8)), max_size=8),
    st.integers(0, _END),
    st.integers(1, _END),
)
def test_coverage_is_what_counting_finds(spans: list[tuple[int, int]], from_ms: int, length: int) -> None:
    intervals = [
        Interval(b"journal1", number, start, duration, 0, 0, 0, 0, None, 0, 0, 0, 0, 0, 0, 0)
        for number, (start, duration) in enumerate(spans, 1)
    ]
    times = range(from_ms, from_ms + length)
    counts = [sum(start <= time < start + duration for start, duration in spans) for time in times]
    assert coverage(intervals, from_ms, from_ms + length) == (
        sum(count > 0 for count in counts),
        sum(count > 1 for count in counts),
    )
