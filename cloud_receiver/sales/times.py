"""Times of orders: which of two hours is meant where a clock was put back."""

from datetime import tzinfo

from cloud_receiver.delimited.times import Dates, TimeTextError, parse
from cloud_receiver.delimited.zone import Zone
from cloud_receiver.mistakes import quoted


class Times:
    """Reads times; counts those that a clock put back showed twice."""

    def __init__(self, zone: tzinfo, dates: Dates = Dates.AUTO, form: str | None = None) -> None:
        """`form`: as strptime has it, where the common forms don't fit."""
        self._zone = Zone(zone)
        self._dates = dates
        self._form = form
        self.repeated = 0
        """Times that were there twice: taken as the first, unless the order would end before it began."""

    def start(self, text: str) -> int:
        """Return an instant in ms UTC; TimeTextError for a text that is none."""
        return self._instant(text, not_before=None)

    def end(self, text: str, start_ms: int) -> int:
        """Return the end of what began at `start_ms`: of an hour that was there twice, the one that fits."""
        return self._instant(text, not_before=start_ms)

    def _instant(self, text: str, not_before: int | None) -> int:
        found = self._zone.instants(parse(text, self._dates, self._form)).all
        if not found:
            raise TimeTextError(f"expected a time of {self._zone}, whose clocks skipped {quoted(text)}")
        if len(found) == 1:
            return found[0]
        self.repeated += 1
        first_ms, second_ms = found
        return second_ms if not_before is not None and first_ms < not_before <= second_ms else first_ms
