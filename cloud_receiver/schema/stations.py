"""Who sends: stations, gateways with their keys, meters, and what is known of them."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from cloud_receiver.schema.base import Serial, metadata

station = Table(
    "station",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
)

gateway = Table(
    "gateway",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("station", BigInteger, ForeignKey("station.id"), nullable=False),
    Column("added_ms", BigInteger, nullable=False),
)

gateway_key = Table(
    "gateway_key",
    metadata,
    Column("kid", LargeBinary(8), primary_key=True),
    Column("gateway", BigInteger, ForeignKey("gateway.id"), nullable=False),
    Column("public_key", LargeBinary(65), nullable=False),
    Column("added_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
)

# A meter the registry doesn't know has the role "unknown": its records are kept, and a finding says so.
meter = Table(
    "meter",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("gateway", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("station", BigInteger, ForeignKey("station.id"), nullable=False),
    Column("role", String(16), nullable=False),
    UniqueConstraint("gateway", "name"),
    Index(None, "station"),
)

# The newest status of a gateway; `seen_ms` is by the centre's clock, `time_ms` by the gateway's.
gateway_status = Table(
    "gateway_status",
    metadata,
    Column("gateway", BigInteger, ForeignKey("gateway.id"), primary_key=True, autoincrement=False),
    Column("state", SmallInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("context", LargeBinary(8), nullable=False),
    Column("next_sequence", BigInteger, nullable=False),
    Column("unacknowledged", BigInteger, nullable=False),
    Column("clock_state", SmallInteger, nullable=False),
    Column("dropped", BigInteger, nullable=False),
    Column("dropped_ms", BigInteger),
    Column("facts", Text),
)
