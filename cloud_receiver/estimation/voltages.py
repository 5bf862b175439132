"""Means of voltage and power (电压均值) that gateways sent, on a grid of quarters of an hour.

A block that can't be read, or is not of the time its record says, is left out and counted: it says nothing of a meter,
and stops no estimate. Of several blocks that know a quarter the one that knows more quarters counts, of two alike the
later one: what a gateway sent again after a restart is fuller, or newer.
"""

import json
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import Final

from sqlalchemy import Engine, select

from cloud_receiver.checks.model import Context
from cloud_receiver.database import reading
from cloud_receiver.estimation.load import DAY_MS, Clocks
from cloud_receiver.registry import Meter, Role
from cloud_receiver.schema import event
from wire.domain import RecordError
from wire.records import EventCode
from wire.voltage_means import QUARTER_MS, VoltageBlock

MOST_MS: Final = 90 * DAY_MS
"""Of a longer span the end tells what a branch is, which doesn't change with every season."""
MOST_BLOCKS: Final = 32
"""Of a meter and day; a gateway makes a dozen. Of more, the last ones count."""
_AT_ONCE = 1000
"""Rows that are fetched together."""
_PHASES = 3
_MV, _MW_PER_KW = 1000.0, 1_000_000.0

MALFORMED: Final = "malformed"
UNTRUSTED: Final = "clock_stepped"
CROWDED: Final = "too_many"


class MeterVoltages:
    """What is known of one meter, by quarter; NaN: not known."""

    def __init__(self, meter: Meter, quarters: int) -> None:
        empty = array("d", [nan]) * quarters
        self.power_kw = array("d", empty)
        phases = _PHASES if meter.role is Role.GRID else 1
        self._phases = [array("d", empty) for _ in range(phases)]
        self._fullness = array("B", bytes(quarters))
        """How many quarters the block knew that each one is from."""
        self._sign = -1 if meter.inverted else 1

    def add(self, block: VoltageBlock, places: range, first: int) -> None:
        """Take what a block says of the quarters at `places`; `first`: the place of the block's own first one."""
        fullness = sum(mean is not None for mean in block.means)
        for place in places:
            mean = block.means[place - first]
            if mean is None or self._fullness[place] > fullness:
                continue
            self._fullness[place] = fullness
            self.power_kw[place] = self._sign * mean.power_mw / _MW_PER_KW
            values = [value / _MV for value in mean.voltages_mv]
            if len(self._phases) == 1:
                values = [sum(values) / len(values)]
            for column, value in zip(self._phases, (*values, nan, nan), strict=False):
                column[place] = value

    def columns(self) -> "list[array[float]]":
        """Return one voltage, or those of three phases if at least half of what is known is of three."""
        columns = self._phases
        if len(columns) > 1:
            threefold = [not isnan(value) for value in columns[-1]]
            known = sum(not isnan(value) for value in columns[0])
            three = 2 * sum(threefold) >= known
            kept = columns if three else columns[:1]
            columns = [
                array("d", (value if whole is three else nan for value, whole in zip(column, threefold, strict=True)))
                for column in kept
            ]
        return columns


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

    def read(self, until_ms: int) -> None:
        """Read the blocks that end up to a time, from where the last reading ended; at most a day or two at once."""
        if until_ms <= self._until_ms or not self.meters or not self.starts_ms:
            return
        newest_first = (
            select(*(event.c[name] for name in ("time_ms", "meter", "journal", "sequence", "details")))
            .where(
                event.c.station == self._station,
                event.c.time_ms > self._until_ms,
                event.c.time_ms <= until_ms,
                event.c.code == int(EventCode.VOLTAGE_MEANS),
                event.c.meter.in_(sorted(self.meters)),
            )
            # As the table's key has it: nothing is sorted, and a flood is passed by row after row.
            .order_by(
                *(column.desc() for column in (event.c.time_ms, event.c.meter, event.c.journal, event.c.sequence))
            )
        )
        of_meter: Counter[int] = Counter()
        rows = []
        with reading(self._engine) as connection:
            for row in connection.execute(newest_first).yield_per(_AT_ONCE):
                of_meter[row.meter] += 1
                if of_meter[row.meter] <= MOST_BLOCKS:
                    rows.append(row)
            clocks = Clocks(connection, {row.journal for row in rows})
        self.left_out[CROWDED] += sum(max(count - MOST_BLOCKS, 0) for count in of_meter.values())
        for row in sorted(rows, key=lambda row: (row.time_ms, row.journal, row.sequence, row.meter)):
            if not clocks.trusted(row.journal, row.sequence):
                self.left_out[UNTRUSTED] += 1
                continue
            block = _block(row.details)
            if block is None or block.end_ms != row.time_ms:
                self.left_out[MALFORMED] += 1
                continue
            self.blocks += 1
            first = (block.start_ms - self._begin_ms) // QUARTER_MS
            served = self._served[row.meter]
            places = range(max(first, served.start), min(first + len(block.means), served.stop))
            self.meters[row.meter].add(block, places, first)
        self._until_ms = until_ms


def _block(details: str) -> VoltageBlock | None:
    """Return what an event's details say; None where they are no block."""
    try:
        told = json.loads(details)
        return VoltageBlock.from_details({int(key): value for key, value in told.items()})
    except (RecordError, ValueError, TypeError, AttributeError):
        return None
