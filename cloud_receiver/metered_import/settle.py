"""Adjustments (碳量调整) of imported readings to factors that came, or were corrected, after the import.

As a gateway does it: the interval stays, and a record beside it, in the same journal, says what the factor changes. One
factor is applied to an interval; one whose slots have several by now stays as it is, and is counted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, func, select

from cloud_receiver.database import reading
from cloud_receiver.enrolment import GatewayRow
from cloud_receiver.factor_spans import SLOT_MS
from cloud_receiver.metered_import import known, signing
from cloud_receiver.metered_import.journal import Place, Writer, turn
from cloud_receiver.metered_import.wish import Surroundings
from cloud_receiver.registry import Meter, Role, Station
from cloud_receiver.schema import adjustment, event, gateway, interval, journal, received_range
from cloud_receiver.schema import factor as factor_table
from diantan_core import AdjustmentRegister
from wire.domain import MAX_TIME_MS
from wire.records import AdjustmentRecord, EventCode

EVER: Final = (0, MAX_TIME_MS + 1)
_SPAN_MS: Final = 31 * 86_400_000
"""Of what is looked at together."""

_Row: TypeAlias = Any  # a row of SQLAlchemy, whose type parameters are not the same in all its versions


@dataclass(slots=True)
class Settled:
    """What a settlement of one meter came to."""

    station: str
    meter: str
    gateway: str
    adjusted: int = 0
    several: int = 0
    """Intervals whose slots have several factors by now: none can be applied to all of it."""
    carbon_forward_ug: int = 0
    carbon_reverse_ug: int = 0
    journals: list[str] = field(default_factory=list)


def meters(
    around: Surroundings, station: str | None, meter: str | None, gateway_name: str | None
) -> list[tuple[Station, Meter]]:
    """Return the meters of the registry that have been imported, or the one that is asked for."""
    with reading(around.engine) as connection:
        imported = {
            row.name
            for row in connection.execute(
                select(gateway.c.name)
                .join_from(event, journal, journal.c.id == event.c.journal)
                .join(gateway, gateway.c.id == journal.c.gateway)
                .where(event.c.code == int(EventCode.IMPORTED))
                .distinct()
            )
        }
    return [
        (home, item)
        for home in around.registry.station
        for item in home.meter
        if item.gateway in imported
        and station in {None, home.id}
        and meter in {None, item.id}
        and gateway_name in {None, item.gateway}
        # A generating unit's emission is its own: no factor of a node applies to it.
        and item.role is not Role.GENERATION
    ]


async def settle(
    station: Station,
    meter: Meter,
    around: Surroundings,
    told: Callable[[str], None],
    *,
    within: tuple[int, int] = EVER,
    dry_run: bool = False,
) -> Settled:
    """Adjust what was imported of a meter and begins in [first, end) of `within`; EnrolmentError where nobody may sign.

    ImportBusyError while an import is under way, for longer than `around.pace` waits.
    """
    result = Settled(station.id, meter.id, meter.gateway)
    async with turn(around.data_dir, around.pace.wait_s):
        with reading(around.engine) as connection:
            owner = connection.execute(select(gateway).where(gateway.c.name == meter.gateway)).first()
            number = known.meter_number(connection, meter.gateway, meter.id)
            if owner is None or number is None:
                return result
            found: dict[int, list[AdjustmentRecord]] = {}
            register = AdjustmentRegister()
            for first_ms, end_ms in _spans(known.extent(connection, owner.station, number), within):
                told(f"{meter.id}: looking at {first_ms}")
                for row, issue in _changes(connection, (owner.station, number), station.node, first_ms, end_ms):
                    if issue is None:
                        result.several += 1
                        continue
                    found.setdefault(row.journal, []).append(_adjusted(meter.id, row, issue, register))
            places = {name: _place(connection, name) for name in found}
        for name, records in found.items():
            result.adjusted += len(records)
            result.carbon_forward_ug += sum(record.carbon_forward_ug for record in records)
            result.carbon_reverse_ug += sum(record.carbon_reverse_ug for record in records)
            result.journals.append(places[name].context.hex())
            if dry_run:
                continue
            signer = signing.signer(around.engine, meter.gateway, around.data_dir, around.key, around.clock.now_ms())
            writer = Writer(around.engine, around.registry, around.intake, around.clock, signer, pace=around.pace)
            await writer.write(
                GatewayRow(owner.id, owner.name, owner.station),
                places[name],
                records,
                lambda done: told(f"storing: {done:,} adjustments"),
            )
    return result


def _spans(extent: tuple[int, int] | None, within: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the parts of the time that the store has of a meter."""
    if extent is None:
        return
    low, end = max(extent[0], within[0]), min(extent[1] + 1, within[1])
    for first_ms in range(low, end, _SPAN_MS):
        yield first_ms, min(first_ms + _SPAN_MS, end)


