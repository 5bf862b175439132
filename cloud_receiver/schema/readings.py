"""Records of gateways, clustered by (station, time), which is also the key by which the schema is distributed."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, SmallInteger, Table, Text

from cloud_receiver.schema.base import metadata

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

# meter 0: the gateway itself. details: JSON, keys as in docs/wire.md.
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
    sqlite_with_rowid=False,
)
