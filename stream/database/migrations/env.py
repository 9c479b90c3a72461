"""Alembic's environment: it is run by `stream.database.migrate`, which hands it the connection."""

from alembic import context

from stream.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
