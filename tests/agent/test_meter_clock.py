"""The clocks of the meters: one event a crossing, and none while the gateway's own time is not known."""

from typing import Any

import pytest

from agent.meter_clock import MeterClock
from fieldbus.exchange import RefusedError
from profiles import load
from wire.records import DetailKey, EventCode

PROFILE = load("sim-carbon-meter")
NOW = 1_767_196_800_000
MINUTE = 60_000


class Desk:
    """One clock with the meter's deviation in hand; asked once an hour, limit five minutes."""

    def __init__(self) -> None:
        self.now_ms = NOW
        self.trusted = True
        self.told: list[Any] = []
        (block,) = PROFILE.plan([PROFILE.points["device_time"]], "Asia/Shanghai")
        self.clock = MeterClock(
            "m",
            block,
            limit_ms=5 * MINUTE,
            check_ms=60 * MINUTE,
            now_ms=lambda: self.now_ms,
            trusted=lambda: self.trusted,
            tell=self.told.append,
        )

    def see(self, deviation_ms: int) -> None:
        """Let an hour pass and the meter answer."""
        self.now_ms += 60 * MINUTE
        errand = self.clock.errand()
        assert errand is not None
        errand.done({"device_time": self.now_ms + 700 + deviation_ms}, self.now_ms + 700)


def test_one_event_for_each_crossing_with_the_deviation() -> None:
    """In either direction; and back only clearly within the limit."""
    desk = Desk()
    for deviation in (0, 300_000, 300_001, 400_000, -400_000, 299_000, 241_000, 240_000, 0, -300_001):
        desk.see(deviation)
    assert [(event.code, event.details[DetailKey.DEVIATION]) for event in desk.told] == [
        (EventCode.METER_CLOCK_OFF, 300_001),
        (EventCode.METER_CLOCK_RIGHT, 240_000),
        (EventCode.METER_CLOCK_OFF, -300_001),
    ]
    assert desk.clock.deviation_ms == -300_001


def test_it_is_asked_at_the_start_and_then_once_in_its_period() -> None:
    """Whatever the poll period is."""
    desk = Desk()
    assert desk.clock.errand() is not None
    desk.now_ms += 59 * MINUTE
    assert desk.clock.errand() is None
    desk.now_ms += MINUTE
    assert desk.clock.errand() is not None


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_gateway_that_does_not_know_the_time_blames_no_meter(when: str) -> None:
    """Its own clock may be the wrong one."""
    desk = Desk()
    if when == "before":
        desk.trusted = False
        assert desk.clock.errand() is None
        return
    errand = desk.clock.errand()
    assert errand is not None
    desk.trusted = False
    errand.done({"device_time": 0}, desk.now_ms)
    assert desk.told == []
    assert desk.clock.deviation_ms is None


def test_a_meter_that_does_not_tell_its_time_is_asked_again_later() -> None:
    """No value, or a refusal."""
    desk = Desk()
    errand = desk.clock.errand()
    assert errand is not None
    errand.failed(RefusedError(2, "illegal data address"))
    desk.now_ms += 60 * MINUTE
    again = desk.clock.errand()
    assert again is not None
    again.done({}, desk.now_ms)
    assert desk.told == []
