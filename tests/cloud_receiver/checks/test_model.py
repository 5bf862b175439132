"""Overlapping intervals: what is kept, against an obvious and slow way to say the same."""

from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.checks.model import IntervalRow, without_overlaps

ROWS = st.lists(
    st.builds(
        lambda start, duration, journal, sequence, quality: IntervalRow(
            start, 1, journal, sequence, duration, *[0] * 4, None, *[0] * 6, quality
        ),
        *(st.integers(0, 30), st.integers(1, 8), st.integers(1, 2), st.integers(1, 99), st.integers(0, 3)),
    ),
    max_size=12,
    unique_by=lambda row: (row.journal, row.sequence),
)


@given(ROWS)
def test_the_better_row_wins(rows: list[IntervalRow]) -> None:
    kept, left = without_overlaps(rows)
    expected: list[IntervalRow] = []
    for row in sorted(rows, key=lambda row: (row.quality, -row.journal, -row.sequence)):
        if not any(row.start_ms < other.end_ms and other.start_ms < row.end_ms for other in expected):
            expected.append(row)
    assert kept == sorted(expected)
    assert sorted([*kept, *left]) == sorted(rows)
