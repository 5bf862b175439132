"""Carbon factors (电碳因子) that the centre dispatched."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, SmallInteger, String, Table

from cloud_receiver.schema.base import metadata

# What the centre dispatched; a corrected factor is a further row with a later `issued_ms`.
# `origin`: wire.messages.Origin.
factor = Table(
    "factor",
    metadata,
    Column("node", String(64), primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("issued_ms", BigInteger, primary_key=True),
    Column("slot_ms", BigInteger, nullable=False),
    Column("factor", BigInteger),
    Column("solve_id", LargeBinary(32), nullable=False),
    Column("origin", SmallInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

# The signed messages in which the centre dispatched factors, as far as they are needed to prove each of them.
factor_message = Table(
    "factor_message",
    metadata,
    Column("node", String(64), primary_key=True),
    Column("first_start_ms", BigInteger, primary_key=True),
    Column("issued_ms", BigInteger, primary_key=True),
    Column("slot_ms", BigInteger, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("topic", String(256), nullable=False),
    Column("kid", LargeBinary(8), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)

# Factor messages of the grid service that the broker is yet to confirm.
factor_unsent = Table(
    "factor_unsent",
    metadata,
    Column("node", String(64), primary_key=True),
    Column("first_start_ms", BigInteger, primary_key=True),
    Column("issued_ms", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)

# Until when each gateway is known to have got what was published: what was issued since, it may have missed.
factor_reached = Table(
    "factor_reached",
    metadata,
    Column("gateway", BigInteger, ForeignKey("gateway.id"), primary_key=True, autoincrement=False),
    Column("reached_ms", BigInteger, nullable=False),
)
