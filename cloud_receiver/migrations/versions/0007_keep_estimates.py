"""Keep estimates beside readings: versions, who made them and why, who withdrew them and why."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "estimate",
        sa.Column("station", sa.BigInteger(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("meter", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("edit", sa.String(32), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("forward_mwh", sa.BigInteger(), nullable=False),
        sa.Column("reverse_mwh", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.String(32), nullable=False),
        sa.Column("replaces", sa.SmallInteger(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ended", sa.String(16), nullable=True),
        sa.Column("ended_by", sa.String(64), nullable=True),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("station", "start_ms", "meter", "version", name=op.f("pk_estimate")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_estimate_edit"), "estimate", ["edit"])


def downgrade() -> None:
    """Take the revision back."""
    op.drop_index(op.f("ix_estimate_edit"), "estimate")
    op.drop_table("estimate")
