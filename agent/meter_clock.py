"""The clocks of the meters (电能表时钟): how far each is from the gateway's, looked at now and then."""

from collections.abc import Callable

from agent.logs import log
from agent.spare import Errand
from profiles import Block
from wire.records import DetailKey, EventCode, EventRecord, Record


class MeterClock:
    """One meter's clock."""

    def __init__(
        self,
        meter: str,
        block: Block,
        *,
        limit_ms: int,
        check_ms: int,
        now_ms: Callable[[], int],
        trusted: Callable[[], bool],
        tell: Callable[[Record], None],
    ) -> None:
        """`block` brings `device_time`; `trusted` says whether the gateway's own time is to be believed."""
        self.deviation_ms: int | None = None  # meter less gateway, as last seen
        self.off = False  # beyond the limit, and an event has said so
        self._meter = meter
        self._block = block
        self._limit_ms = limit_ms
        self._check_ms = check_ms
        self._now_ms = now_ms
        self._trusted = trusted
        self._tell = tell
        self._last_ms: int | None = None  # when it was asked

    def errand(self) -> Errand | None:
        """Return the request for the meter's time when it is due."""
        now = self._now_ms()
        if not self._trusted() or (self._last_ms is not None and 0 <= now - self._last_ms < self._check_ms):
            return None
        self._last_ms = now
        return Errand([self._block], self._done, self._failed)

    def _done(self, values: dict[str, int], time_ms: int) -> None:
        if (device_ms := values.get("device_time")) is None or not self._trusted():
            return
        deviation = self.deviation_ms = device_ms - time_ms
        # Back within four fifths: a clock at the limit must not fill the journal.
        off = abs(deviation) > (self._limit_ms * 4 // 5 if self.off else self._limit_ms)
        if off == self.off:
            return
        self.off = off
        log.warning(
            "its clock is %d ms away from the gateway's%s",
            deviation,
            "" if off else ", within the limit again",
            extra={"about": self._meter},
        )
        code = EventCode.METER_CLOCK_OFF if off else EventCode.METER_CLOCK_RIGHT
        self._tell(EventRecord(self._meter, time_ms, code, {int(DetailKey.DEVIATION): deviation}))

    def _failed(self, error: Exception) -> None:
        log.info("it does not tell its time: %s", error, extra={"about": self._meter})
