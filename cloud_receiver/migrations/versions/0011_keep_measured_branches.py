"""Keep the branches that voltage drops measured beside the sums that rest on them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.add_column("error_state", sa.Column("branches", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    """Take the revision back."""
    op.drop_column("error_state", "branches")
