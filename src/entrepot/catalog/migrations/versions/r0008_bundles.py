"""Bundles that were written and taken over."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    return
