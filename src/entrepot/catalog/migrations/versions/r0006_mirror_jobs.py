"""Mirror jobs, their items, and pins."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    return
