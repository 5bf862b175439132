"""READ_DAY: the freezes (冻结) of the two midnights that bound a day, and the day's carbon factors (电碳因子).

Both out of the journal, as far back as it keeps them (T/CIMA 0079.4, 5.7: factors of 365 days); or the freezes out of
the meters, which keep daily ones for 1 to 30 days and monthly ones for 1 to 12 months (the same clause).
"""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import groupby, islice
from typing import Final
from zoneinfo import ZoneInfo

from agent import journal_schema as schema
from agent.freezes import TABLES, shown
from agent.journal import Journal
from agent.remote.answered import Answered, RefusedCommandError, did_you_mean, reason
from agent.remote.asking import ALL_MS, Asking
from agent.remote.frozen import MeterRows, NoFreezeError
from agent.writer import JournalWriter
from diantan_core import day_start_ms, next_day_start_ms, next_month_start_ms
from wire.commands import Command, Outcome
from wire.orders import ReadDay
from wire.records import FreezeKind, FreezeRecord, FreezeSource
from wire.results import MAX_FACTORS, MAX_FREEZES, MAX_VALUES, DayRead, SlotFactor, StoredFreeze
from wire.row import RecordError, from_body

_NOON: Final = 12

Midnights = tuple[int, int]


def midnights_of(day: str, timezone: str) -> Midnights:
    """Return the instants that bound a day in a zone, ms UTC."""
    noon = datetime.combine(date.fromisoformat(day), datetime.min.time(), ZoneInfo(timezone)).replace(hour=_NOON)
    noon_ms = int(noon.timestamp()) * 1000
    return day_start_ms(noon_ms, timezone), next_day_start_ms(noon_ms, timezone)


def stored_freezes(journal: Journal, midnights: Midnights, meters: Collection[str]) -> list[StoredFreeze]:
    """Return the freezes in the journal, at most one more than a reply can have; none named: those of all meters."""
    try:
        rows = journal.connection.execute(
            "SELECT sequence, meter, body FROM records WHERE start_ms IN (?, ?) AND kind = ? ORDER BY sequence",
            (*midnights, schema.KIND_FREEZE),
        )
        wanted = ((sequence, body) for sequence, meter, body in rows if not meters or meter in meters)
        chosen = list(islice(wanted, MAX_FREEZES + 1))
    except sqlite3.Error as error:
        raise schema.translated(error, journal.path) from error
    found = []
    for sequence, body in chosen:
        try:
            record = from_body(body)
        except RecordError as error:
            raise schema.damaged(journal.path, f"record {sequence}: {error}") from error
        assert isinstance(record, FreezeRecord)
        found.append(StoredFreeze(sequence, record))
    return found


def stored_factors(journal: Journal, midnights: Midnights) -> list[SlotFactor]:
    """Return the factors of a day's slots as they are known now, in order of time."""
    try:
        rows = journal.connection.execute(
            "SELECT start_ms, factor, issued_ms, solve_id FROM factors WHERE start_ms >= ? AND start_ms < ?"
            " ORDER BY start_ms LIMIT ?",
            (*midnights, MAX_FACTORS),
        ).fetchall()
    except sqlite3.Error as error:
        raise schema.translated(error, journal.path) from error
    return [SlotFactor(*row) for row in rows]


