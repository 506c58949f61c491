"""The ways into repositories besides their paths: data, made from settings, that `web` looks requests up in."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from entrepot.assembly.blueprint import Blueprint
from entrepot.cache.repository import Repository
from entrepot.errors import ConfigError
from entrepot.web.forward import Archive, Forward
from entrepot.web.mounts import Way
from entrepot.web.roots import Root


def ways_of(blueprint: Blueprint, repositories: Mapping[str, Repository]) -> tuple[Way, ...]:
    """Raises ConfigError."""
    by_segment: dict[str, dict[str, Repository]] = {}
    for name, repository in repositories.items():
        if repository.ecosystem.root_path:
            by_segment.setdefault(repository.ecosystem.root_path, {})[name] = repository
    mirror = blueprint.settings.server.registry_mirror
    if mirror and not any(mirror in known for known in by_segment.values()):
        where = blueprint.sources.nearest(("server", "registry_mirror"))
        raise ConfigError(
            f"{where}: registry_mirror = {mirror!r} is no repository of images with a known upstream; "
            'write the name of a repository with ecosystem = "oci"'
        )
    hosts = hosts_of(blueprint, repositories)
    roots = (
        Root(
            segment=segment,
            repositories=known,
            hosts={host: name for name in reversed(known) for host in hosts[name]},
            otherwise=mirror if mirror in known else "",
        )
        for segment, known in by_segment.items()
    )
    archives = archives_of(blueprint, repositories)
    return (*([Forward(archives)] if archives else []), *roots)


def archives_of(blueprint: Blueprint, repositories: Mapping[str, Repository]) -> dict[str, tuple[Archive, ...]]:
    """What clients may ask of us as their proxy, by host; of several at one host the longest paths first: another
    repository may have other rules for what is below."""
    found: dict[str, tuple[Archive, ...]] = {}
    for name, repository in repositories.items():
        for upstream in blueprint.resolved.upstreams[name] if repository.ecosystem.proxied else ():
            parts = urlsplit(upstream.settings.url)
            if parts.scheme == "http":
                host = parts.netloc.rpartition("@")[2].lower().removesuffix(":80")
                archive = Archive(repository=repository, path=parts.path.rstrip("/"))
                found[host] = (*found.get(host, ()), archive)
    return {host: tuple(sorted(known, key=lambda one: -len(one.path))) for host, known in found.items()}


def hosts_of(blueprint: Blueprint, repositories: Mapping[str, Repository]) -> dict[str, list[str]]:
    """The hosts (with a port where there is one) by which what repositories serve is called, of those whose packages
    are."""
    found = {}
    for name, repository in repositories.items():
        if repository.ecosystem.root_path or repository.ecosystem.proxied:
            upstreams = blueprint.resolved.upstreams[name]
            urls = [urlsplit(one.settings.url) for one in upstreams]
            # What a client asks by https, it asks its proxy for a tunnel for.
            reached = [url for url in urls if url.scheme == "http" or not repository.ecosystem.proxied]
            own = [url.netloc.rpartition("@")[2].lower() for url in reached]
            found[name] = list(dict.fromkeys([*repository.ecosystem.stands_for, *own]))
    return found
