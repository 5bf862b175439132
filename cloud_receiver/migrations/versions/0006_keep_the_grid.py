"""Keep the grid: topologies, telemetry, solved slots, findings, and what other centres say."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.add_column("factor", sa.Column("origin", sa.SmallInteger(), nullable=False, server_default="0"))
    op.create_table(
        "factor_unsent",
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("first_start_ms", sa.BigInteger(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node", "first_start_ms", "issued_ms", name=op.f("pk_factor_unsent")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "factor_reached",
        sa.Column("gateway", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reached_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", name=op.f("pk_factor_reached")),
        sa.ForeignKeyConstraint(["gateway"], ["gateway.id"], name=op.f("fk_factor_reached_gateway")),
    )
    op.create_table(
        "grid",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("valid_from_ms", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("entered_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grid")),
        sa.UniqueConstraint("valid_from_ms", name=op.f("uq_grid_valid_from_ms")),
    )
    op.create_table(
        "grid_telemetry",
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("feed", sa.String(64), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("start_ms", "id", name=op.f("pk_grid_telemetry")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "grid_slot",
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("grid", sa.BigInteger(), nullable=False),
        sa.Column("solve_id", sa.LargeBinary(32), nullable=False),
        sa.Column("solved_ms", sa.BigInteger(), nullable=False),
        sa.Column("measured", sa.LargeBinary(), nullable=False),
        sa.Column("used", sa.LargeBinary(), nullable=False),
        sa.Column("nodes", sa.LargeBinary(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("start_ms", "version", name=op.f("pk_grid_slot")),
        sa.ForeignKeyConstraint(["grid"], ["grid.id"], name=op.f("fk_grid_slot_grid")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "grid_notice",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grid_notice")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "grid_finding",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("day_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(96), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grid_finding")),
        sa.UniqueConstraint("day_ms", "kind", "subject", name=op.f("uq_grid_finding_day_ms_kind_subject")),
    )
    op.create_table(
        "level_slot",
        sa.Column("centre", sa.String(64), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.SmallInteger(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("forward_mwh", sa.BigInteger(), nullable=True),
        sa.Column("reverse_mwh", sa.BigInteger(), nullable=True),
        sa.Column("factor", sa.BigInteger(), nullable=True),
        sa.Column("reverse_factor", sa.BigInteger(), nullable=True),
        sa.Column("carbon_forward_ug", sa.BigInteger(), nullable=True),
        sa.Column("carbon_reverse_ug", sa.BigInteger(), nullable=True),
        sa.Column("totals", sa.Text(), nullable=True),
        sa.Column("origin", sa.SmallInteger(), nullable=True),
        sa.PrimaryKeyConstraint("centre", "start_ms", "side", "issued_ms", name=op.f("pk_level_slot")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "level_message",
        sa.Column("centre", sa.String(64), nullable=False),
        sa.Column("side", sa.SmallInteger(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.String(256), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("error_ppm", sa.Integer(), nullable=True),
        sa.Column("step_mwh", sa.BigInteger(), nullable=True),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("heard_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("centre", "side", "issued_ms", name=op.f("pk_level_message")),
    )
    op.create_index(
        op.f("ix_level_message_centre_side_heard_ms_issued_ms"),
        "level_message",
        ["centre", "side", "heard_ms", "issued_ms"],
    )


def downgrade() -> None:
    """Take the revision back."""
    for table in (
        *("level_message", "level_slot", "grid_finding", "grid_notice", "grid_slot", "grid_telemetry", "grid"),
        *("factor_reached", "factor_unsent"),
    ):
        op.drop_table(table)
    op.drop_column("factor", "origin")
