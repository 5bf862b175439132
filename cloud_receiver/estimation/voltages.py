"""Means of voltage and power (电压均值) that gateways sent, on a grid of quarters of an hour.

A block that can't be read, or is not of the time its record says, is left out and counted: it says nothing of a meter,
and stops no estimate. Of several blocks that know a quarter the one that knows more quarters counts, of two alike the
later one: what a gateway sent again after a restart is fuller, or newer.
"""

import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import inf, isnan, nan
from typing import Any, Final

from sqlalchemy import BigInteger, Engine, bindparam, func, select, tuple_

from cloud_receiver.checks.model import Context
from cloud_receiver.database import reading
from cloud_receiver.estimation.load import DAY_MS, Clocks, sequences
from cloud_receiver.estimation.retention import kept_from_ms
from cloud_receiver.registry import Meter, Role
from cloud_receiver.schema import event
from wire.domain import RecordError
from wire.records import EventCode
from wire.voltage_means import QUARTER_MS, VoltageBlock

MOST_MS: Final = 90 * DAY_MS
"""Of a longer span the end tells what a branch is, which doesn't change with every season."""
MOST_BLOCKS: Final = 32
"""Of a meter and day; a gateway makes a dozen. Of more, the last ones count."""
ROWS_AT_ONCE: Final = 500
"""Events of the station, of whatever meter and code, that a step passes: the widest are 1 MB together."""
BLOCKS_AT_ONCE: Final = 20
"""Blocks that a step reads, with 0.1 to 0.6 ms each."""
JOURNALS_AT_ONCE: Final = 20
"""Journals of which a step asks what clocks were worth."""
_COLUMNS: Final = ("time_ms", "meter", "journal", "sequence", "code", "details")
_KEY: Final = tuple(event.c[name] for name in _COLUMNS[:4])
_STATION: Final = event.c.station == bindparam("station", type_=BigInteger)
_NEWEST_FIRST: Final = (
    select(*(event.c[name] for name in _COLUMNS))
    .where(
        _STATION,
        event.c.time_ms > bindparam("after_ms", type_=BigInteger),
        event.c.time_ms <= bindparam("until_ms", type_=BigInteger),
    )
    .order_by(*(column.desc() for column in _KEY))
)
_NEXT: Final = select(func.min(event.c.time_ms)).where(
    _STATION, event.c.time_ms > bindparam("until_ms", type_=BigInteger)
)
_PHASES = 3
_BY_PHASE: Final = frozenset({Role.GRID, Role.CHARGER})
_MV, _MW_PER_KW = 1000.0, 1_000_000.0

MALFORMED: Final = "malformed"
UNTRUSTED: Final = "clock_stepped"
CROWDED: Final = "too_many"


class MeterVoltages:
    """What is known of one meter, by quarter; NaN: not known."""

    def __init__(self, meter: Meter, quarters: int) -> None:
        empty = array("d", [nan]) * quarters
        self.power_kw = array("d", empty)
        phases = _PHASES if meter.role in _BY_PHASE else 1
        self._averaged = meter.role is Role.CHARGER
        self._phases = [array("d", empty) for _ in range(phases)]
        self._fullness = array("B", bytes(quarters))
        """How many quarters the block knew that each one is from."""
        self._sign = -1 if meter.inverted else 1
        self.known = False
        """Whether any block told of a quarter."""

    def add(self, block: VoltageBlock, places: range, first: int) -> None:
        """Take what a block says of the quarters at `places`; `first`: the place of the block's own first one."""
        fullness = sum(mean is not None for mean in block.means)
        for place in places:
            mean = block.means[place - first]
            if mean is None or self._fullness[place] > fullness:
                continue
            self._fullness[place] = fullness
            self.known = True
            self.power_kw[place] = self._sign * mean.power_mw / _MW_PER_KW
            values = [value / _MV for value in mean.voltages_mv]
            if len(self._phases) == 1:
                values = [sum(values) / len(values)]
            for column, value in zip(self._phases, (*values, nan, nan), strict=False):
                column[place] = value

    def columns(self) -> "list[array[float]]":
        """Return one voltage, or those of three phases if at least half of what is known is of three.

        A charger's phases are as much as their mean where its gateway tells only that as a rule; the voltage that a
        master shows alone may be that of one phase.
        """
        columns = self._phases
        if not self.known:  # a gateway that sends none, or an older one
            return columns[:1] if self._averaged else columns
        if len(columns) > 1:
            threefold = [not isnan(value) for value in columns[-1]]
            known = sum(not isnan(value) for value in columns[0])
            three = 2 * sum(threefold) >= known and (known > 0 or not self._averaged)
            kept = columns if three else columns[:1]
            if not three and self._averaged:
                means = map(_mean, *columns)
                return [
                    array(
                        "d",
                        (mean if whole else one for mean, whole, one in zip(means, threefold, columns[0], strict=True)),
                    )
                ]
            columns = [
                array("d", (value if whole is three else nan for value, whole in zip(column, threefold, strict=True)))
                for column in kept
            ]
        return columns


def _mean(*values: float) -> float:
    return sum(values) / len(values)


