"""What was served in a session."""

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    return
