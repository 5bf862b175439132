"""What happened to a station's meters, out of the store: exchanges as gateways saw them, and verifications."""

from typing import Final

from sqlalchemy import BigInteger, Connection, bindparam, select

from cloud_receiver import event_rows
from cloud_receiver.checks.model import Context
from cloud_receiver.estimation import verification
from cloud_receiver.estimation.model import TURNS_MS, Facts
from cloud_receiver.estimation.verification import Verification
from cloud_receiver.registry.values import ms
from cloud_receiver.schema import event
from wire.records import EventCode

_EXCHANGES: Final = (
    select(event.c.meter, event.c.time_ms)
    .where(
        event.c.station == bindparam("station", type_=BigInteger),
        event.c.time_ms >= bindparam("first_ms", type_=BigInteger),
        event.c.time_ms < bindparam("end_ms", type_=BigInteger),
        event_rows.told([EventCode.EXCHANGE]),
    )
    .order_by(event.c.time_ms)
)


def facts_in(connection: Connection, context: Context, first_ms: int, end_ms: int) -> Facts:
    """Return what happened to a station's meters before `end_ms`.

    Exchanges since the oldest result, entered or in the registry: one before an exchange is another meter's.
    """
    results: dict[int, list[Verification]] = {}
    for item in verification.listed(connection, context.number):
        if item.at_ms <= end_ms:
            results.setdefault(item.meter, []).append(item)
    known_ms = [ms(item.at) for meter in context.meters.values() for item in meter.verified]
    known_ms += [item.at_ms for items in results.values() for item in items]
    since_ms = min([first_ms - TURNS_MS, *known_ms])
    return Facts(exchanges(connection, context, since_ms, end_ms), results)


def exchanges(connection: Connection, context: Context, first_ms: int, end_ms: int) -> dict[int, list[int]]:
    """Return when meters were exchanged (换表) in a span, as their gateways saw it, by meter."""
    span = {"station": context.number, "first_ms": first_ms, "end_ms": end_ms}
    result: dict[int, list[int]] = {}
    for meter, time_ms in connection.execute(_EXCHANGES, span):
        times = result.setdefault(meter, [])
        if time_ms not in times:
            times.append(time_ms)
    return result
