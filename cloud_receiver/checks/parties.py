"""Carbon of device, gateway and centre against each other (三方碳量): who deviates from the other two.

An electricity-carbon meter (电碳计量设备) counts carbon in registers of its own, which reach the centre in its freezes
(冻结). What it counted between two midnights stands against what the gateway's records have, adjustments included, and
against energy × dispatched factor, recomputed here. A meter that freezes no carbon has the gateway's value in its
freeze (docs/wire.md): there is nothing of its own then.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

from sqlalchemy import Connection, exists, select

from cloud_receiver.checks import freezes
from cloud_receiver.checks.day import Draft
from cloud_receiver.checks.freezes import BROKEN, GAP_OF_PERIODS, SHORT_GAP_MS, FreezeRow, energy_mwh
from cloud_receiver.checks.model import SLOT_MS, Context, IntervalRow, Kind, Severity, usable, without_overlaps
from cloud_receiver.factor_messages import latest
from cloud_receiver.registry import Meter
from cloud_receiver.schema import adjustment, event, interval
from wire.records import Quality
from wire.residual import DIRECTIONS

_UNREAD: Final = (Quality.INTERPOLATED, Quality.ESTIMATED)
_NG_PER_UG: Final = 1000
_NG_PER_KG: Final = 10**12

Pair = tuple[int, int]
"""Forward and reverse."""


@dataclass(frozen=True, slots=True)
class MeterCarbon:
    """A meter's carbon over a day or several, forward and reverse, by the gateway's records and recomputed here.

    `late_ng`: what it makes at most that a meter learns of a slot's factor a moment after the slot has begun.
    """

    gateway_ug: Sequence[int]
    centre_ng: Sequence[int]
    late_ng: Sequence[int]
    records: int
    highest: int
    """Highest factor, mg/kWh."""
    undispatched: int
    """Records whose slot had no dispatched factor: they are recomputed with the one they name."""
    covered: bool
    """Whether the records cover the time, and each has a factor."""


def total(days: Sequence[MeterCarbon]) -> MeterCarbon:
    """Return the carbon of several days."""
    return MeterCarbon(
        tuple(sum(day.gateway_ug[side] for day in days) for side in (0, 1)),
        tuple(sum(day.centre_ng[side] for day in days) for side in (0, 1)),
        tuple(sum(day.late_ng[side] for day in days) for side in (0, 1)),
        sum(day.records for day in days),
        max((day.highest for day in days), default=0),
        sum(day.undispatched for day in days),
        all(day.covered for day in days),
    )


class _Midnight(NamedTuple):
    own: FreezeRow
    gateway: FreezeRow

    @property
    def has_carbon(self) -> bool:
        """Return whether the meter froze carbon of its own; a register at 0 has never been given a factor."""
        return self.own.carbon != self.gateway.carbon and any(self.own.carbon)


def of_day(connection: Connection, context: Context, day_ms: int, end_ms: int) -> dict[int, MeterCarbon]:
    """Return the carbon of a day of each meter that has carbon registers of its own."""
    numbers = {
        number
        for time_ms in (day_ms, end_ms)
        for number, midnight in _midnights(connection, context.number, time_ms).items()
        if midnight.has_carbon and number in context.meters
    }
    if not numbers:
        return {}
    statement = select(*(interval.c[name] for name in IntervalRow._fields)).where(
        interval.c.station == context.number,
        interval.c.meter.in_(numbers),
        interval.c.start_ms >= day_ms,
        interval.c.start_ms < end_ms,
    )
    rows: dict[int, list[IntervalRow]] = {}
    for row in connection.execute(statement):
        rows.setdefault(row.meter, []).append(IntervalRow._make(row))
    factors = latest(connection, context.station.node, day_ms - SLOT_MS, end_ms - 1)
    changes = _adjusted(connection, context.number, (day_ms, end_ms), numbers)
    return {
        number: _recomputed(
            context.meters[number],
            without_overlaps(rows.get(number, []))[0],
            factors,
            changes.get(number, {}),
            whole=usable(without_overlaps(rows.get(number, []))[0], context.span_ms(number), end_ms - day_ms),
        )
        for number in sorted(numbers)
    }


def findings(
    connection: Connection,
    context: Context,
    span: tuple[int, int],
    carbons: Mapping[int, MeterCarbon],
    *,
    month: bool = False,
) -> list[Draft]:
    """Return which meters, gateways or recomputations deviate over a local day or month [first, end)."""
    first, last = (_midnights(connection, context.number, time_ms) for time_ms in span)
    drafts = []
    for number in sorted(carbons.keys() & first.keys() & last.keys() & context.meters.keys()):
        if not (first[number].has_carbon or last[number].has_carbon) or _broken(connection, context, number, span):
            continue
        details = _compared(connection, context, number, (first[number], last[number]), carbons[number])
        if details:
            kind = Kind.CARBON_PARTY_MONTH if month else Kind.CARBON_PARTY_DAY
            starts = [span[0], span[1] - SLOT_MS]
            drafts.append(Draft(kind.value, number, Severity.WARNING.value, starts, details, {"slots": []}))
    return drafts


def _midnights(connection: Connection, station: int, time_ms: int) -> dict[int, _Midnight]:
    """Return the meter's own freeze of a midnight with the gateway's best, where there are both."""
    found = {}
    for number, rows in freezes.at(connection, station, time_ms).items():
        own = freezes.preferred(row for row in rows if row.own)
        pair = None if own is None else freezes.paired(rows, own)
        if pair is not None:
            found[number] = _Midnight(pair.own, pair.gateway)
    return found


def _adjusted(
    connection: Connection, station: int, span: tuple[int, int], numbers: Iterable[int]
) -> dict[int, dict[tuple[int, int], list[Pair]]]:
    """Return what adjustments change by meter, and by the journal and start of their interval, in µg."""
    rows = connection.execute(
        select(
            *(adjustment.c.meter, adjustment.c.journal, adjustment.c.start_ms),
            *(adjustment.c.carbon_forward_ug, adjustment.c.carbon_reverse_ug),
        ).where(
            adjustment.c.station == station,
            adjustment.c.meter.in_(numbers),
            adjustment.c.start_ms >= span[0],
            adjustment.c.start_ms < span[1],
        )
    )
    result: dict[int, dict[tuple[int, int], list[Pair]]] = {}
    for number, journal, start_ms, forward, reverse in rows:
        result.setdefault(number, {}).setdefault((journal, start_ms), []).append((forward, reverse))
    return result


def _recomputed(
    meter: Meter,
    rows: Sequence[IntervalRow],
    factors: Mapping[int, int | None],
    changes: Mapping[tuple[int, int], Sequence[Pair]],
    *,
    whole: bool,
) -> MeterCarbon:
    gateway, centre, late = [0, 0], [0, 0], [0, 0]
    undispatched = highest = 0
    defined = True
    before: int | None = None
    spread = _Spread()
    for row in rows:
        start_ms = row.start_ms - row.start_ms % SLOT_MS
        factor = factors.get(start_ms, row.factor)
        undispatched += start_ms not in factors
        if before is None:
            before = factors.get(start_ms - SLOT_MS, factor)
        energies = (row.forward_mwh, row.reverse_mwh)
        defined = defined and (factor is not None or not any(energies))
        known = factor or 0
        more = changes.get((row.journal, row.start_ms), ())
        for side, (energy, carbon) in enumerate(
            zip(energies, (row.carbon_forward_ug, row.carbon_reverse_ug), strict=True)
        ):
            gateway[side] += carbon + sum(each[side] for each in more)
            centre[side] += energy * known
            if row.start_ms == start_ms and before is not None and row.quality not in _UNREAD:
                late[side] += abs(known - before) * min(energy, _unaware_mwh(meter, row))
        spread.take(row, known, known if before is None else before)
        highest = max(highest, known)
        before = factor
    spread.end()
    return MeterCarbon(
        tuple(gateway),
        tuple(centre),
        (late[0] + spread.late_ng[0], late[1] + spread.late_ng[1]),
        len(rows) + sum(len(each) for each in changes.values()),
        highest,
        undispatched,
        whole and defined,
    )


class _Spread:
    """What a meter may have counted with other factors while nobody read it, nor told it of new ones."""

    def __init__(self) -> None:
        self.late_ng = [0, 0]
        self._energy = [0, 0]
        self._factors: list[int] = []

    def take(self, row: IntervalRow, factor: int, before: int) -> None:
        """Take the next interval, its factor and the one before."""
        if row.quality not in _UNREAD:
            self.end()
            return
        self._factors += [factor] if self._factors else [before, factor]
        self._energy = [self._energy[0] + row.forward_mwh, self._energy[1] + row.reverse_mwh]

    def end(self) -> None:
        """Take no more into the stretch: all of its energy may have had any of its factors."""
        if self._factors:
            most = max(self._factors) - min(self._factors)
            self.late_ng = [late + energy * most for late, energy in zip(self.late_ng, self._energy, strict=True)]
        self._energy, self._factors = [0, 0], []


def _unaware_mwh(meter: Meter, row: IntervalRow) -> int:
    """Return what a meter counts at most until it has been given the factor of a slot: behind its next reading."""
    period = Fraction(row.duration_ms, max(row.readings, 1))
    return energy_mwh(meter, max(SHORT_GAP_MS, int(GAP_OF_PERIODS * period)))


def _broken(connection: Connection, context: Context, number: int, span: tuple[int, int]) -> bool:
    statement = exists().where(
        event.c.station == context.number,
        event.c.meter == number,
        event.c.time_ms > span[0],
        event.c.time_ms <= span[1],
        event.c.code.in_(BROKEN),
    )
    return bool(connection.execute(select(statement)).scalar())


def _compared(
    connection: Connection,
    context: Context,
    number: int,
    ends: tuple[_Midnight, _Midnight],
    carbon: MeterCarbon,
) -> list[dict[str, object]]:
    """Return by direction what the three say, where one of them deviates from the others."""
    meter = context.meters[number]
    limits = [freezes.apart_mwh(connection, context, meter, freezes.Pair(each.own, each.gateway)) for each in ends]
    if limits[0] is None or limits[1] is None:
        return []
    step_ng = 2 * int(meter.carbon_resolution_kg * _NG_PER_KG)
    same_journal = ends[0].gateway.journal == ends[1].gateway.journal
    result: list[dict[str, object]] = []
    for side, direction in enumerate(DIRECTIONS):
        device_ug = ends[1].own.carbon[side] - ends[0].own.carbon[side]
        register_ug = ends[1].gateway.carbon[side] - ends[0].gateway.carbon[side] if same_journal else None
        gateway_ug = carbon.gateway_ug[side] if carbon.covered else register_ug
        if device_ug < 0 or gateway_ug is None:
            continue  # it began anew; or nothing of the gateway is known
        rounding_ng = carbon.records * _NG_PER_UG
        edges_ng = (limits[0][side] + limits[1][side]) * carbon.highest
        own_ng = edges_ng + step_ng + carbon.late_ng[side] + rounding_ng
        centre_ng = carbon.centre_ng[side] if carbon.covered else None
        who = deviating(device_ug * _NG_PER_UG, gateway_ug * _NG_PER_UG, centre_ng, own_ng, rounding_ng)
        if who is not None:
            result.append(
                {
                    "direction": direction,
                    "deviates": who,
                    "device_ug": device_ug,
                    "gateway_ug": gateway_ug,
                    "centre_ug": None if centre_ng is None else centre_ng // _NG_PER_UG,
                    "tolerance_ug": own_ng // _NG_PER_UG,
                    "rounding_ug": rounding_ng // _NG_PER_UG,
                    "without_dispatched_factor": carbon.undispatched,
                }
            )
    return result


def deviating(device: int, gateway: int, centre: int | None, tolerance: int, rounding: int) -> str | None:
    """Return who deviates from the other two; None where nobody does, or what does is told of elsewhere.

    The device's may be `tolerance` away from either; gateway and centre have the same energy, and only `rounding`
    between them. Where the device agrees with both, a factor yet to be settled is all that is between them.
    """
    with_gateway = abs(device - gateway) <= tolerance
    if centre is None:
        return None if with_gateway else "device or gateway"
    with_centre = abs(device - centre) <= tolerance
    if abs(gateway - centre) <= rounding:
        return None if with_gateway or with_centre else "device"
    if with_gateway and with_centre:
        return None
    if with_centre:
        return "gateway"
    return "centre" if with_gateway else "all three"
