"""Count what verification came to, by gateway, and bound the quarantine by bytes, counting what it drops."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.add_column("quarantine", sa.Column("gateway", sa.String(length=64), nullable=True))
    op.add_column("quarantine", sa.Column("running", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(op.f("ix_quarantine_running"), "quarantine", ["running"])
    op.create_table(
        "quarantine_dropped",
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reason", name=op.f("pk_quarantine_dropped")),
    )
    op.create_table(
        "verification",
        sa.Column("gateway", sa.String(length=64), nullable=False),
        sa.Column("result", sa.String(length=32), nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", "result", name=op.f("pk_verification")),
    )


def downgrade() -> None:
    """Take the revision back."""
    op.drop_table("verification")
    op.drop_table("quarantine_dropped")
    op.drop_index(op.f("ix_quarantine_running"), table_name="quarantine")
    op.drop_column("quarantine", "running")
    op.drop_column("quarantine", "gateway")