class Voltages:
    """Reads a station's blocks of the quarters in [first, end) into a grid."""

    def __init__(self, engine: Engine, context: Context, meters: Sequence[int], first_ms: int, end_ms: int) -> None:
        self._engine = engine
        self._station = context.number
        self._begin_ms = max(first_ms, end_ms - MOST_MS)
        self._begin_ms += -self._begin_ms % QUARTER_MS
        self._end_ms = max(self._begin_ms, end_ms - end_ms % QUARTER_MS)
        self.starts_ms = range(self._begin_ms, self._end_ms, QUARTER_MS)
        """When each quarter of the grid begins."""
        self.meters: Mapping[int, MeterVoltages] = {
            number: MeterVoltages(context.meters[number], len(self.starts_ms)) for number in meters
        }
        self._served = {number: self._serving(context.meters[number]) for number in meters}
        self._until_ms = self._begin_ms
        self._next_ms: float = self._begin_ms
        """When the next event is, if none has come meanwhile."""
        with reading(engine) as connection:
            kept_ms = kept_from_ms(connection)
        self.kept_from_ms = None if kept_ms is None or kept_ms <= self._begin_ms else kept_ms
        """Since when means of voltage are kept, where the grid begins before that."""
        self.left_out: Counter[str] = Counter()
        """Blocks that were left out, by the reason."""
        self.blocks = 0

    def _serving(self, meter: Meter) -> range:
        """Return the places of the quarters in which a meter is in service."""
        first_ms, end_ms = meter.service(self._begin_ms, self._end_ms)
        first = -(-(first_ms - self._begin_ms) // QUARTER_MS)
        return range(first, max(first, (end_ms - self._begin_ms) // QUARTER_MS))

    @property
    def span_ms(self) -> tuple[int, int]:
        """Return when the grid begins and ends."""
        return self._begin_ms, self._end_ms

    def read(self, until_ms: int) -> Iterator[None]:
        """Read the blocks that end up to a time, from where the last reading ended; at most a day or two at once.

        Yields between steps, each of which is bounded whatever gateways sent.
        """
        if until_ms <= self._until_ms or until_ms < self._next_ms or not self.meters or not self.starts_ms:
            return
        of_meter: Counter[int] = Counter()
        rows = []
        for page in self._pages(until_ms):
            for row in page:
                if row.code == EventCode.VOLTAGE_MEANS and row.meter in self.meters:
                    of_meter[row.meter] += 1
                    if of_meter[row.meter] <= MOST_BLOCKS:
                        rows.append(row)
            yield
        self.left_out[CROWDED] += sum(max(count - MOST_BLOCKS, 0) for count in of_meter.values())
        clocks = Clocks()
        for place, (journal, (low, high)) in enumerate(
            sequences((row.journal, row.sequence) for row in rows).items(), 1
        ):
            with reading(self._engine) as connection:
                clocks.ask(connection, journal, low, high)
            if place % JOURNALS_AT_ONCE == 0:
                yield
        rows.sort(key=lambda row: (row.time_ms, row.journal, row.sequence, row.meter))
        for place, row in enumerate(rows, 1):
            self._take(row, clocks)
            if place % BLOCKS_AT_ONCE == 0:
                yield
        self._until_ms = until_ms

    def _pages(self, until_ms: int) -> Iterator[Sequence[Any]]:
        """Yield the station's events from the newest on, as the table's key has them.

        Nothing is sorted, and of a flood, of whatever code, no step passes more than another.
        """
        span = {"station": self._station, "after_ms": self._until_ms, "until_ms": until_ms}
        statement = _NEWEST_FIRST.limit(ROWS_AT_ONCE)
        while True:
            with reading(self._engine) as connection:
                page = connection.execute(statement, span).all()
                if not page:  # so it may go on: a station whose gateways send none is asked once, not day by day
                    next_ms = connection.execute(_NEXT, span).scalar_one()
                    self._next_ms = inf if next_ms is None else next_ms
            yield page
            if len(page) < ROWS_AT_ONCE:
                return
            older = tuple_(*_KEY) < tuple_(*page[-1][: len(_KEY)])
            statement = _NEWEST_FIRST.where(older).limit(ROWS_AT_ONCE)

    def _take(self, row: Any, clocks: Clocks) -> None:  # noqa: ANN401  # a row of SQLAlchemy
        if not clocks.trusted(row.journal, row.sequence):
            self.left_out[UNTRUSTED] += 1
            return
        block = _block(row.details)
        if block is None or block.end_ms != row.time_ms:
            self.left_out[MALFORMED] += 1
            return
        self.blocks += 1
        first = (block.start_ms - self._begin_ms) // QUARTER_MS
        served = self._served[row.meter]
        places = range(max(first, served.start), min(first + len(block.means), served.stop))
        self.meters[row.meter].add(block, places, first)


def _block(details: str) -> VoltageBlock | None:
    """Return what an event's details say; None where they are no block."""
    try:
        told = json.loads(details)
        return VoltageBlock.from_details({int(key): value for key, value in told.items()})
    except (RecordError, ValueError, TypeError, AttributeError):
        return None
