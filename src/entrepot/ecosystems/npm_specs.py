"""What stands behind a package's name among dependencies: a range, a tag, another name, or a place of its own.

Source: https://github.com/npm/npm-package-arg.
"""

import re

from entrepot.ecosystems.npm_names import is_package, is_version
from entrepot.ecosystems.npm_ranges import parse_range

_FOLDER = re.compile(r"(?:file|link|portal|workspace|exec):|[./\\]|~[/\\]|[A-Za-z]:[/\\]")
_REPOSITORY = re.compile(r"git[+:@]|(?:github|gitlab|bitbucket|gist):|ssh:|[^/:@\s]+/[^/:@\s]+\Z|.*\.git(?:#|\Z)")


def read_spec(name: str, spec: str) -> tuple[str, str] | None:
    """The package's real name, and the range or tag that is wanted of it; None: it does not come from a registry."""
    spec = spec.strip()
    if spec.startswith("npm:"):
        name, spec = split_locator(spec.removeprefix("npm:"))
    comes = is_package(name) and ":" not in spec and "/" not in spec
    return (name, spec) if comes and (parse_range(spec) or is_version(spec)) else None


def split_locator(text: str) -> tuple[str, str]:
    """`name@rest`, where the name may begin with the @ of a scope."""
    name, _, rest = text[1:].partition("@")
    return text[:1] + name, rest


def source_of(spec: str) -> str:
    """What kind of place a text means, in words. The text itself may hold a password, and is not repeated."""
    if _FOLDER.match(spec):
        return "a folder or file of its own project"
    if _REPOSITORY.match(spec):
        return "a git repository"
    return "an address of its own" if "://" in spec else "no registry that we know of"
