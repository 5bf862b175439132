"""What was sold: charge orders (充电订单)."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from cloud_receiver.schema.base import Serial, metadata

# An order as the charger or its operator settled it; another content under the same number is a further version, and
# none is changed but for its end. Amounts in 10^-4 of the currency's unit. `periods`: JSON, cloud_receiver.sales.order.
# `source`: gateway, csv or http; `journal` and `sequence` of a gateway's record, which proves it.
charge_order = Table(
    "charge_order",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("station", BigInteger, ForeignKey("station.id"), nullable=False),
    Column("meter", BigInteger, ForeignKey("meter.id"), nullable=False),
    Column("number", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("connector", String(32)),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("energy_mwh", BigInteger, nullable=False),
    Column("amount", BigInteger),
    Column("electricity_amount", BigInteger),
    Column("service_amount", BigInteger),
    Column("start_total_mwh", BigInteger),
    Column("end_total_mwh", BigInteger),
    Column("stop_reason", SmallInteger),
    Column("periods", Text),
    Column("source", String(16), nullable=False),
    Column("journal", BigInteger),
    Column("sequence", BigInteger),
    Column("made_by", String(64), nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("superseded_ms", BigInteger),
    UniqueConstraint("station", "meter", "number", "version"),
    Index(None, "station", "end_ms"),
    Index(None, "station", "start_ms"),
    Index(None, "station", "received_ms"),
)
