"""Where dist-tags point when the version they named may not be seen."""

from collections.abc import Iterable, Mapping

from entrepot.model.versions import Semver, parse_semver


def repoint(tags: Mapping[str, str], shown: Iterable[str], hidden: frozenset[str]) -> dict[str, str]:
    """The tags as they are without the hidden versions.

    A tag whose version is hidden goes to the highest shown version of the same prerelease channel below it; `latest`
    takes any stable one, then any, before it is given up; other tags without a candidate are dropped.
    """
    known = ((parse_semver(version), version) for version in shown)
    ranked = sorted(((semver, version) for semver, version in known if semver), reverse=True)
    found = {}
    for tag, version in tags.items():
        target = _lower(tag, version, ranked) if version in hidden else version
        if target is not None:
            found[tag] = target
    return found


def _lower(tag: str, version: str, ranked: list[tuple[Semver, str]]) -> str | None:
    old = parse_semver(version)
    if old is None:
        return None
    below = [(semver, name) for semver, name in ranked if not old < semver]
    choices = [name for semver, name in below if _channel_of(semver) == _channel_of(old)]
    if tag == "latest":
        choices += [name for semver, name in below if not semver.prerelease]
        choices += [name for _, name in below]
    return choices[0] if choices else None


def _channel_of(version: Semver) -> str | None:
    """The word that a prerelease begins with ("beta"); empty where that is a number; None for a stable version."""
    if not version.prerelease:
        return None
    first = version.prerelease.partition(".")[0]
    return "" if first.isdigit() else first
