"""What checks work on and what they find."""

from sqlalchemy import BigInteger, Column, ForeignKey, SmallInteger, String, Table, Text, UniqueConstraint

from cloud_receiver.schema.base import Serial, metadata

# What the intake and the dispatch tell the checks: this station and time span is to be checked, `due_ms` or at once.
dirty = Table(
    "dirty",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("station", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger),
)

slot_check = Table(
    "slot_check",
    metadata,
    Column("station", BigInteger, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("complete", SmallInteger, nullable=False),
    Column("result", Text, nullable=False),
    Column("checked_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# meter 0: the station itself.
finding = Table(
    "finding",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("station", BigInteger, ForeignKey("station.id"), nullable=False),
    Column("day_ms", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("meter", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("evidence", Text, nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    UniqueConstraint("station", "day_ms", "kind", "meter"),
)
