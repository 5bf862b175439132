"""Reading from the store what an estimate needs, day by day: short reads, between which the intake goes on."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, Engine, select

from cloud_receiver import event_rows
from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.database import reading
from cloud_receiver.estimation.registers import Registers
from cloud_receiver.schema import event, interval, message
from wire.batch import MAX_RECORDS
from wire.records import ClockState, EventCode

DAY_MS = 86_400_000
LOOK_BACK_MS = DAY_MS
"""Before a span, so that registers at its beginning are known."""


class Clocks:
    """What gateways knew of their clocks when they sent records (时钟状态)."""

    def __init__(self) -> None:
        self._spans: dict[int, list[tuple[int, int, int]]] = {}
        self.unknown = 0

    def __bool__(self) -> bool:
        """Return whether any of them was anything but right."""
        return any(self._spans.values())

    def ask(self, connection: Connection, journal: int, low: int, high: int) -> None:
        """Read what a gateway knew when it sent the sequences low to high of a journal, and only that."""
        rows = connection.execute(
            select(message.c.first, message.c.count, message.c.clock_state)
            .where(
                message.c.journal == journal,
                message.c.first.between(low - MAX_RECORDS, high),
                message.c.clock_state != int(ClockState.SYNCHRONISED),
            )
            .order_by(message.c.first)
        )
        self._spans[journal] = [(row.first, row.first + row.count, row.clock_state) for row in rows]

    def trusted(self, journal: int, sequence: int) -> bool:
        """Return whether the clock had not stepped; what no clock has confirmed is counted, and used."""
        spans = self._spans.get(journal, [])
        place = bisect_right(spans, sequence, key=lambda span: span[0]) - 1
        if place < 0 or sequence >= spans[place][1]:
            return True
        if spans[place][2] == ClockState.UNKNOWN:
            self.unknown += 1
        return spans[place][2] != ClockState.STEPPED


def sequences(found: Iterable[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Return the lowest and the highest sequence of each journal in (journal, sequence) pairs."""
    by_journal: dict[int, list[int]] = {}
    for journal, sequence in found:
        by_journal.setdefault(journal, []).append(sequence)
    return {journal: (min(those), max(those)) for journal, those in by_journal.items()}


class Reader:
    """Reads a station's intervals [first, end) into registers."""

    def __init__(self, engine: Engine, station: int, first_ms: int, end_ms: int) -> None:
        with reading(engine) as connection:
            self.registers = Registers(_imported(connection, station, first_ms))
        self.rows = 0
        self.unsynchronised = 0
        """Intervals that a gateway sent without knowing whether its clock was right."""
        self._engine = engine
        self._station = station
        self._days = range(first_ms, end_ms, DAY_MS)
        self._end_ms = end_ms

    def days(self) -> Iterator[int]:
        """Read day after day; give way between them. Yields how many of the days are read."""
        for done, day_ms in enumerate(self._days, 1):
            with reading(self._engine) as connection:
                rows = [
                    IntervalRow._make(row)
                    for row in connection.execute(
                        select(*(interval.c[name] for name in IntervalRow._fields)).where(
                            interval.c.station == self._station,
                            interval.c.start_ms >= day_ms,
                            interval.c.start_ms < min(day_ms + DAY_MS, self._end_ms),
                        )
                    ).all()
                ]
                clocks = Clocks()
                for journal, (low, high) in sequences((row.journal, row.sequence) for row in rows).items():
                    clocks.ask(connection, journal, low, high)
            self.rows += len(rows)
            self.registers.add(rows, clocks.trusted if clocks else None)
            self.unsynchronised += clocks.unknown
            yield done

    def __len__(self) -> int:
        return len(self._days)


def _imported(connection: Connection, station: int, first_ms: int) -> set[int]:
    """Return the meters some of whose records from a time on came from a file: imported since then."""
    return set(
        connection.execute(
            select(event.c.meter).where(event.c.station == station, event_rows.told([EventCode.IMPORTED])).distinct()
        ).scalars()
    )
