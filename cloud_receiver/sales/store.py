"""Orders in the store: reading those in force."""

import json

from sqlalchemy import Connection, select

from cloud_receiver.sales.order import Order, Period
from cloud_receiver.schema import charge_order


def in_force(connection: Connection, station: int, first_ms: int, end_ms: int) -> dict[int, list[Order]]:
    """Return the orders in force that overlap [first_ms, end_ms), by the number of their meter, in order of time.

    An order of no duration belongs to the instant at which it ends.
    """
    table = charge_order
    rows = connection.execute(
        select(table)
        .where(
            table.c.station == station,
            table.c.end_ms >= first_ms,
            table.c.start_ms < end_ms,
            table.c.superseded_ms.is_(None),
        )
        .order_by(table.c.meter, table.c.start_ms, table.c.id)
    )
    found: dict[int, list[Order]] = {}
    for row in rows:
        if row.end_ms == first_ms and row.start_ms < first_ms:
            continue
        found.setdefault(row.meter, []).append(
            Order(
                row.number,
                row.start_ms,
                row.end_ms,
                row.energy_mwh,
                row.amount,
                row.electricity_amount,
                row.service_amount,
                row.start_total_mwh,
                row.end_total_mwh,
                row.stop_reason,
                row.connector,
                tuple(Period(*each) for each in json.loads(row.periods or "[]")),
            )
        )
    return found
