"""Records of gateways, clustered by (station, time), which is also the key by which the schema is distributed."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, SmallInteger, Table, Text, text

from cloud_receiver.schema.base import metadata
from wire.records import EventCode


def _partial(*columns: str, where: str) -> Index:
    condition = text(where)
    return Index(None, *columns, sqlite_where=condition, postgresql_where=condition)


_MEANS: Final = int(EventCode.VOLTAGE_MEANS)
_OPENED: Final = int(EventCode.CONTEXT_OPENED)

interval = Table(
    "interval",
    metadata,
    Column("station", BigInteger, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("meter", BigInteger, primary_key=True),
    Column("journal", BigInteger, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("duration_ms", BigInteger, nullable=False),
    Column("forward_mwh", BigInteger, nullable=False),
    Column("reverse_mwh", BigInteger, nullable=False),
    Column("forward_total_mwh", BigInteger, nullable=False),
    Column("reverse_total_mwh", BigInteger, nullable=False),
    Column("factor", BigInteger),
    Column("factor_quality", SmallInteger, nullable=False),
    Column("carbon_forward_ug", BigInteger, nullable=False),
    Column("carbon_reverse_ug", BigInteger, nullable=False),
    Column("carbon_forward_total_ug", BigInteger, nullable=False),
    Column("carbon_reverse_total_ug", BigInteger, nullable=False),
    Column("readings", BigInteger, nullable=False),
    Column("quality", SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)

freeze = Table(
    "freeze",
    metadata,
    Column("station", BigInteger, primary_key=True),
    Column("time_ms", BigInteger, primary_key=True),
    Column("meter", BigInteger, primary_key=True),
    Column("journal", BigInteger, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("kind", SmallInteger, nullable=False),
    Column("forward_total_mwh", BigInteger, nullable=False),
    Column("reverse_total_mwh", BigInteger, nullable=False),
    Column("carbon_forward_total_ug", BigInteger, nullable=False),
    Column("carbon_reverse_total_ug", BigInteger, nullable=False),
    Column("source", SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)

adjustment = Table(
    "adjustment",
    metadata,
    Column("station", BigInteger, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("meter", BigInteger, primary_key=True),
    Column("journal", BigInteger, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("duration_ms", BigInteger, nullable=False),
    Column("forward_mwh", BigInteger, nullable=False),
    Column("reverse_mwh", BigInteger, nullable=False),
    Column("factor_used", BigInteger),
    Column("factor_now", BigInteger),
    Column("carbon_forward_ug", BigInteger, nullable=False),
    Column("carbon_reverse_ug", BigInteger, nullable=False),
    Column("solve_id", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

# meter 0: the gateway itself. details: JSON, keys as in docs/wire.md. Most rows are means of voltage, four a day and
# meter: whoever looks for another code, a journal's beginning, or the oldest of these (cloud_receiver.event_rows),
# passes by the others. A query must have the condition of its index to the letter.
event = Table(
    "event",
    metadata,
    Column("station", BigInteger, primary_key=True),
    Column("time_ms", BigInteger, primary_key=True),
    Column("meter", BigInteger, primary_key=True),
    Column("journal", BigInteger, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("code", Integer, nullable=False),
    Column("details", Text, nullable=False),
    _partial("station", "code", "time_ms", where=f"code <> {_MEANS}"),
    _partial("journal", "sequence", where=f"code = {_OPENED}"),
    _partial("time_ms", where=f"code = {_MEANS}"),
    sqlite_with_rowid=False,
)

# What is no longer kept of records that the signed messages have: of which kind (a code of events), of before when.
# `rows`: how many were removed altogether.
removal = Table(
    "removal",
    metadata,
    Column("code", Integer, primary_key=True, autoincrement=False),
    Column("before_ms", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("removed_ms", BigInteger, nullable=False),
)

# How many rows of each station were ever entered: intervals and events but for means of voltage; versions of orders,
# and how many of these went out of force (cloud_receiver.row_counts).
station_rows = Table(
    "station_rows",
    metadata,
    Column("station", BigInteger, primary_key=True, autoincrement=False),
    Column("records", BigInteger, nullable=False),
    Column("orders", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
