"""Find events by code and journal without passing by means of voltage, and note what is no longer kept of these.

On a large store it reads the whole table of events three times. And note how often a day's check anew has failed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_event_station_code_time_ms", ["station", "code", "time_ms"], "code <> 107"),
    ("ix_event_journal_sequence", ["journal", "sequence"], "code = 200"),
    ("ix_event_time_ms", ["time_ms"], "code = 107"),
)


def upgrade() -> None:
    """Apply the revision."""
    for name, columns, condition in _INDEXES:
        where = sa.text(condition)
        op.create_index(name, "event", columns, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "removal",
        sa.Column("code", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("before_ms", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("removed_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_removal")),
    )
    op.add_column("recheck", sa.Column("tries", sa.Integer(), server_default="0", nullable=False))
    op.add_column("recheck", sa.Column("due_ms", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    """Take the revision back."""
    op.drop_column("recheck", "due_ms")
    op.drop_column("recheck", "tries")
    op.drop_table("removal")
    for name, *_ in reversed(_INDEXES):
        op.drop_index(name, table_name="event")
