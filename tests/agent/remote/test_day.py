"""READ_DAY: freezes and factors of a day, out of the journal or out of the meters."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from journal_support import entropy
from line_bench import PROFILE, ZONE, Bench
from remote_support import command

from agent.journal import Journal
from agent.journal_entry import Append, FactorUpdate, to_row
from agent.remote import asking
from agent.remote import day as days
from agent.remote.answered import Answered, RefusedCommandError
from agent.remote.asking import Asking
from agent.remote.day import DayReader, midnights_of
from agent.remote.frozen import MeterRows
from agent.writer import JournalWriter
from fieldbus.exchange import LineError, NoReplyError, RefusedError
from wire.commands import Outcome
from wire.orders import ReadDay
from wire.records import FreezeKind, FreezeRecord, FreezeSource, IntervalRecord
from wire.results import DayRead, SlotFactor

START = 1_767_196_800_000  # 2026-01-01 00:00 in Asia/Shanghai: also the first of a month
DAY_MS = 86_400_000
SLOT = 900_000
NOW = START + 3 * DAY_MS + 10 * 3_600_000  # on the 4th
OWN, METER = FreezeSource.GATEWAY_MEASURED, FreezeSource.METER


def freeze(
    meter: str, day: int, kind: FreezeKind = FreezeKind.DAILY, source: FreezeSource = OWN, value: int = 10**9
) -> FreezeRecord:
    """Return a freeze of the midnight that begins a day of January 2026."""
    return FreezeRecord(meter, START + (day - 1) * DAY_MS, kind, value, 5, 7, 9, source)


class Rows:
    """Meters with freeze tables, as a line would answer for them: by meter, then table, then row."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, dict[int, dict[str, int]]]] = {}
        self.errors: dict[str, Exception] = {}
        self.asked: list[tuple[str, str, int]] = []

    def plan_row(self, table: str, row: int, _zone: str) -> list[tuple[str, int]]:
        """Plan as a profile does."""
        if row > 30:
            raise IndexError(row)
        return [(table, row)]

    async def ask(self, meter: str, block: tuple[str, int]) -> tuple[dict[str, int], int]:
        """Answer as a line does."""
        self.asked.append((meter, *block))
        if (error := self.errors.get(meter)) is not None:
            raise error
        table, row = block
        return self.tables.get(meter, {}).get(table, {}).get(row, {}), NOW

    def keep(self, meter: str, table: str, row: int, time_ms: int, forward: int, **more: int) -> None:
        """Put a freeze into a meter."""
        self.tables.setdefault(meter, {}).setdefault(table, {})[row] = {
            "time": time_ms,
            "energy_forward": forward,
            **more,
        }


