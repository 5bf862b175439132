"""Alembic runs this file: the connection comes from `cloud_receiver.database`, never from a configuration file."""

from alembic import context

from cloud_receiver import postgresql
from cloud_receiver.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
if connection.dialect.name == "postgresql":
    postgresql.order_text(connection)
