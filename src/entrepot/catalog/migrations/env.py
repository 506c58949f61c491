"""What alembic runs: the revisions, on the connection that `upgrade` hands over."""

from alembic import context

from entrepot.catalog.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