class Desk:
    """A journal with some days in it, and a day reader."""

    def __init__(self, directory: Path, records: Sequence[Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench = Bench(meters=3)
        self.bench.clock.wall_ms = NOW
        self.journal = Journal.open(directory / "journal.db", now_ms=NOW, entropy=entropy)
        self.journal.commit([Append([to_row(record) for record in records])])
        self.writer = JournalWriter(self.journal, self.bench.clock, self.bench.clock.now_ms, memory_records=10)
        self.rows = Rows()
        meters = Asking([self.bench.line], self.bench.clock)
        monkeypatch.setattr(meters, "ask", self.rows.ask)
        profile: Any = Stub(self.rows)
        now_ms = self.bench.clock.now_ms
        rows = MeterRows(meters, dict.fromkeys(("m1", "m2", "m3"), profile), ZONE, now_ms)
        self.reader = DayReader(self.writer, meters, rows, ZONE, now_ms=now_ms)

    def read(self, day: str, *meters: str, from_meters: bool = False) -> Answered:
        """Ask for a day."""
        return asyncio.run(self.reader(command(1, ReadDay(day, meters, from_meters))))

    def result(self, day: str, *meters: str, from_meters: bool = False) -> DayRead:
        """Ask for a day; it is there."""
        found = self.read(day, *meters, from_meters=from_meters)
        assert found.outcome == Outcome.DONE
        assert isinstance(found.result, DayRead)
        return found.result


class Stub:
    """A profile with daily and monthly freezes."""

    def __init__(self, rows: Rows) -> None:
        self.tables = {"daily_freezes": None, "monthly_freezes": None}
        self.plan_row = rows.plan_row


Made = Callable[..., Desk]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a maker of desks, whose journals are closed at the end."""
    desks: list[Desk] = []

    def made(*records: Any) -> Desk:
        desks.append(Desk(tmp_path, records, monkeypatch))
        return desks[-1]

    yield made
    for desk in desks:
        desk.writer._executor.shutdown()
        desk.journal.close()


def test_both_midnights_of_a_day_are_told_with_their_sequences(make: Made) -> None:
    """Daily and monthly, the gateway's and the meter's own; other days, and other records, are not."""
    interval = IntervalRecord("m1", START, SLOT, 1, 0, 1, 0, None, 3, 0, 0, 0, 0, 1, 0)  # type: ignore[arg-type]
    kept = [
        freeze("m1", 1),
        freeze("m1", 1, FreezeKind.MONTHLY),
        interval,
        freeze("m1", 1, source=METER),
        freeze("m1", 2),
        freeze("m2", 2),
        freeze("m1", 3),
    ]
    result = make(*kept).result("2026-01-01")
    assert [(found.sequence, found.record) for found in result.freezes] == [
        (sequence, kept[sequence - 1]) for sequence in (1, 2, 4, 5, 6)
    ]
    assert result.refused == {
        "m2": "the journal has no freeze of 2026-01-01 00:00+08:00",
        "m3": "the journal has no freeze of 2026-01-01 00:00+08:00; "
        "the journal has no freeze of 2026-01-02 00:00+08:00",
    }


def test_only_the_named_meters_are_told(make: Made) -> None:
    """Also one that is in the journal though it is not configured any more; a wrong name gets a hint."""
    desk = make(freeze("m1", 1), freeze("m2", 1), freeze("old", 1), freeze("old", 2))
    result = desk.result("2026-01-01", "old", "m22")
    assert {found.record.meter for found in result.freezes} == {"old"}
    assert result.refused == {"m22": "there is no meter 'm22'; did you mean 'm2'?"}
    with pytest.raises(RefusedCommandError, match="there is no meter 'x'"):
        desk.read("2026-01-01", "x")


def test_the_factors_of_the_day_are_told_as_they_are_known_now(make: Made) -> None:
    """From its first slot to its last, undefined ones too."""
    desk = make()
    day = [(START + n * SLOT, None if n == 5 else 500_000 + n) for n in range(-2, 100)]
    desk.journal.commit([FactorUpdate(day, day, SLOT, b"solve", 17)])
    factors = desk.result("2026-01-01").factors
    assert list(factors) == [
        SlotFactor(START + n * SLOT, None if n == 5 else 500_000 + n, 17, b"solve") for n in range(96)
    ]


def test_today_has_one_midnight_and_tomorrow_none(make: Made) -> None:
    """What is still to come is said."""
    result = make(freeze("m1", 4)).result("2026-01-04", "m1")
    assert len(result.freezes) == 1
    assert result.refused == {"m1": "2026-01-05 00:00+08:00 is still to come"}
    with pytest.raises(RefusedCommandError, match="2026-01-05 has not begun"):
        make().read("2026-01-05")


@pytest.mark.parametrize("day", ["0001-01-02", "1969-12-31", "2025-02-28"])
def test_a_day_of_long_ago_has_nothing(make: Made, day: str) -> None:
    """And says so for each meter."""
    result = make(freeze("m1", 1)).result(day)
    assert (result.freezes, result.factors) == ((), ())
    assert set(result.refused) == {"m1", "m2", "m3"}


def test_a_day_ends_where_the_zone_says() -> None:
    """Also when summer time begins or ends."""
    assert midnights_of("2026-01-01", ZONE) == (START, START + DAY_MS)
    spring, autumn = midnights_of("2026-03-29", "Europe/Paris"), midnights_of("2026-10-25", "Europe/Paris")
    assert spring[1] - spring[0] == 23 * 3_600_000
    assert autumn[1] - autumn[0] == 25 * 3_600_000


def test_too_many_freezes_are_refused_with_advice(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would not travel is not put together."""
    monkeypatch.setattr(days, "MAX_FREEZES", 2)
    desk = make(*(freeze(f"m{n}", 1) for n in (1, 2, 3)))
    with pytest.raises(RefusedCommandError, match="ask for fewer meters"):
        desk.read("2026-01-01")
    assert len(desk.result("2026-01-01", "m1", "m2").freezes) == 2


def test_the_meters_own_freezes_are_asked_now(make: Made) -> None:
    """By how many midnights lie between; without a sequence, since they are in no journal."""
    desk = make(freeze("m1", 2), freeze("m1", 2, source=METER, value=1))
    more = {"energy_reverse": 3, "carbon_forward": 4000, "carbon_reverse": 6000}
    # On the 4th at 10:00, the midnights of the 2nd and the 3rd are the third and the second from last.
    desk.rows.keep("m1", "daily_freezes", 3, START + DAY_MS, 111, **more)
    desk.rows.keep("m1", "daily_freezes", 2, START + 2 * DAY_MS, 222, **more)
    result = desk.result("2026-01-02", "m1", from_meters=True)
    assert [(found.sequence, found.record) for found in result.freezes] == [
        (0, FreezeRecord("m1", START + DAY_MS, FreezeKind.DAILY, 111, 3, 4, 6, METER)),
        (0, FreezeRecord("m1", START + 2 * DAY_MS, FreezeKind.DAILY, 222, 3, 4, 6, METER)),
    ]
    assert result.refused == {}


def test_what_a_meter_does_not_freeze_comes_from_the_gateways_freeze(make: Made) -> None:
    """Reverse energy and carbon; without such a freeze the value is told all the same, among the reasons."""
    desk = make(freeze("m1", 2), freeze("m1", 3, source=METER))
    desk.rows.keep("m1", "daily_freezes", 3, START + DAY_MS - 1000, 111)
    desk.rows.keep("m1", "daily_freezes", 2, START + 2 * DAY_MS, 222)
    result = desk.result("2026-01-02", "m1", from_meters=True)
    assert [found.record for found in result.freezes] == [
        FreezeRecord("m1", START + DAY_MS, FreezeKind.DAILY, 111, 5, 7, 9, METER)
    ]
    assert "energy_forward 222 mWh" in result.refused["m1"]
    assert "does not freeze energy_reverse, carbon_forward, carbon_reverse" in result.refused["m1"]


def test_a_monthly_freeze_is_asked_at_the_first_of_a_month_only(make: Made) -> None:
    """Beside the daily one."""
    desk = make(freeze("m1", 1), freeze("m1", 1, FreezeKind.MONTHLY))
    desk.rows.keep("m1", "daily_freezes", 4, START, 1)
    desk.rows.keep("m1", "monthly_freezes", 1, START, 2)
    result = desk.result("2025-12-31", "m1", from_meters=True)
    assert [(found.record.kind, found.record.forward_total_mwh) for found in result.freezes] == [
        (FreezeKind.DAILY, 1),
        (FreezeKind.MONTHLY, 2),
    ]
    assert "row 5 of daily_freezes is empty" in result.refused["m1"]


def test_a_freeze_is_found_in_the_row_beside(make: Made) -> None:
    """Of a meter that was without power at a midnight; but never for another midnight's."""
    desk = make(freeze("m1", 2), freeze("m1", 3))
    desk.rows.keep("m1", "daily_freezes", 2, START + DAY_MS, 111)
    desk.rows.keep("m1", "daily_freezes", 3, START, 333)
    result = desk.result("2026-01-02", "m1", from_meters=True)
    assert [found.record.forward_total_mwh for found in result.freezes] == [111]
    assert result.refused == {"m1": "row 1 of daily_freezes is empty"}


@pytest.mark.parametrize(
    ("error", "asked"), [(NoReplyError("no reply"), 1), (RefusedError(2, "illegal data address"), 2)]
)
def test_a_meter_that_does_not_answer_is_asked_once(make: Made, error: LineError, asked: int) -> None:
    """One that refuses may have another midnight; the neighbours are asked in any case."""
    desk = make(freeze("m2", 2), freeze("m2", 3))
    desk.rows.errors["m1"] = error
    desk.rows.keep("m2", "daily_freezes", 3, START + DAY_MS, 111)
    desk.rows.keep("m2", "daily_freezes", 2, START + 2 * DAY_MS, 222)
    result = desk.result("2026-01-02", "m1", "m2", from_meters=True)
    assert len(result.freezes) == 2
    assert result.refused == {"m1": str(error)}
    assert sum(meter == "m1" for meter, _, _ in desk.rows.asked) == asked


def test_a_meter_keeps_no_more_rows_than_it_has(make: Made) -> None:
    """Two months ago is too long."""
    result = make().result("2025-11-05", "m1", from_meters=True)
    assert "the meter does not keep row" in result.refused["m1"]


def test_meters_for_which_no_time_is_left_are_named(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow lines with many meters."""
    desk = make()
    monkeypatch.setattr(asking, "ALL_MS", 0)
    monkeypatch.setattr(asking, "_ALL_FLOOR_S", 0.0)
    result = desk.result("2026-01-02", from_meters=True)
    assert all("no time was left for it" in reason for reason in result.refused.values())
    assert desk.rows.asked == []


def test_rows_of_a_profile_are_addressed_as_the_nightly_freezes_are() -> None:
    """The same profile, on a simulated line, by the same rows."""
    assert PROFILE.plan_row("daily_freezes", 1, ZONE)
    assert MeterRows(Asking([], Bench().clock), {"m1": PROFILE}, ZONE, lambda: NOW).keeps("m1", FreezeKind.DAILY)