class DayReader:
    """Looks a day up, for one command at a time: a reply may be large."""

    def __init__(
        self,
        writer: JournalWriter,
        asking: Asking,
        rows: MeterRows,
        timezone: str,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._writer = writer
        self._asking = asking
        self._rows = rows
        self._timezone = timezone
        self._zone = ZoneInfo(timezone)
        self._now_ms = now_ms
        self._one = asyncio.Lock()

    async def __call__(self, command: Command) -> Answered:
        """Return what there is of a day; RefusedCommandError for a day to come, unknown meters or too many."""
        order = command.order
        assert isinstance(order, ReadDay)
        midnights = midnights_of(order.day, self._timezone)
        if midnights[0] > self._now_ms():
            raise RefusedCommandError(f"{order.day} has not begun in {self._timezone}")
        async with self._one:
            return await self._read(order, midnights)

    async def _read(self, order: ReadDay, midnights: Midnights) -> Answered:
        call, journal = self._writer.call, self._writer.journal
        named = list(dict.fromkeys(order.meters))
        kept = await call(stored_freezes, journal, midnights, set(named))
        known = {*self._asking.meters, *(freeze.record.meter for freeze in kept)}
        unknown = {
            meter: f"there is no meter {meter!r}{did_you_mean(meter, self._asking.meters)}"
            for meter in named
            if meter not in known
        }
        if named and len(unknown) == len(named):
            raise RefusedCommandError("; ".join(unknown.values()))
        wanted = [meter for meter in named or self._asking.meters if meter not in unknown]
        factors = await call(stored_factors, journal, midnights)
        if order.from_meters:
            freezes, refused = await self._from_meters(wanted, midnights, kept)
        else:
            freezes, refused = kept, self._lacking(wanted, midnights, kept)
        refused |= unknown
        if len(freezes) > MAX_FREEZES or len(refused) > MAX_VALUES:
            raise RefusedCommandError(
                f"ask for fewer meters: at most {MAX_FREEZES} freezes and {MAX_VALUES} reasons travel"
            )
        why = {meter: reason(text) for meter, text in refused.items()}
        return Answered(Outcome.DONE, "", DayRead(tuple(freezes), tuple(factors), why))

    def _lacking(self, meters: Iterable[str], midnights: Midnights, kept: Sequence[StoredFreeze]) -> dict[str, str]:
        """Return by meter which midnights the journal has no freeze of."""
        there = {(freeze.record.meter, freeze.record.time_ms) for freeze in kept}
        reasons = {meter: [time for time in midnights if (meter, time) not in there] for meter in meters}
        return {meter: "; ".join(map(self._absent, times)) for meter, times in reasons.items() if times}

    def _absent(self, time_ms: int) -> str:
        if time_ms > self._now_ms():
            return self._to_come(time_ms)
        return f"the journal has no freeze of {shown(time_ms, self._zone)}"

    def _to_come(self, time_ms: int) -> str:
        return f"{shown(time_ms, self._zone)} is still to come"

    async def _from_meters(
        self, meters: Sequence[str], midnights: Midnights, kept: Sequence[StoredFreeze]
    ) -> tuple[list[StoredFreeze], dict[str, str]]:
        own = {
            (freeze.record.meter, freeze.record.time_ms, freeze.record.kind): freeze.record
            for freeze in kept
            if freeze.record.source != FreezeSource.METER
        }
        end = self._asking.end()
        configured = set(self._asking.meters)
        refused = dict.fromkeys(set(meters) - configured, "it is not configured any more")
        freezes: list[StoredFreeze] = []

        async def ask(line: list[str]) -> None:
            for meter in line:
                if self._asking.is_over(end):
                    refused[meter] = f"no time was left for it: the meters before it took {ALL_MS // 1000} s"
                    continue
                found, problems = await self._of_meter(meter, midnights, own)
                freezes.extend(StoredFreeze(0, record) for record in found)
                if problems:
                    refused[meter] = "; ".join(problems)

        line_of = self._asking.line_of
        present = sorted((meter for meter in meters if meter in configured), key=line_of)
        async with asyncio.TaskGroup() as group:
            for _, line in groupby(present, key=line_of):
                group.create_task(ask(list(line)))
        freezes.sort(key=lambda freeze: (freeze.record.meter, freeze.record.time_ms, freeze.record.kind))
        return freezes, refused

    async def _of_meter(
        self, meter: str, midnights: Midnights, own: Mapping[tuple[str, int, FreezeKind], FreezeRecord]
    ) -> tuple[list[FreezeRecord], list[str]]:
        found: list[FreezeRecord] = []
        problems: list[str] = []
        for time_ms in midnights:
            if time_ms > self._now_ms():
                problems.append(self._to_come(time_ms))
                continue
            for kind in self._kinds(time_ms):
                if not self._rows.keeps(meter, kind):
                    problems.append(f"its profile has no {TABLES[kind]}")
                    continue
                try:
                    found.append(await self._rows.read(meter, time_ms, kind, own.get((meter, time_ms, kind))))
                except NoFreezeError as error:
                    problems.append(str(error))
                    if error.final:
                        return found, list(dict.fromkeys(problems))
        return found, list(dict.fromkeys(problems))

    def _kinds(self, time_ms: int) -> Sequence[FreezeKind]:
        """Return which freezes there are at a midnight: a monthly one at the first of a month only."""
        is_first = next_month_start_ms(time_ms - 1, self._timezone) == time_ms
        return (FreezeKind.DAILY, FreezeKind.MONTHLY) if is_first else (FreezeKind.DAILY,)
