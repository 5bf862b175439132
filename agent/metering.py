"""From readings to records: each meter's integrator, what it closes, and the state that is stored with that."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from agent.config import Meter
from agent.doubt import Doubt
from agent.logs import log
from agent.reading import Reading
from agent.unit_state import energy_part
from diantan_core import Closed, Energy, FactorSchedule, FreezeRow, IntegrationError, RegisterIntegrator
from wire.records import (
    EventCode,
    EventRecord,
    FactorQuality,
    FreezeKind,
    FreezeRecord,
    FreezeSource,
    IntervalRecord,
    Quality,
    Record,
)

# Twice because time runs at half speed after the wall clock went back (agent.timekeeper), half as much again for
# overload.
PLAUSIBLE_TIMES_RATED: Final = 3
_MW_PER_KW: Final = 1_000_000
# Where neither rated nor greatest power is configured: more than any charger, and any station's connection, takes.
_MAX_KW: Final = {
    "charger": Decimal(10_000),
    "auxiliary": Decimal(10_000),
    "grid": Decimal(100_000),
    "generation": Decimal(30_000_000),  # more than any power plant
    "flow": Decimal(30_000_000),  # and than any branch
}

_SOURCES: Final = {
    Quality.MEASURED: FreezeSource.GATEWAY_MEASURED,
    Quality.INTERPOLATED: FreezeSource.GATEWAY_INTERPOLATED,
    Quality.ESTIMATED: FreezeSource.GATEWAY_INTERPOLATED,
    Quality.PARTIAL: FreezeSource.GATEWAY_PARTIAL,
}


class MeteringError(Exception):
    """A meter's stored state can't be used; the text names the meter."""


def _milliwatts(kilowatts: Decimal) -> int:
    return int(kilowatts * _MW_PER_KW)


class Metering:
    """One meter's energy and carbon registers at the gateway."""

    def __init__(
        self,
        meter: Meter,
        *,
        interval_ms: int,
        timezone: str,
        register_end_mwh: int | None = None,
        schedule: FactorSchedule | None = None,
    ) -> None:
        """`register_end_mwh`: where the profile says that the register starts again from 0.

        `schedule` has the factor of a generating unit (机组); with None it is what the centre dispatches.
        """
        self.meter = meter.id
        self.own_factor = meter.role == "generation"  # no dispatched one says anything of its records
        self._schedule = schedule
        self.dirty = False  # the state has changed since it was last taken
        self.unstored = True  # no state was ever taken: energy could be lost before the first interval closes
        self.fed = False  # a reading was used since the start
        limit = max_kw(meter)
        resolution = Energy.from_kwh(meter.resolution_kwh).mwh
        self._doubt = Doubt(_milliwatts(limit), resolution)
        rollover = Energy.from_kwh(meter.rollover_kwh).mwh if meter.rollover_kwh is not None else register_end_mwh
        self._integrator = RegisterIntegrator(
            interval_ms=interval_ms,
            timezone=timezone,
            rollover_mwh=rollover,
            max_power_mw=_milliwatts(limit),
            resolution_mwh=resolution,
            measured_gap_ms=measured_gap_ms(meter),
        )

    def restore(self, state: bytes) -> None:
        """Go on from a stored state; MeteringError when it is none."""
        self.unstored = False
        try:
            self._integrator.restore(energy_part(state))
        except IntegrationError as error:
            raise MeteringError(f"meter {self.meter}: the state in the journal can't be used: {error}") from error

    def take_state(self) -> bytes:
        """Return the state to store."""
        self.dirty = self.unstored = False
        return self._integrator.state()

    @property
    def last_time_ms(self) -> int | None:
        """Time of the last reading used."""
        return self._integrator.last_time_ms

    def doubts(self, reading: Reading) -> bool:
        """Return whether a reading has to be left aside until the next one bears it out (agent.doubt)."""
        struck = self._doubt.strikes(reading)
        if struck:
            log.warning(
                "a register fell or rose by more than can have flowed, to %d mWh forward and %d mWh reverse: "
                "not used unless the next reading goes on from there",
                reading.forward_mwh,
                reading.reverse_mwh,
                extra={"about": self.meter},
            )
        return struck

    def feed(self, reading: Reading, schedule: FactorSchedule) -> list[Record]:
        """Take a reading; return the records it closed, in the order of their time."""
        return list(self._records(self._take_energy(reading, schedule)))

    def _take_energy(self, reading: Reading, schedule: FactorSchedule) -> Closed:
        closed = self._integrator.feed_one(
            reading.time_ms,
            reading.forward_mwh,
            reading.reverse_mwh,
            self._own(schedule),
            exchanged=reading.exchanged,
        )
        self._doubt.taken(reading)
        self.dirty = self.fed = True
        return closed

    def _own(self, schedule: FactorSchedule) -> FactorSchedule:
        return schedule if self._schedule is None else self._schedule

    def leap(self, by_ms: int, now_ms: int, schedule: FactorSchedule) -> list[Record]:
        """Take note that the time leapt by `by_ms` to `now_ms`; return the records that this closed.

        The last reading moves along, so that neither is time spread over that never was nor energy lost. One of before
        the start was dated by another clock and stays, unless it would be in the future now.
        """
        last = self.last_time_ms
        moved = None if last is None else last + by_ms if self.fed else min(last, now_ms)
        if moved is None or moved == last:
            return []
        self.dirty = True
        self._doubt.forget()
        return self._relocate(moved, schedule)

    def _relocate(self, last_ms: int, schedule: FactorSchedule) -> list[Record]:
        return list(self._records(self._integrator.relocate(last_ms, self._own(schedule))))

    def _records(self, closed: Closed) -> Iterable[Record]:
        yield from register_events(self.meter, closed)
        freezes = closed.freezes
        for row in closed.intervals:
            end = row[0] + row[1]
            yield IntervalRecord(
                self.meter,
                *row[:7],
                FactorQuality(row[7]),
                *row[8:13],
                Quality(row[13]),
            )
            while freezes and freezes[0][0] <= end:
                yield self._freeze(freezes.pop(0))
        for freeze in freezes:
            yield self._freeze(freeze)

    def _freeze(self, row: FreezeRow) -> FreezeRecord:
        time_ms, kind, forward, reverse, carbon_forward, carbon_reverse, quality = row
        return FreezeRecord(
            self.meter,
            time_ms,
            FreezeKind(kind),
            forward,
            reverse,
            carbon_forward,
            carbon_reverse,
            freeze_source(Quality(quality)),
        )


def max_kw(meter: Meter) -> Decimal:
    """Return the most that a meter can have measured, kW."""
    if meter.max_kw is not None:
        return meter.max_kw
    return _MAX_KW[meter.role] if meter.rated_kw is None else meter.rated_kw * PLAUSIBLE_TIMES_RATED


def measured_gap_ms(meter: Meter) -> int:
    """Return up to which time between two readings a meter's interval counts as measured."""
    # Two polls may be missed before an interval's energy counts as interpolated.
    return max(120_000, 2_500 * meter.poll_seconds)


def register_events(meter: str, closed: Closed) -> Iterable[EventRecord]:
    """Yield what happened to the registers."""
    for time_ms, code, direction, before, after in closed.events:
        yield EventRecord(meter, time_ms, EventCode(code), {1: before, 2: after, 3: direction})


def freeze_source(quality: Quality) -> FreezeSource:
    """Return what a gateway's freeze says of where its values come from."""
    return _SOURCES[quality]
