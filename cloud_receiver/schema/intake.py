"""What came: journals, what is received of them, the signed messages, and those that could not be stored or trusted."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from cloud_receiver.schema.base import Serial, metadata

# A gateway's journal: one context of sequence numbers that never repeat. `told_next`: the highest next sequence that
# the gateway has told of it, 0 where it never did.
journal = Table(
    "journal",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("gateway", BigInteger, ForeignKey("gateway.id"), nullable=False),
    Column("context", LargeBinary(8), nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("told_next", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("gateway", "context"),
)

received_range = Table(
    "received_range",
    metadata,
    Column("journal", BigInteger, ForeignKey("journal.id"), primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The signed envelope as it came: a record is proved by the message of its journal whose sequences cover it.
message = Table(
    "message",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("journal", BigInteger, ForeignKey("journal.id"), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("topic", String(256), nullable=False),
    Column("kid", LargeBinary(8), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("clock_state", SmallInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Index(None, "journal", "first"),
)

# A message whose records the store would not take: kept whole, acknowledged, and tried again at every start.
set_aside = Table(
    "set_aside",
    metadata,
    Column("message", BigInteger, ForeignKey("message.id"), primary_key=True, autoincrement=False),
    Column("new", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("aside_ms", BigInteger, nullable=False),
)

# `gateway`: the enrolled one that the topic names, if it does. `count`: for how many messages the row stands.
# `running`: the bytes kept in all rows before it, dropped ones too.
quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("topic", String(256), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("gateway", String(64)),
    Column("running", BigInteger, nullable=False, server_default="0"),
    Index(None, "running"),
)

# What the quarantine had no room for any more.
quarantine_dropped = Table(
    "quarantine_dropped",
    metadata,
    Column("reason", String(32), primary_key=True),
    Column("entries", BigInteger, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
)

# What the verification of every message came to: "verified", or the reason why it was refused.
verification = Table(
    "verification",
    metadata,
    Column("gateway", String(64), primary_key=True),
    Column("result", String(32), primary_key=True),
    Column("messages", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
)
