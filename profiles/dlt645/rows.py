"""Rows of a meter's tables: several identifiers that have to belong together, and be known to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from profiles.dlt645.codec import decode_moment, decode_points, is_filled
from profiles.dlt645.formats import DataItem, di_text
from profiles.dlt645.model import ItemPoint, ItemTable, Query, Settlement
from profiles.dlt645.moments import month_start, to_instant
from profiles.dlt645.plan import required, split
from profiles.model import CodecError, NoValueError

SETTLEMENT_FORMAT: Final = "DDhh"
DATE_FORMAT: Final = "YYMMDDWW"
_UNUSED_DAYS: Final = (0, 99)
TIME: Final = "time"


def row_of(column: ItemPoint, row: int) -> ItemPoint:
    """Return a column in another row than the first: DI0 counts them."""
    return replace(column, item=replace(column.item, di=column.item.di + row - 1))


def _items(points: Sequence[ItemPoint]) -> tuple[DataItem, ...]:
    return tuple(dict.fromkeys(point.item for point in points))


def _values(points: Sequence[ItemPoint], item: DataItem, data: bytes, timezone: str) -> dict[str, int]:
    return decode_points([point for point in points if point.item == item], item, data, timezone)


@dataclass(frozen=True, slots=True)
class FreezeRow:
    """A row with a time of its own (冻结): the time is read before and after the values.

    A freeze that happens in between moves every row by one; values of one row would have the time of another.
    """

    name: str
    points: tuple[ItemPoint, ...]
    timezone: str

    def _order(self) -> tuple[DataItem, ...]:
        """Return the items in the order of reading, that of the time first and last."""
        time = next(point.item for point in self.points if point.name == TIME)
        others = tuple(item for item in _items(self.points) if item != time)
        return (time, *others, time) if others else (time,)

    def next_query(self, replies: Sequence[bytes | None]) -> Query | None:
        """Return time, values, time; no more than the time for a row that has none."""
        order = self._order()
        if len(replies) == 1 and not self._time(replies):
            return None
        return Query(order[len(replies)].di) if len(replies) < len(order) else None

    def _time(self, replies: Sequence[bytes | None]) -> dict[str, int]:
        item = self._order()[0]
        return _values(self.points, item, required(replies, 0, self.name), self.timezone)

    def decode(self, reply: bytes) -> dict[str, int]:
        """Return the row, empty where the meter has none; CodecError when a freeze came in between."""
        replies = split(reply)
        order = self._order()
        values = self._time(replies)
        if TIME not in values:
            return {}
        if len(replies) != len(order) or replies[0] != replies[-1]:
            raise CodecError(f"{self.name}: the meter froze anew while the row was read")
        for item, data in zip(order[1:-1], replies[1:-1], strict=True):
            assert data is not None
            values |= _values(self.points, item, data, self.timezone)
        return values


@dataclass(frozen=True, slots=True)
class SettlementRow:
    """The values at the row-th last settlement day, if that is a 1st at 00 h: then they are a monthly freeze (月冻结).

    The meter tells its settlement days and the date of its clock, no time of the values. On the last day of a month the
    date is read again behind them, since the month may have turned.
    """

    name: str
    row: int
    points: tuple[ItemPoint, ...]
    settlement: Settlement
    timezone: str

    def _queries(self) -> list[Query]:
        first, *others = self.settlement.days
        days = [Query(first), *(Query(di, optional=True) for di in others)]
        return [*days, Query(self.settlement.date), *(Query(item.di) for item in self._stored())]

    def _stored(self) -> tuple[DataItem, ...]:
        return _items([point for point in self.points if point.name != TIME])

    def next_query(self, replies: Sequence[bytes | None]) -> Query | None:
        """Return settlement days, date, values; CodecError when the days show that the rows are no monthly freezes."""
        queries = self._queries()
        days = len(self.settlement.days)
        if len(replies) == days:
            self._check_days(replies[:days])
        if len(replies) < len(queries):
            return queries[len(replies)]
        turning = len(replies) == len(queries) and self._may_turn(replies)
        return Query(self.settlement.date) if turning else None

    def _check_days(self, replies: Sequence[bytes | None]) -> None:
        for number, (di, data) in enumerate(zip(self.settlement.days, replies, strict=True)):
            if number and (data is None or is_filled(data)):
                continue
            when = decode_moment(di, SETTLEMENT_FORMAT, required(replies, number, di_text(di)))
            if number and when["day"] in _UNUSED_DAYS:
                continue
            if (when["day"], when["hour"]) != (1, 0):
                raise CodecError(
                    f"{self.name}: the meter's settlement day {number + 1} ({di_text(di)}) is day {when['day']} at "
                    f"{when['hour']} h, not the 1st at 00 h: its values are no monthly freezes"
                )

    def _date(self, octets: bytes | None) -> dict[str, int]:
        date = decode_moment(self.settlement.date, DATE_FORMAT, required([octets], 0, self.name))
        try:
            to_instant(date, self.timezone)
        except NoValueError as error:
            raise CodecError(f"{self.name}: {error}, so that no month is known") from None
        return date

    def _may_turn(self, replies: Sequence[bytes | None]) -> bool:
        date = self._date(replies[len(self.settlement.days)])
        tomorrow = to_instant(date, self.timezone) + 36 * 3_600_000  # within the next day
        return tomorrow >= month_start(date["year"], date["month"], -1, self.timezone)

    def decode(self, reply: bytes) -> dict[str, int]:
        """Return the row with the time that follows from the date; CodecError where it is no monthly freeze."""
        replies = split(reply)
        days = len(self.settlement.days)
        self._check_days(replies[:days])
        date = self._date(required(replies, days, self.name))
        stored = self._stored()
        after = days + 1 + len(stored)
        if self._may_turn(replies) and required(replies, after, self.name) != replies[days]:
            raise CodecError(f"{self.name}: the month turned while the row was read")
        values: dict[str, int] = {}
        for item, data in zip(stored, replies[days + 1 : after], strict=True):
            assert data is not None
            values |= _values(self.points, item, data, self.timezone)
        if values:
            values[TIME] = month_start(date["year"], date["month"], self.row - 1, self.timezone)
        return values


def row_block(table: ItemTable, row: int, timezone: str) -> FreezeRow | SettlementRow:
    """Return the request for a row; IndexError for one that the table does not have."""
    table.check(row)
    if table.settlement is None:
        return FreezeRow(table.name, tuple(row_of(column, row) for column in table.columns), timezone)
    points = tuple(column if column.name == TIME else row_of(column, row) for column in table.columns)
    return SettlementRow(table.name, row, points, table.settlement, timezone)
