"""The client of upstreams of kind `vcs`, and all clients as one."""

from entrepot.assembly.blueprint import Blueprint
from entrepot.config.discovery import ResolvedUpstream
from entrepot.config.version_control import read_logins, search_path
from entrepot.contracts.fetcher import Fetcher
from entrepot.upstream.client import AiohttpFetcher
from entrepot.upstream.health import Health
from entrepot.upstream.kinds import FetcherOfKinds
from entrepot.upstream.settings import ClientSettings
from entrepot.upstream.vcs import VcsFetcher
from entrepot.upstream.vcs_settings import VcsSettings


def with_version_control(http: AiohttpFetcher, blueprint: Blueprint, limits: ClientSettings, health: Health) -> Fetcher:
    """`http` alone, where no repository asks version control. Raises ConfigError."""
    known = blueprint.upstreams
    vcs = {name: _settings_of(one, blueprint) for name, one in known.items() if one.settings.kind == "vcs"}
    if not vcs:
        return http
    path = search_path(blueprint.environment)
    client = VcsFetcher(vcs, limits, health, blueprint.clock, blueprint.data / "run" / "vcs", path)
    return FetcherOfKinds({name: client if name in vcs else http for name in known})


def _settings_of(upstream: ResolvedUpstream, blueprint: Blueprint) -> VcsSettings:
    settings, environment = upstream.settings, blueprint.environment
    found = environment.get("HTTPS_PROXY", environment.get("https_proxy", ""))
    return VcsSettings(
        name=upstream.name,
        modules=settings.modules,
        owns=settings.owns,
        logins=read_logins(settings),
        ca_file=settings.ca_file,
        http_proxy=settings.http_proxy or (found if blueprint.settings.fetch.trust_env else ""),
        go_command=settings.go_command,
        timeout=settings.timeout,
        max_bytes=settings.max_size,
        max_commands=settings.max_commands,
    )
