"""Records of what a file tells: intervals with their cumulative registers and carbon, freezes at local midnights.

What a file says of a whole interval is not measured within it. An interval is one record where one carbon factor holds
for all of it; else it is divided, linearly and without remainder, as a gateway divides what it counts between two
readings (design section 4), and its parts are marked interpolated or estimated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloud_receiver.factor_spans import SLOT_MS
from cloud_receiver.metered_import.known import Totals
from cloud_receiver.metered_import.registers import Step
from diantan_core import day_start_ms, next_day_start_ms, next_month_start_ms
from wire.records import FactorQuality, FreezeKind, FreezeRecord, FreezeSource, IntervalRecord, Quality, Record

_NG = 1000
"""Of carbon, in 1 µg."""


@dataclass(frozen=True, slots=True)
class Making:
    """What all records of a meter share."""

    meter: str
    interval_ms: int
    timezone: str
    """Of the station: its days are frozen."""
    factors: Mapping[int, int | None] = field(default_factory=dict)
    """Factor last dispatched, mg/kWh, by the start of its slot; what is not in it is not known."""
    by_slot: bool = False
    """Whether intervals are divided into the slots of factors in any case, so that each can be settled later."""


class Maker:
    """Makes the records of a meter, one interval after the other in order of time."""

    def __init__(self, making: Making) -> None:
        self._making = making
        self._end_ms: int | None = None
        self._midnight_ms = -1
        self._forward = self._reverse = 0
        self._carbon_ng = [0, 0]

    def begin(self, at: Totals) -> None:
        """Go on from these registers."""
        self._end_ms = at.time_ms
        self._forward, self._reverse = at.forward_mwh, at.reverse_mwh
        self._carbon_ng = [at.carbon_forward_ug * _NG, at.carbon_reverse_ug * _NG]

    @property
    def totals(self) -> Totals | None:
        """Return the registers as they are; None before the first."""
        if self._end_ms is None:
            return None
        return Totals(self._end_ms, self._forward, self._reverse, *(ng // _NG for ng in self._carbon_ng))

    def frozen(self) -> list[Record]:
        """Return the freezes of this instant, if it is a local midnight."""
        assert self._end_ms is not None
        return self._freezes(self._end_ms, FreezeSource.GATEWAY_MEASURED)

    def records(self, step: Step) -> list[Record]:
        """Return the records of an interval, with the freezes of midnights in it and at its end."""
        result: list[Record] = []
        end_ms = step.start_ms + self._making.interval_ms
        cuts = self._cuts(step.start_ms, end_ms)
        done = (0, 0)
        for start_ms, stop_ms in zip(cuts, [*cuts[1:], end_ms], strict=True):
            passed = stop_ms - step.start_ms
            reached = tuple(amount * passed // self._making.interval_ms for amount in step.energy)
            quality = Quality.MEASURED
            if len(cuts) > 1:
                quality = Quality.INTERPOLATED if stop_ms == end_ms else Quality.ESTIMATED
            energy = (reached[0] - done[0], reached[1] - done[1])
            result.append(self._interval(start_ms, stop_ms, energy, quality))
            done = (reached[0], reached[1])
            source = FreezeSource.GATEWAY_MEASURED if stop_ms == end_ms else FreezeSource.GATEWAY_INTERPOLATED
            result += self._freezes(stop_ms, source)
        return result

    def _cuts(self, start_ms: int, end_ms: int) -> list[int]:
        """Return where the records of an interval begin."""
        cuts = [start_ms]
        cuts += [
            slot
            for slot in range(start_ms - start_ms % SLOT_MS + SLOT_MS, end_ms, SLOT_MS)
            if self._making.by_slot or self._factor(slot) != self._factor(slot - SLOT_MS)
        ]
        midnight = self._next_midnight(start_ms)
        if start_ms < midnight < end_ms and midnight not in cuts:
            cuts = sorted([*cuts, midnight])
        return cuts

    def _factor(self, time_ms: int) -> int | None:
        return self._making.factors.get(time_ms - time_ms % SLOT_MS)

    def _interval(self, start_ms: int, end_ms: int, energy: tuple[int, int], quality: Quality) -> IntervalRecord:
        factor = self._factor(start_ms)
        before = [ng // _NG for ng in self._carbon_ng]
        self._forward += energy[0]
        self._reverse += energy[1]
        self._carbon_ng = [ng + amount * (factor or 0) for ng, amount in zip(self._carbon_ng, energy, strict=True)]
        after = [ng // _NG for ng in self._carbon_ng]
        self._end_ms = end_ms
        return IntervalRecord(
            self._making.meter,
            start_ms,
            end_ms - start_ms,
            *energy,
            self._forward,
            self._reverse,
            factor,
            FactorQuality.UNDEFINED if factor is None else FactorQuality.DISPATCHED,
            after[0] - before[0],
            after[1] - before[1],
            after[0],
            after[1],
            int(quality in (Quality.MEASURED, Quality.INTERPOLATED)),
            quality,
        )

    def _next_midnight(self, time_ms: int) -> int:
        """Return the first local midnight after an instant; instants come in order."""
        if self._midnight_ms <= time_ms:
            self._midnight_ms = next_day_start_ms(time_ms, self._making.timezone)
        return self._midnight_ms

    def _freezes(self, time_ms: int, source: FreezeSource) -> list[Record]:
        zone = self._making.timezone
        if self._midnight_ms != time_ms and day_start_ms(time_ms, zone) != time_ms:
            return []
        at = self.totals
        assert at is not None
        values = (at.forward_mwh, at.reverse_mwh, at.carbon_forward_ug, at.carbon_reverse_ug, source)
        kinds = [FreezeKind.DAILY]
        if time_ms == 0 or next_month_start_ms(time_ms - 1, zone) == time_ms:
            kinds.append(FreezeKind.MONTHLY)
        return [FreezeRecord(self._making.meter, time_ms, kind, *values) for kind in kinds]
