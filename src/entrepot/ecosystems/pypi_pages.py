"""The page of one project: the model behind both representations, and its JSON (PEP 691, 700, 708, 714, 740, 792)."""

from datetime import UTC, datetime

import msgspec

from entrepot.errors import UnreadableIndex


class ListedFile(msgspec.Struct, kw_only=True, rename="kebab", omit_defaults=True, gc=False):
    """One file; values as the index spells them."""

    filename: str
    url: str
    hashes: dict[str, str]
    requires_python: str | None = None
    core_metadata: bool | dict[str, str] | None = None
    dist_info_metadata: bool | dict[str, str] | None = None
    """What `core_metadata` was called before PEP 714: read, never written."""
    size: int | None = None
    upload_time: str | None = None
    yanked: bool | str | None = None
    provenance: str | None = None
    gpg_sig: bool | None = None

    def __post_init__(self) -> None:
        if self.core_metadata is None:
            self.core_metadata = self.dist_info_metadata
        self.dist_info_metadata = None

    @property
    def has_metadata(self) -> bool:
        """Whether the metadata can be had beside the file; an empty table of hashes also says so."""
        return self.core_metadata is not None and self.core_metadata is not False

    @property
    def published(self) -> datetime | None:
        """The upload time; None where there is none or it cannot be read."""
        try:
            moment = datetime.fromisoformat(self.upload_time or "")
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Meta(msgspec.Struct, kw_only=True, rename="kebab", omit_defaults=True):
    api_version: str
    tracks: list[str] = []


class Status(msgspec.Struct, kw_only=True, omit_defaults=True):
    status: str
    reason: str | None = None


class Page(msgspec.Struct, kw_only=True, rename="kebab", omit_defaults=True):
    meta: Meta
    name: str
    files: list[ListedFile]
    versions: list[str] | None = None
    alternate_locations: list[str] = []
    project_status: Status | None = None


def read_json(body: bytes, url: str) -> Page:
    """Raises UnreadableIndex."""
    try:
        page = msgspec.json.decode(body, type=Page)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnreadableIndex(f"{url}: this is no JSON page of a project: {error}") from error
    return checked_version(page, url)


def write_json(page: Page) -> bytes:
    return msgspec.json.encode(page)


def checked_version(page: Page, url: str) -> Page:
    """Raises UnreadableIndex for a major API version other than 1 (PEP 629)."""
    if page.meta.api_version.partition(".")[0] != "1":
        raise UnreadableIndex(f"{url}: API version {page.meta.api_version!r} is not one we can read")
    return page
