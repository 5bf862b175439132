"""Freezes of the meters themselves: the right row, checked, told once, over delays, restarts and outages."""

import tracemalloc
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.freezes import FreezeSettings, MeterFreezes, midnights_between
from agent.reading import Reading
from fieldbus.exchange import NoReplyError
from profiles import load
from wire.records import (
    DetailKey,
    EventCode,
    EventRecord,
    FreezeKind,
    FreezeRecord,
    FreezeSource,
)

ZONE = "Asia/Shanghai"
MIDNIGHT = 1_767_196_800_000  # 2026-01-01T00:00+08:00: of a day and of a month
DAY = 86_400_000
HOUR = 3_600_000
MINUTE = 60_000
PROFILE = load("sim-carbon-meter")


class Desk:
    """One meter's freezes, with a clock, readings and a freeze table in hand: 1 kWh a minute."""

    def __init__(self, now_ms: int = MIDNIGHT - HOUR) -> None:
        self.now_ms = now_ms
        self.told: list[Any] = []
        self.rows: dict[tuple[str, int], Mapping[str, int]] = {}
        self.asked: list[tuple[int, str, int]] = []
        self.freezes = self.make()

    def make(self) -> MeterFreezes:
        """Return the freezes, without wishes."""
        settings = FreezeSettings(ZONE, margin_ms=5 * MINUTE, give_up_ms=6 * HOUR)
        return MeterFreezes("m", PROFILE, settings, lambda: self.now_ms, self.told.append)

    @staticmethod
    def register(time_ms: int) -> int:
        """Return the meter's register at a time."""
        return 10**9 + 10**6 * ((time_ms - MIDNIGHT) // MINUTE)

    def read(self, *records: Any) -> bool:
        """Take a reading of now, with what it closed."""
        return self.freezes.take(Reading("m", self.now_ms, self.register(self.now_ms), 7), list(records))

    def freeze(self, time_ms: int, kind: FreezeKind = FreezeKind.DAILY, **more: Any) -> FreezeRecord:
        """Return the gateway's own freeze."""
        source = more.get("source", FreezeSource.GATEWAY_INTERPOLATED)
        return FreezeRecord("m", time_ms, kind, self.register(time_ms), 7, 500, 600, source)

    def keep(self, row: int, time_ms: int, **changes: int) -> None:
        """Let the meter have a row of daily freezes."""
        values = {"time": time_ms, "energy_forward": self.register(time_ms), "energy_reverse": 7}
        self.rows["daily_freezes", row] = values | {"carbon_forward": 11_999, "carbon_reverse": 12_000} | changes

    def pass_midnight(self, *kinds: FreezeKind, midnight: int = MIDNIGHT) -> None:
        """Read every minute from ten minutes before midnight to ten after."""
        for minute in range(-10, 11):
            self.now_ms = midnight + minute * MINUTE
            self.read(*([self.freeze(midnight, kind) for kind in kinds] if minute == 1 else []))

    def work(self) -> bool:
        """Carry out the next errand; return whether there was one."""
        errand = self.freezes.errand()
        if errand is None:
            return False
        (block,) = errand.blocks
        for (table, row), values in self.rows.items():
            if block == PROFILE.plan_row(table, row, ZONE)[0]:
                self.asked.append((self.now_ms, table, row))
                errand.done(dict(values), self.now_ms)
                return True
        self.asked.append((self.now_ms, "nothing", 0))
        errand.done({}, self.now_ms)
        return True


def test_the_freeze_of_midnight_is_read_after_it_and_told_once() -> None:
    """With the meter's own values, carbon included in µg; not before its clock can have passed midnight."""
    desk = Desk()
    desk.keep(1, MIDNIGHT)
    desk.pass_midnight(FreezeKind.DAILY)
    desk.now_ms = MIDNIGHT + 4 * MINUTE
    assert not desk.work()
    desk.now_ms = MIDNIGHT + 5 * MINUTE
    assert desk.work()
    assert desk.told == [
        FreezeRecord("m", MIDNIGHT, FreezeKind.DAILY, desk.register(MIDNIGHT), 7, 11, 12, FreezeSource.METER)
    ]
    assert not desk.work()
    assert desk.freezes.wishes == []


def test_a_table_without_carbon_and_reverse_energy_leaves_the_gateways() -> None:
    """A record needs them, and the gateway's freeze of this midnight has them."""
    desk = Desk()
    desk.rows["daily_freezes", 1] = {"time": MIDNIGHT, "energy_forward": desk.register(MIDNIGHT)}
    desk.pass_midnight(FreezeKind.DAILY)
    assert desk.work()
    assert desk.told[0].reverse_total_mwh == 7
    assert (desk.told[0].carbon_forward_total_ug, desk.told[0].carbon_reverse_total_ug) == (500, 600)


def test_of_a_month_both_freezes_are_read() -> None:
    """Each from its own table."""
    desk = Desk()
    desk.keep(1, MIDNIGHT)
    desk.rows["monthly_freezes", 1] = desk.rows["daily_freezes", 1]
    desk.pass_midnight(FreezeKind.DAILY, FreezeKind.MONTHLY)
    while desk.work():
        pass
    assert {record.kind for record in desk.told} == set(FreezeKind)
    assert sorted(table for _, table, _ in desk.asked) == ["daily_freezes", "monthly_freezes"]


def test_a_row_that_is_not_there_yet_is_asked_for_again_with_growing_pauses() -> None:
    """Yesterday's in its place, or nothing; then it comes."""
    desk = Desk()
    desk.keep(1, MIDNIGHT - DAY)
    desk.pass_midnight(FreezeKind.DAILY)
    asked = 0
    while desk.now_ms < MIDNIGHT + 2 * HOUR:
        asked += desk.work()
        desk.now_ms += MINUTE // 2
    assert 5 <= asked <= 10
    assert desk.told == []
    desk.keep(1, MIDNIGHT)
    while not desk.told:
        desk.work()
        desk.now_ms += MINUTE
    assert desk.told[0].source == FreezeSource.METER
    assert desk.now_ms < MIDNIGHT + 3 * HOUR


def test_after_some_hours_an_event_says_that_there_is_none() -> None:
    """Once; with the freeze's time and the reason, and the gateway's freeze stands."""
    desk = Desk()
    desk.pass_midnight(FreezeKind.DAILY)
    while desk.now_ms < MIDNIGHT + 8 * HOUR:
        desk.work()
        desk.now_ms += MINUTE
    (event,) = desk.told
    assert isinstance(event, EventRecord)
    assert (event.code, event.details[DetailKey.FREEZE]) == (EventCode.FREEZE_MISSING, MIDNIGHT)
    assert "row 1 is empty" in str(event.details[DetailKey.TEXT])
    assert MIDNIGHT + 6 * HOUR <= event.time_ms <= MIDNIGHT + 7 * HOUR
    assert desk.freezes.missing == 1


def test_a_meter_that_does_not_answer_is_asked_again() -> None:
    """The line says that it failed."""
    desk = Desk()
    desk.pass_midnight(FreezeKind.DAILY)
    errand = desk.freezes.errand()
    assert errand is not None
    assert desk.freezes.errand() is None  # under way
    errand.failed(NoReplyError("no reply"))
    assert desk.freezes.errand() is None
    desk.now_ms += 2 * MINUTE
    assert desk.freezes.errand() is not None


@pytest.mark.parametrize(
    ("changes", "plausible"),
    [
        ({"energy_forward": 10**9 + 4 * 10**6}, True),  # frozen four minutes late, as its clock may be
        ({"energy_forward": 10**9 - 4 * 10**6}, True),
        ({"energy_forward": 10**9 + 6 * 10**6}, False),
        ({"energy_forward": 10**9 - 6 * 10**6}, False),
        ({"energy_reverse": 20_008}, False),
        ({"energy_reverse": 10_007}, True),  # one step of the register
    ],
)
def test_a_freeze_must_lie_between_the_readings_around_midnight(changes: dict[str, int], plausible: bool) -> None:
    """Another meter's, or another day's with the right date."""
    desk = Desk()
    desk.keep(1, MIDNIGHT, **changes)
    desk.pass_midnight(FreezeKind.DAILY)
    assert desk.work()
    assert isinstance(desk.told[0], FreezeRecord) == plausible
    if not plausible:
        assert desk.told[0].code == EventCode.FREEZE_MISSING
        assert "is not between" in str(desk.told[0].details[DetailKey.TEXT])


def test_after_an_outage_every_missed_row_that_the_meter_keeps_is_read() -> None:
    """Forty days: the meter keeps thirty; the others are told missing."""
    desk = Desk()
    desk.read()
    desk.now_ms = MIDNIGHT + 39 * DAY + HOUR
    desk.read(*(desk.freeze(MIDNIGHT + day * DAY) for day in range(40)))
    for row in range(1, 31):
        desk.keep(row, MIDNIGHT + (40 - row) * DAY)
    while desk.work():
        pass
    assert [record.time_ms for record in desk.told if isinstance(record, FreezeRecord)] == [
        MIDNIGHT + day * DAY for day in range(10, 40)
    ]
    missing = [record for record in desk.told if isinstance(record, EventRecord)]
    assert len(missing) == 10
    assert all("does not keep row" in str(record.details[DetailKey.TEXT]) for record in missing)
    assert desk.freezes.wishes == []


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_row_beside_the_expected_one_is_found(shift: int) -> None:
    """A meter without power at a midnight has a row less; one whose clock ran ahead has one more."""
    desk = Desk()
    desk.read()
    desk.now_ms = MIDNIGHT + 4 * DAY + HOUR
    desk.read(desk.freeze(MIDNIGHT))
    expected = 5
    for row in range(1, 8):
        desk.keep(row, MIDNIGHT + (expected + shift - row) * DAY)
    for _ in range(3):
        desk.work()
    assert [row for _, _, row in desk.asked] == [expected, expected + shift]
    assert desk.told[0].time_ms == MIDNIGHT


def test_around_the_next_midnight_no_row_is_asked_for() -> None:
    """Which row it is in depends on the meter's clock then."""
    desk = Desk()
    desk.pass_midnight(FreezeKind.DAILY)
    desk.now_ms = MIDNIGHT + DAY + MINUTE
    assert not desk.work()
    desk.keep(2, MIDNIGHT)
    desk.now_ms = MIDNIGHT + DAY + 6 * MINUTE
    assert desk.work()
    assert [row for _, _, row in desk.asked] == [2]


def test_an_exchanged_meter_is_not_asked_for_the_freezes_of_the_old_one() -> None:
    """They went with it; and a midnight inside the exchange is nobody's."""
    desk = Desk()
    desk.pass_midnight(FreezeKind.DAILY)
    assert len(desk.freezes.wishes) == 1
    desk.read(
        EventRecord("m", desk.now_ms, EventCode.EXCHANGE),
        desk.freeze(MIDNIGHT + DAY, source=FreezeSource.GATEWAY_PARTIAL),
    )
    assert desk.freezes.wishes == []


def test_a_register_that_starts_again_after_midnight_spoils_no_freeze() -> None:
    """The reading after is of another run of the register: then there is nothing to compare with."""
    desk = Desk()
    for minute in range(-10, 2):
        desk.now_ms = MIDNIGHT + minute * MINUTE
        desk.read(*([desk.freeze(MIDNIGHT)] if minute == 1 else []))
    desk.now_ms = MIDNIGHT + 6 * MINUTE
    rollover = EventRecord("m", desk.now_ms, EventCode.ROLLOVER)
    desk.freezes.take(Reading("m", desk.now_ms, 5, 7), [rollover])
    desk.keep(1, MIDNIGHT)
    assert desk.work()
    assert isinstance(desk.told[0], FreezeRecord)


def test_readings_of_before_a_leap_of_the_clock_bound_no_freeze() -> None:
    """Their times were wrong; what the meter froze is compared with nothing then."""
    desk = Desk(now_ms=MIDNIGHT - HOUR)
    desk.freezes.take(Reading("m", desk.now_ms, 10**12, 7), [])
    desk.freezes.leapt()
    for minute in (-2, -1, 1, 6):
        desk.now_ms = MIDNIGHT + minute * MINUTE
        desk.read(*([desk.freeze(MIDNIGHT)] if minute == 1 else []))
    desk.keep(1, MIDNIGHT)
    assert desk.work()
    assert isinstance(desk.told[0], FreezeRecord)


@pytest.mark.parametrize("beside_ms", [-1000, 3000, -60_000, 60_000])
def test_a_freeze_dated_some_seconds_beside_midnight_is_that_of_midnight(beside_ms: int) -> None:
    """Meters write 23:59:59, or how long they took; the record has the midnight."""
    desk = Desk()
    desk.keep(1, MIDNIGHT, time=MIDNIGHT + beside_ms)
    desk.pass_midnight(FreezeKind.DAILY)
    assert desk.work()
    assert [(type(record), record.time_ms) for record in desk.told] == [(FreezeRecord, MIDNIGHT)]


@pytest.mark.parametrize("beside_ms", [-61_000, 61_000, -(10**17), 10**17])
def test_a_freeze_of_another_time_is_not_that_of_midnight(beside_ms: int) -> None:
    """As of a meter that froze when its power came back; nor does a time beyond all years stop anything."""
    desk = Desk()
    for row in range(1, 31):
        desk.keep(row, MIDNIGHT, time=MIDNIGHT + beside_ms)
    for day in range(2):  # on the second day there is no news in it
        desk.pass_midnight(FreezeKind.DAILY, midnight=MIDNIGHT + day * DAY)
        while desk.now_ms < MIDNIGHT + day * DAY + 8 * HOUR:
            desk.work()
            desk.now_ms += MINUTE
    assert [type(record) for record in desk.told] == [EventRecord]


def test_a_meter_that_never_gives_a_freeze_is_told_of_once() -> None:
    """Until it has given one: then the next that is missing is news again. Months are told for themselves."""
    desk = Desk()
    for day in range(5):
        desk.pass_midnight(FreezeKind.DAILY, midnight=MIDNIGHT + day * DAY)
        while desk.now_ms < MIDNIGHT + day * DAY + 8 * HOUR:
            desk.work()
            desk.now_ms += 10 * MINUTE
    assert [(record.code, record.details[DetailKey.FREEZE]) for record in desk.told] == [
        (EventCode.FREEZE_MISSING, MIDNIGHT)
    ]
    assert desk.freezes.missing == 5
    desk.keep(1, MIDNIGHT + 5 * DAY)
    for day in (5, 6):
        desk.pass_midnight(FreezeKind.DAILY, FreezeKind.MONTHLY, midnight=MIDNIGHT + day * DAY)
        while desk.now_ms < MIDNIGHT + day * DAY + 8 * HOUR:
            desk.work()
            desk.now_ms += 10 * MINUTE
    assert [(type(record), record.time_ms if isinstance(record, FreezeRecord) else 0) for record in desk.told[1:]] == [
        (FreezeRecord, MIDNIGHT + 5 * DAY),
        (EventRecord, 0),
        (EventRecord, 0),
    ]


def test_a_register_that_starts_again_over_midnight_spoils_no_freeze() -> None:
    """The same readings that bracket midnight bracket the rollover: nothing says on which side it was."""
    desk = Desk()
    for minute in range(-10, 0):
        desk.now_ms = MIDNIGHT + minute * MINUTE
        desk.read()
    desk.now_ms = MIDNIGHT + 6 * MINUTE
    rollover = EventRecord("m", desk.now_ms, EventCode.ROLLOVER)
    desk.freezes.take(Reading("m", desk.now_ms, 5, 7), [rollover, desk.freeze(MIDNIGHT)])
    desk.keep(1, MIDNIGHT)
    assert desk.work()
    assert isinstance(desk.told[0], FreezeRecord)


def test_midnights_of_a_time_that_never_was_are_not_waited_for() -> None:
    """The clock was years ahead; a midnight that it had passed rightly is asked for as if it were the first time."""
    desk = Desk()
    desk.pass_midnight(FreezeKind.DAILY)
    assert desk.work()  # empty: asked for again in a minute of the wrong time
    desk.freezes.wishes[0].not_before_ms = MIDNIGHT + 999 * DAY
    desk.now_ms = MIDNIGHT + 1000 * DAY + HOUR
    desk.read(desk.freeze(MIDNIGHT + 1000 * DAY))
    assert len(desk.freezes.wishes) == 2
    desk.now_ms = MIDNIGHT + HOUR
    desk.freezes.leapt()
    desk.keep(1, MIDNIGHT)
    assert desk.work()
    assert [record.time_ms for record in desk.told] == [MIDNIGHT]
    assert desk.freezes.wishes == []


def test_an_errand_that_got_lost_is_sent_again() -> None:
    """As when the handling of a line failed in the middle of it."""
    desk = Desk()
    desk.pass_midnight(FreezeKind.DAILY)
    assert desk.freezes.errand() is not None
    desk.now_ms += HOUR
    assert desk.freezes.errand() is not None


def test_readings_of_every_second_fill_no_memory() -> None:
    """Two hundred meters, and an hour on either side of midnight: a gateway is small. The bound of midnight stays."""
    settings = FreezeSettings(ZONE, margin_ms=HOUR, give_up_ms=6 * HOUR)
    desk = Desk(now_ms=MIDNIGHT - 4 * HOUR)
    desk.freezes = MeterFreezes("m", PROFILE, settings, lambda: desk.now_ms, desk.told.append)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(4 * 3600):
        desk.now_ms += 1000
        desk.read()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 20_000
    desk.read(desk.freeze(MIDNIGHT))
    (wish,) = desk.freezes.wishes
    assert wish.low is not None
    assert desk.register(MIDNIGHT - HOUR - HOUR // 10) <= wish.low[0] <= desk.register(MIDNIGHT - HOUR)


def test_midnights_between() -> None:
    """Days and months of the local calendar."""
    zone = ZoneInfo(ZONE)
    assert midnights_between(MIDNIGHT, MIDNIGHT + DAY - 1, FreezeKind.DAILY, zone) == 0
    assert midnights_between(MIDNIGHT, MIDNIGHT + DAY, FreezeKind.DAILY, zone) == 1
    assert midnights_between(MIDNIGHT, MIDNIGHT + 31 * DAY - 1, FreezeKind.MONTHLY, zone) == 0
    assert midnights_between(MIDNIGHT, MIDNIGHT + 31 * DAY, FreezeKind.MONTHLY, zone) == 1
    assert midnights_between(MIDNIGHT, MIDNIGHT + 366 * DAY, FreezeKind.MONTHLY, zone) == 12
    berlin = ZoneInfo("Europe/Berlin")
    start = 1_774_825_200_000  # 2026-03-30T01:00+02:00, the day after the clocks went forward
    assert midnights_between(start - 2 * DAY, start, FreezeKind.DAILY, berlin) == 2
