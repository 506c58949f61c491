"""What our bills of sessions say besides their components. Their reader and their writer agree here."""

from typing import Final

DOCUMENT: Final = "entrepot:document"
"""What was served and is no package: indexes, metadata, signatures. `sha256:… /REPOSITORY/KEY`."""
ABSENT: Final = "entrepot:absent"
"""What was asked for and does not exist: `/REPOSITORY/KEY`."""
INCOMPLETE: Final = "entrepot:incomplete"
"""Why something may be missing: a sentence."""


def place_of(repository: str, key: str) -> str:
    return f"/{repository}/{key}"


def split_place(place: str) -> tuple[str, str]:
    """Repository and stored key; both empty where it is no place."""
    slash, repository, key = place[:1], *place[1:].partition("/")[::2]
    return (repository, key) if slash == "/" and repository else ("", "")
