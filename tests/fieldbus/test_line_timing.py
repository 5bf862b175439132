"""Times of a line that follow from its speed."""

import pytest

from fieldbus.line_timing import LineTiming


@pytest.mark.parametrize(
    ("baud", "pause_s"), [(1200, 0.0320833), (9600, 0.0040104), (19200, 0.0020052), (115200, 0.00175)]
)
def test_frames_are_three_and_a_half_characters_apart(baud: int, pause_s: float) -> None:
    """Modbus over serial line 1.02, 2.5.1.1: fixed above 19200 Bd."""
    assert LineTiming.serial(baud).pause_s == pytest.approx(pause_s, rel=1e-4)


def test_a_longer_pause_and_another_gap_can_be_had() -> None:
    """But no pause shorter than the standard's."""
    timing = LineTiming.serial(9600, bits_per_character=10, pause_s=0.1, gap_s=0.6, timeout_s=0.4, late_s=30)
    assert (timing.pause_s, timing.gap_s, timing.timeout_s, timing.late_s) == (0.1, 0.6, 0.4, 30)
    assert timing.character_s == pytest.approx(10 / 9600)
    assert LineTiming.serial(9600, pause_s=0.001).pause_s > 0.004


def test_a_long_frame_fits_on_a_slow_line() -> None:
    """256 octets at 300 Bd take 9.4 s."""
    assert LineTiming.serial(300).longest_reply_s > 9.4
