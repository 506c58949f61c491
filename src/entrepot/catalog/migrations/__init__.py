"""How a catalog of an older version becomes one of this version."""

HEAD = "0010"
"""The newest revision. A catalog that carries this stamp is opened without loading alembic."""
