"""Mirrored trees and what their listings said."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    return
