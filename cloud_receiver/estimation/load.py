"""Reading from the store what an estimate needs, day by day: short reads, between which the intake goes on."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import BigInteger, Connection, Engine, and_, bindparam, func, not_, select

from cloud_receiver import event_rows
from cloud_receiver.checks.model import SLOT_MS
from cloud_receiver.database import raw_rows, reading
from cloud_receiver.estimation.registers import COLUMNS, Registers
from cloud_receiver.schema import event, interval, message
from diantan_core import RegisterClocks, RegisterRows
from wire.batch import MAX_RECORDS
from wire.records import ClockState, EventCode, Quality

DAY_MS = 86_400_000
LOOK_BACK_MS = DAY_MS
"""Before a span, so that registers at its beginning are known."""
DAYS_AT_ONCE = 4
"""Of 20 chargers some 5 ms."""

_Starting = TypeVar("_Starting", bound=tuple[Any, ...])


_OF_SPAN: Final = (
    interval.c.station == bindparam("station", type_=BigInteger),
    interval.c.start_ms >= bindparam("first_ms", type_=BigInteger),
    interval.c.start_ms < bindparam("end_ms", type_=BigInteger),
)
_INTERVALS: Final = select(*(interval.c[name] for name in COLUMNS)).where(*_OF_SPAN)
_ORDINARY: Final = and_(
    interval.c.quality == int(Quality.MEASURED),
    interval.c.reverse_mwh == 0,
    interval.c.reverse_total_mwh == 0,
    interval.c.duration_ms == SLOT_MS,
)
_LISTED: Final = ("meter", "journal", "sequence", "forward_mwh", "forward_total_mwh")
# What a driver takes time for is each value of each row, not the row: so nearly all come as a few lists.
_ORDINARY_LISTED: Final = (
    select(interval.c.start_ms, *(func.group_concat(interval.c[name]) for name in _LISTED))
    .where(*_OF_SPAN, _ORDINARY)
    .group_by(interval.c.station, interval.c.start_ms)
)
_OTHERS: Final = _INTERVALS.where(not_(_ORDINARY))
_COUNT: Final = select(func.count()).where(*_OF_SPAN)
_NOT_RIGHT: Final = (
    select(message.c.first, message.c.first + message.c.count, message.c.clock_state)
    .where(
        message.c.journal == bindparam("journal"),
        message.c.first.between(bindparam("low"), bindparam("high")),
        message.c.clock_state != int(ClockState.SYNCHRONISED),
    )
    .order_by(message.c.first)
)
_IMPORTED: Final = (
    select(event.c.meter)
    .where(event.c.station == bindparam("station"), event_rows.told([EventCode.IMPORTED]))
    .distinct()
)


class Clocks:
    """What gateways knew of their clocks when they sent records (时钟状态)."""

    def __init__(self) -> None:
        self.known = RegisterClocks()

    def __bool__(self) -> bool:
        """Return whether any of them was anything but right."""
        return not self.known.right

    @property
    def unknown(self) -> int:
        """Return how many records were asked for that no clock had confirmed."""
        return self.known.unknown

    def ask(self, connection: Connection, journal: int, low: int, high: int) -> None:
        """Read what a gateway knew when it sent the sequences low to high of a journal, and only that."""
        values = {"journal": journal, "low": low - MAX_RECORDS, "high": high}
        self.known.know(journal, raw_rows(connection, _NOT_RIGHT, values))

    def trusted(self, journal: int, sequence: int) -> bool:
        """Return whether the clock had not stepped; what no clock has confirmed is counted, and used."""
        return self.known.trusted(journal, sequence)


def sequences(found: Iterable[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Return the lowest and the highest sequence of each journal in (journal, sequence) pairs."""
    by_journal: dict[int, list[int]] = {}
    for journal, sequence in found:
        by_journal.setdefault(journal, []).append(sequence)
    return {journal: (min(those), max(those)) for journal, those in by_journal.items()}


class Reader:
    """Reads a station's intervals [first, end) into registers; `inverted`: meters that count the other way round."""

    def __init__(self, engine: Engine, station: int, first_ms: int, end_ms: int, *, inverted: Collection[int]) -> None:
        with reading(engine) as connection:
            self.registers = Registers(_imported(connection, station), inverted)
        self.rows = 0
        self.unsynchronised = 0
        """Intervals that a gateway sent without knowing whether its clock was right."""
        self._engine = engine
        self._station = station
        self._days = range(first_ms, end_ms, DAY_MS)
        self._end_ms = end_ms

    def days(self) -> Iterator[int]:
        """Read day after day; give way between some of them. Yields how many of the days are read."""
        for done in range(0, len(self._days), DAYS_AT_ONCE):
            days = self._days[done : done + DAYS_AT_ONCE]
            span = {"station": self._station, "first_ms": days[0], "end_ms": min(days[-1] + DAY_MS, self._end_ms)}
            clocks = Clocks()
            with reading(self._engine) as connection:
                # Each day by itself: of intervals that overlap those of one are compared.
                found = intervals(connection, span, days)
                asked = sequences(
                    (journal, each) for rows in found for journal, ends in rows.sequences.items() for each in ends
                )
                for journal, (low, high) in asked.items():
                    clocks.ask(connection, journal, low, high)
            for rows in found:
                self.rows += len(rows)
                self.registers.take(rows, clocks.known if clocks else None)
            self.unsynchronised += clocks.unknown
            yield done + len(days)

    def __len__(self) -> int:
        return len(self._days)


def intervals(connection: Connection, span: Mapping[str, int], days: Sequence[int]) -> list[RegisterRows]:
    """Return the intervals of a `station` that begin in a span [`first_ms`, `end_ms`), by the days that begin in it."""
    if connection.dialect.name != "sqlite":
        return [RegisterRows(some) for some in _by_day(raw_rows(connection, _INTERVALS, span), days)]
    lists = raw_rows(connection, _ORDINARY_LISTED, span)
    listed = sum(meters.count(",") + 1 for _, meters, *_ in lists)
    [(count,)] = raw_rows(connection, _COUNT, span)
    others = () if count == listed else raw_rows(connection, _OTHERS, span)
    return [
        RegisterRows(some, ordinary) for some, ordinary in zip(_by_day(others, days), _by_day(lists, days), strict=True)
    ]


def _by_day(rows: Sequence[_Starting], days: Sequence[int]) -> list[list[_Starting]]:
    """Return rows, each of which has its start first, by day."""
    found: list[list[_Starting]] = [[] for _ in days]
    for row in rows:
        found[(row[0] - days[0]) // DAY_MS].append(row)
    return found


def _imported(connection: Connection, station: int) -> set[int]:
    """Return the meters some of whose records came from a file."""
    return {meter for (meter,) in raw_rows(connection, _IMPORTED, {"station": station})}
