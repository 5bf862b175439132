"""Keep what stations show of their chargers alone, what they say together of makes, and what each is told of that."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "fleet_view",
        sa.Column("station", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("station", name=op.f("pk_fleet_view")),
    )
    op.create_table(
        "fleet_prior",
        sa.Column("station", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Double(), nullable=False),
        sa.Column("u", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("station", name=op.f("pk_fleet_prior")),
    )
    op.create_table(
        "fleet_night",
        sa.Column("made_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("made_ms", name=op.f("pk_fleet_night")),
    )
    op.create_table(
        "fleet_make",
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("make", sa.Text(), nullable=False),
        sa.Column("error", sa.Double(), nullable=False),
        sa.Column("u", sa.Double(), nullable=False),
        sa.Column("stations", sa.Integer(), nullable=False),
        sa.Column("operators", sa.Integer(), nullable=False),
        sa.Column("chargers", sa.Integer(), nullable=False),
        sa.Column("judged", sa.Integer(), nullable=False),
        sa.Column("flagged", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("made_ms", "make", name=op.f("pk_fleet_make")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Take the revision back."""
    op.drop_table("fleet_make")
    op.drop_table("fleet_night")
    op.drop_table("fleet_prior")
    op.drop_table("fleet_view")
