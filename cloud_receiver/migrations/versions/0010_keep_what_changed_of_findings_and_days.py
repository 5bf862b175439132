"""Keep what changed of findings, what a day leaves for its month, and how complete days were."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_AMOUNTS = (
    *("expected_ms", "present_ms", "in_15_min_ms", "in_60_min_ms", "by_day_end_ms"),
    *("interpolated_ms", "estimated_ms", "partial_ms", "substituted_ms"),
)


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "finding_change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("finding", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.String(16), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        sa.Column("running", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("state_before", sa.String(16), nullable=True),
        sa.Column("severity_before", sa.String(16), nullable=True),
        sa.Column("first_before_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_before_ms", sa.BigInteger(), nullable=True),
        sa.Column("evidence_before", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["finding"], ["finding.id"], name=op.f("fk_finding_change_finding")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding_change")),
    )
    op.create_index(op.f("ix_finding_change_finding"), "finding_change", ["finding"])
    op.create_table(
        "day_check",
        sa.Column("station", sa.BigInteger(), nullable=False),
        sa.Column("day_ms", sa.BigInteger(), nullable=False),
        sa.Column("over", sa.SmallInteger(), nullable=False),
        sa.Column("registry", sa.String(64), nullable=False),
        sa.Column("settings", sa.String(64), nullable=False),
        sa.Column("through_message", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("checked_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("station", "day_ms", name=op.f("pk_day_check")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "completeness_day",
        sa.Column("station", sa.BigInteger(), nullable=False),
        sa.Column("day_ms", sa.BigInteger(), nullable=False),
        sa.Column("gateway", sa.String(64), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _AMOUNTS),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("station", "day_ms", "gateway", name=op.f("pk_completeness_day")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_completeness_day_day_ms"), "completeness_day", ["day_ms"])


def downgrade() -> None:
    """Take the revision back."""
    op.drop_index(op.f("ix_completeness_day_day_ms"), "completeness_day")
    op.drop_table("completeness_day")
    op.drop_table("day_check")
    op.drop_index(op.f("ix_finding_change_finding"), "finding_change")
    op.drop_table("finding_change")
