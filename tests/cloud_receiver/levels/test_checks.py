"""A day's sums: steps and clocks count wherever the registers are read."""

import pytest

from cloud_receiver.levels.book import Said
from cloud_receiver.levels.checks import DAY, _drafts
from cloud_receiver.levels.compare import Limits

SLOT_MS = 900_000
STEP_MWH = 10_000_000
LIMITS = Limits(0, 0, STEP_MWH, STEP_MWH)


@pytest.mark.parametrize(("apart", "expected"), [(2, []), (1, [DAY])])
def test_each_gap_has_two_more_readings(apart: int, expected: list[str]) -> None:
    """Three slots one step apart each way: as three spans within their steps, as one not."""
    ours = {place * apart * SLOT_MS: Said(0, 0) for place in range(3)}
    theirs = {start: Said(4 * STEP_MWH - 1, 0) for start in ours}
    drafts = _drafts("centre c", "n", (ours, theirs), LIMITS, ())
    assert [item.kind for item in drafts] == expected
