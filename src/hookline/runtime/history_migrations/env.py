"""Alembic runs this file; the connection, and the transaction that all is done in, are its caller's."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
