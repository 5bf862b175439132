"""Keep the newest status of each gateway, what the store would not take, and when a notice to the checks is due."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "set_aside",
        sa.Column("message", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("new", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("aside_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name=op.f("fk_set_aside_message")),
        sa.PrimaryKeyConstraint("message", name=op.f("pk_set_aside")),
    )
    op.create_table(
        "gateway_status",
        sa.Column("gateway", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("context", sa.LargeBinary(length=8), nullable=False),
        sa.Column("next_sequence", sa.BigInteger(), nullable=False),
        sa.Column("unacknowledged", sa.BigInteger(), nullable=False),
        sa.Column("clock_state", sa.SmallInteger(), nullable=False),
        sa.Column("dropped", sa.BigInteger(), nullable=False),
        sa.Column("dropped_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["gateway"], ["gateway.id"], name=op.f("fk_gateway_status_gateway")),
        sa.PrimaryKeyConstraint("gateway", name=op.f("pk_gateway_status")),
    )
    op.add_column("dirty", sa.Column("due_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Take the revision back."""
    op.drop_column("dirty", "due_ms")
    op.drop_table("gateway_status")
    op.drop_table("set_aside")
