"""What Alembic runs: the steps, on the connection that ``smartcity.store.migrate`` gives it."""

from alembic import context

from smartcity.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
