"""What happened to a station's meters, out of the store: exchanges as gateways saw them, and verifications."""

from typing import Final

from sqlalchemy import BigInteger, Connection, bindparam, select

from cloud_receiver import event_rows
from cloud_receiver.checks.model import Context
from cloud_receiver.estimation import verification
from cloud_receiver.estimation.load import DAY_MS
from cloud_receiver.estimation.model import Facts
from cloud_receiver.estimation.verification import Verification
from cloud_receiver.schema import event
from wire.records import EventCode

FACTS_MS: Final = 400 * DAY_MS
"""How far before a span exchanges are looked for, as long as gateways keep records."""

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
    """Return what happened to a station's meters before `end_ms`."""
    results: dict[int, list[Verification]] = {}
    for item in verification.listed(connection, context.number):
        if item.at_ms <= end_ms:
            results.setdefault(item.meter, []).append(item)
    return Facts(exchanges(connection, context, first_ms - FACTS_MS, end_ms), results)


def exchanges(connection: Connection, context: Context, first_ms: int, end_ms: int) -> dict[int, list[int]]:
    """Return when meters were exchanged (换表) in a span, as their gateways saw it, by meter."""
    span = {"station": context.number, "first_ms": first_ms, "end_ms": end_ms}
    result: dict[int, list[int]] = {}
    for meter, time_ms in connection.execute(_EXCHANGES, span):
        times = result.setdefault(meter, [])
        if time_ms not in times:
            times.append(time_ms)
    return result
