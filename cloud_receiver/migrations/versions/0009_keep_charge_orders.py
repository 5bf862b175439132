"""Keep charge orders."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "charge_order",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("station", sa.BigInteger(), nullable=False),
        sa.Column("meter", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("connector", sa.String(32), nullable=True),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("energy_mwh", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("electricity_amount", sa.BigInteger(), nullable=True),
        sa.Column("service_amount", sa.BigInteger(), nullable=True),
        sa.Column("start_total_mwh", sa.BigInteger(), nullable=True),
        sa.Column("end_total_mwh", sa.BigInteger(), nullable=True),
        sa.Column("stop_reason", sa.SmallInteger(), nullable=True),
        sa.Column("periods", sa.Text(), nullable=True),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("journal", sa.BigInteger(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("superseded_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["station"], ["station.id"], name=op.f("fk_charge_order_station")),
        sa.ForeignKeyConstraint(["meter"], ["meter.id"], name=op.f("fk_charge_order_meter")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charge_order")),
        sa.UniqueConstraint(
            "station", "meter", "number", "version", name=op.f("uq_charge_order_station_meter_number_version")
        ),
    )
    op.create_index(op.f("ix_charge_order_station_end_ms"), "charge_order", ["station", "end_ms"])
    op.create_index(op.f("ix_charge_order_station_start_ms"), "charge_order", ["station", "start_ms"])
    op.create_index(op.f("ix_charge_order_station_received_ms"), "charge_order", ["station", "received_ms"])


def downgrade() -> None:
    """Take the revision back."""
    op.drop_index(op.f("ix_charge_order_station_received_ms"), "charge_order")
    op.drop_index(op.f("ix_charge_order_station_start_ms"), "charge_order")
    op.drop_index(op.f("ix_charge_order_station_end_ms"), "charge_order")
    op.drop_table("charge_order")