def _changes(
    connection: Connection, meter: tuple[int, int], node: str, first_ms: int, end_ms: int
) -> Iterator[tuple[_Row, tuple[int | None, _Row] | None]]:
    """Yield the intervals whose factor is another one now: (factor used, row of the factor now).

    None in their place for an interval whose slots have several.
    """
    issues = {
        row.start_ms: row
        for row in connection.execute(
            select(factor_table)
            .where(
                factor_table.c.node == node, factor_table.c.start_ms.between(first_ms - SLOT_MS, end_ms + SLOT_MS * 4)
            )
            .order_by(factor_table.c.issued_ms)
        )
    }
    if not issues:
        return
    mine = (adjustment.c.station == meter[0], adjustment.c.meter == meter[1])
    adjusted = {
        (row.journal, row.start_ms, row.duration_ms): row.factor_now
        for row in connection.execute(
            select(adjustment)
            .where(*mine, adjustment.c.start_ms >= first_ms, adjustment.c.start_ms < end_ms)
            .order_by(adjustment.c.sequence)
        )
    }
    rows = connection.execute(
        select(interval)
        .where(
            interval.c.station == meter[0],
            interval.c.meter == meter[1],
            interval.c.start_ms >= first_ms,
            interval.c.start_ms < end_ms,
        )
        .order_by(interval.c.start_ms)
    )
    for row in rows:
        slots = range(row.start_ms - row.start_ms % SLOT_MS, row.start_ms + row.duration_ms, SLOT_MS)
        if any(slot not in issues for slot in slots):
            continue
        values = {issues[slot].factor for slot in slots}
        used = adjusted.get((row.journal, row.start_ms, row.duration_ms), row.factor)
        if len(values) > 1:
            yield row, None
        elif used not in values:
            yield row, (used, issues[slots[0]])


def _adjusted(meter: str, row: _Row, issue: tuple[int | None, _Row], register: AdjustmentRegister) -> AdjustmentRecord:
    used, now = issue
    change = register.apply(row.forward_mwh, row.reverse_mwh, used, now.factor)
    energy = (row.forward_mwh, row.reverse_mwh)
    return AdjustmentRecord(
        meter, row.start_ms, row.duration_ms, *energy, used, now.factor, *change, bytes(now.solve_id)
    )


def _place(connection: Connection, number: int) -> Place:
    """Return where a journal goes on."""
    context, last = connection.execute(
        select(journal.c.context, func.max(received_range.c.last))
        .join_from(journal, received_range)
        .where(journal.c.id == number)
        .group_by(journal.c.context)
    ).one()
    return Place(bytes(context), last + 1)


def document(item: Settled) -> dict[str, object]:
    """Return what came of it as a document of JSON."""
    return {
        "station": item.station,
        "meter": item.meter,
        "gateway": item.gateway,
        "adjusted": item.adjusted,
        "not_settled_several_factors": item.several,
        "carbon_forward_ug": item.carbon_forward_ug,
        "carbon_reverse_ug": item.carbon_reverse_ug,
        "journals": item.journals,
    }


def text(item: Settled, *, dry_run: bool) -> str:
    """Return what came of it as a line."""
    verb = "would be adjusted" if dry_run else "adjusted"
    line = (
        f"{item.meter} of {item.station}: {item.adjusted} intervals {verb}, carbon "
        f"{_kg(item.carbon_forward_ug)} kgCO2 forward, {_kg(item.carbon_reverse_ug)} reverse"
    )
    if item.several:
        line += f"; {item.several} stay as they are: their slots have several factors (import --by-slot divides them)"
    return line


def _kg(ug: int) -> str:
    """Return an amount of carbon in kg, exactly."""
    whole, rest = divmod(abs(ug), 1_000_000_000)
    shown = f"{whole}.{rest:09}".rstrip("0").rstrip(".")
    return f"-{shown}" if ug < 0 else shown
