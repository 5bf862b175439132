"""Keep how much of each station is stored; find the newest estimate and open findings without passing by all others.

On a large store it reads the tables of intervals, events and orders once.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_COUNTED = """
INSERT INTO station_rows (station, records, orders)
SELECT station, SUM(records), SUM(orders) FROM (
    SELECT station, COUNT(*) AS records, 0 AS orders FROM "interval" GROUP BY station
    UNION ALL
    SELECT station, COUNT(*), 0 FROM event WHERE code <> 107 GROUP BY station
    UNION ALL
    SELECT station, 0, COUNT(*) + COUNT(superseded_ms) FROM charge_order GROUP BY station
) AS found GROUP BY station
"""

_INDEXES = (
    ("error_estimate", "ix_error_estimate_station_made_ms_end_ms", ["station", "made_ms", "end_ms"], "meter = 0"),
    ("finding", "ix_finding_station_kind", ["station", "kind"], "state <> 'closed'"),
)


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "station_rows",
        sa.Column("station", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("station", name=op.f("pk_station_rows")),
        sqlite_with_rowid=False,
    )
    op.execute(_COUNTED)
    for table, name, columns, condition in _INDEXES:
        where = sa.text(condition)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Take the revision back."""
    for table, name, *_ in reversed(_INDEXES):
        op.drop_index(name, table_name=table)
    op.drop_table("station_rows")
