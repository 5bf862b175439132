"""Keep remote error estimates, the sums they go on from, and the results of verification."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "error_estimate",
        sa.Column("station", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("meter", sa.BigInteger(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Double(), nullable=True),
        sa.Column("u", sa.Double(), nullable=True),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("decision", sa.String(16), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("station", "end_ms", "meter", "made_ms", name=op.f("pk_error_estimate")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "error_state",
        sa.Column("station", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("through_ms", sa.BigInteger(), nullable=False),
        sa.Column("full_ms", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("station", name=op.f("pk_error_state")),
    )
    op.create_table(
        "error_verification",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("station", sa.BigInteger(), nullable=False),
        sa.Column("meter", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("error_percent", sa.String(16), nullable=False),
        sa.Column("u_percent", sa.String(16), nullable=False),
        sa.Column("left_percent", sa.String(16), nullable=True),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("entered_ms", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_ms", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_by", sa.String(64), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["station"], ["station.id"], name=op.f("fk_error_verification_station")),
        sa.ForeignKeyConstraint(["meter"], ["meter.id"], name=op.f("fk_error_verification_meter")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_error_verification")),
    )
    op.create_index(op.f("ix_error_verification_station_at_ms"), "error_verification", ["station", "at_ms"])


def downgrade() -> None:
    """Take the revision back."""
    op.drop_index(op.f("ix_error_verification_station_at_ms"), "error_verification")
    op.drop_table("error_verification")
    op.drop_table("error_state")
    op.drop_table("error_estimate")
