"""Note who makes which station's night, and find the meters of a station without reading all of them."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "night_claim",
        sa.Column("station", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("through_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("owner", sa.String(length=32), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("station", name=op.f("pk_night_claim")),
    )
    op.create_index(op.f("ix_meter_station"), "meter", ["station"])


def downgrade() -> None:
    """Take the revision back."""
    op.drop_index(op.f("ix_meter_station"), table_name="meter")
    op.drop_table("night_claim")
