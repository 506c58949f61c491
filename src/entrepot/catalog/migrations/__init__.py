"""How a catalog of an older version becomes one of this version."""

HEAD = "0011"
"""The newest revision. A catalog that carries this stamp is opened without loading alembic."""
