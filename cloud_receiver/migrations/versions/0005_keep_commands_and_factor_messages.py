"""Keep commands with their replies, dispatched factor messages, and how far each journal is known to have gone."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "command",
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("gateway", sa.BigInteger(), nullable=False),
        sa.Column("verb", sa.SmallInteger(), nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("published_ms", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.SmallInteger(), nullable=True),
        sa.Column("reply_ms", sa.BigInteger(), nullable=True),
        sa.Column("reply_kid", sa.LargeBinary(8), nullable=True),
        sa.Column("reply", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_command")),
        sa.ForeignKeyConstraint(["gateway"], ["gateway.id"], name=op.f("fk_command_gateway")),
    )
    op.create_index(op.f("ix_command_expires_ms"), "command", ["expires_ms"])
    op.create_index(op.f("ix_command_gateway_issued_ms"), "command", ["gateway", "issued_ms"])
    op.create_table(
        "factor_message",
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("first_start_ms", sa.BigInteger(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("slot_ms", sa.BigInteger(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("topic", sa.String(256), nullable=False),
        sa.Column("kid", sa.LargeBinary(8), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("node", "first_start_ms", "issued_ms", name=op.f("pk_factor_message")),
    )
    op.add_column("journal", sa.Column("told_next", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Take the revision back."""
    op.drop_column("journal", "told_next")
    op.drop_table("factor_message")
    op.drop_table("command")
