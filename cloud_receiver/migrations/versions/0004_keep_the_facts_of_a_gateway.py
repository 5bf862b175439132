"""Keep what a gateway tells of its backlog, drops and overdue meters, as JSON."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.add_column("gateway_status", sa.Column("facts", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take the revision back."""
    op.drop_column("gateway_status", "facts")
