"""Alembic runs this file: the connection comes from `cloud_receiver.database`, never from a configuration file."""

from alembic import context

from cloud_receiver.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
