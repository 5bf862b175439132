"""Keep the days that a person wants checked anew."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "recheck",
        sa.Column("station", sa.BigInteger(), nullable=False),
        sa.Column("day_ms", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("station", "day_ms", name=op.f("pk_recheck")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Take the revision back."""
    op.drop_table("recheck")
