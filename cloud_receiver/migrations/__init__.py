"""Alembic migrations of the centre's store."""
