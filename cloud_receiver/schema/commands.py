"""Commands to gateways (下行命令) and what became of them."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, SmallInteger, String, Table

from cloud_receiver.schema.base import metadata

# Commands to gateways (wire.commands) and what became of them; a row is never deleted, it is the audit (审计).
# `published`: how often; `outcome` and the reply's columns are null until the gateway has answered.
command = Table(
    "command",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("gateway", BigInteger, ForeignKey("gateway.id"), nullable=False),
    Column("verb", SmallInteger, nullable=False),
    Column("author", String(64), nullable=False),
    Column("issued_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("published", Integer, nullable=False, server_default="0"),
    Column("published_ms", BigInteger),
    Column("outcome", SmallInteger),
    Column("reply_ms", BigInteger),
    Column("reply_kid", LargeBinary(8)),
    Column("reply", LargeBinary),
    Index(None, "expires_ms"),
    Index(None, "gateway", "issued_ms"),
)
