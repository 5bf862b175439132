"""Which nights take all windows: each station has a day of its own in every so many, so that nights are alike.

Days are local dates, not 24 h: a week in which summer time begins or ends has seven of them. Whatever else makes a
station take all windows (late data, another registry) doesn't move its day, so that stations that all did so in one
night part again.
"""

from cloud_receiver.estimation.completeness import local_date


def number_of(station: int, zone: str, midnight_ms: int, every_days: int) -> int:
    """Return which cycle of a station the date of a midnight is of; each begins with its own day."""
    return (local_date(midnight_ms, zone).toordinal() - station) // every_days


def is_over(station: int, zone: str, full_ms: int, through_ms: int, every_days: int) -> bool:
    """Return whether the night up to `through_ms` takes all windows, which the one up to `full_ms` did last.

    So it does where the station's own day has come since. One that was missed is made up for by the next night there
    is, and from one to the next there are `every_days` at most.
    """
    first, last = (number_of(station, zone, time_ms, every_days) for time_ms in (full_ms, through_ms))
    return first < last
