"""Reading from the store what an estimate needs, day by day: short reads, between which the intake goes on."""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, select

from cloud_receiver import event_rows
from cloud_receiver.database import raw_rows, reading
from cloud_receiver.estimation.registers import COLUMNS, Registers
from cloud_receiver.schema import event, interval, message
from diantan_core import RegisterClocks, RegisterRows
from wire.batch import MAX_RECORDS
from wire.records import ClockState, EventCode

DAY_MS = 86_400_000
LOOK_BACK_MS = DAY_MS
"""Before a span, so that registers at its beginning are known."""


_INTERVALS: Final = select(*(interval.c[name] for name in COLUMNS)).where(
    interval.c.station == bindparam("station"),
    interval.c.start_ms >= bindparam("first_ms"),
    interval.c.start_ms < bindparam("end_ms"),
)
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
        """Read day after day; give way between them. Yields how many of the days are read."""
        for done, day_ms in enumerate(self._days, 1):
            with reading(self._engine) as connection:
                span = {"first_ms": day_ms, "end_ms": min(day_ms + DAY_MS, self._end_ms)}
                rows = RegisterRows(raw_rows(connection, _INTERVALS, {"station": self._station, **span}))
                clocks = Clocks()
                for journal, (low, high) in rows.sequences.items():
                    clocks.ask(connection, journal, low, high)
            self.rows += len(rows)
            self.registers.take(rows, clocks.known if clocks else None)
            self.unsynchronised += clocks.unknown
            yield done

    def __len__(self) -> int:
        return len(self._days)


def _imported(connection: Connection, station: int) -> set[int]:
    """Return the meters some of whose records came from a file."""
    return {meter for (meter,) in raw_rows(connection, _IMPORTED, {"station": station})}
