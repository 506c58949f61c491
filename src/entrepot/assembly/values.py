"""From settings to the values that the parts are made of."""

from collections.abc import Mapping
from ipaddress import ip_network

from entrepot.assembly.blueprint import Blueprint
from entrepot.assembly.policies import gate_of, warnings_of
from entrepot.cache.freshness import FreshnessRules
from entrepot.cache.repository import Repository
from entrepot.config.discovery import ResolvedUpstream
from entrepot.config.names import split_listener
from entrepot.config.policy import NetworkMode
from entrepot.config.repository import Repository as RepositorySettings
from entrepot.config.secrets import read_secret
from entrepot.config.settings import Settings
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.contracts.ecosystem import Limits as EcosystemLimits
from entrepot.model.names import Reservation, ReservedNames, parse_reservation
from entrepot.upstream.settings import Auth, AuthKind, Secret, UpstreamSettings
from entrepot.web.door import Identity


def repositories_of(blueprint: Blueprint) -> dict[str, Repository]:
    """Those with a known upstream."""
    made = {}
    for name, upstreams in blueprint.resolved.upstreams.items():
        settings = blueprint.settings.repositories[name]
        reserved = reserved_names(blueprint, name)
        ecosystem = blueprint.ecosystems[settings.ecosystem](blueprint.resolved.options[name], reserved)
        made[name] = Repository(
            name=name,
            ecosystem=ecosystem,
            upstreams=tuple(upstream.name for upstream in upstreams),
            rules=rules_of(settings, ecosystem, settings.network or blueprint.settings.network),
            limits=limits_of(blueprint.settings, ecosystem),
            verify_always=settings.verify == "always",
            gate=gate_of(blueprint, name, ecosystem),
            store=settings.store,
            offline_miss=404 if settings.offline_miss == "404" else 504,
            reserved=reserved,
            trees=tuple(tree.tree() for tree in settings.trees),
            listings=settings.listings,
        )
    return made


def check_policies(blueprint: Blueprint) -> list[str]:
    """Make everything of policy that a server makes, and forget it: warnings about what never counts. Raises
    ConfigError."""
    made = repositories_of(blueprint)
    return [warning for name, repository in made.items() for warning in warnings_of(name, repository.gate)]


def reserved_names(blueprint: Blueprint, name: str) -> ReservedNames:
    """The names that a repository keeps: its own, and those that any upstream for the same packages owns, also where
    that upstream belongs to another repository. Raises ConfigError."""
    settings = blueprint.settings.repositories
    own, ecosystem = settings[name], settings[name].ecosystem
    types = blueprint.ecosystems[ecosystem].purl_types
    found = [parse_reservation(text, types, f"repositories.{name}.reserved") for text in own.reserved]
    for repository, upstreams in blueprint.resolved.upstreams.items():
        if settings[repository].ecosystem != ecosystem:
            continue
        for upstream in upstreams:
            found += _claims_of(upstream)
    return ReservedNames(tuple(dict.fromkeys(found)))


def _claims_of(upstream: ResolvedUpstream) -> list[Reservation]:
    claims = {"owns": upstream.settings.owns, "modules": upstream.settings.modules}
    return [
        Reservation(text, f'upstreams.{upstream.name}.{key} "{text}"')
        for key, texts in claims.items()
        for text in texts
    ]


def rules_of(settings: RepositorySettings, ecosystem: Ecosystem, network: NetworkMode) -> FreshnessRules:
    freshness, stale = settings.freshness, settings.stale
    obey = settings.obey_no_store
    return FreshnessRules(
        mutable_ttl=freshness.mutable_ttl,
        immutable_ttl=freshness.immutable_ttl,
        conditional=freshness.revalidate == "conditional",
        negative_ttl=freshness.negative_ttl,
        while_revalidate=stale.while_revalidate,
        if_error=stale.if_error,
        patience=stale.patience,
        backoff=stale.error_backoff,
        gone=settings.on_gone,
        forbidden=settings.on_forbidden,
        obey_no_store=ecosystem.name == "generic" if obey is None else obey,
        honour_client_no_cache=settings.honour_client_no_cache,
        network=network,
    )


def upstreams_of(blueprint: Blueprint) -> dict[str, UpstreamSettings]:
    """Every http upstream of every repository by its name, secrets read. Raises ConfigError."""
    return {
        name: _upstream_settings(upstream, blueprint.environment)
        for name, upstream in blueprint.upstreams.items()
        if upstream.settings.kind == "http"
    }


def _upstream_settings(upstream: ResolvedUpstream, environment: Mapping[str, str]) -> UpstreamSettings:
    settings = upstream.settings
    auth = Auth()
    if settings.auth is not None:
        secret = Secret(read_secret(settings.auth, environment).get_secret_value())
        auth = Auth(
            kind=AuthKind(settings.auth.kind), secret=secret, user=settings.auth.username, header=settings.auth.name
        )
    hosts = settings.download_hosts
    return UpstreamSettings(
        name=upstream.name,
        url=settings.url,
        auth=auth,
        ca_file=settings.ca_file,
        http_proxy=settings.http_proxy,
        max_connections=settings.max_connections,
        owns=settings.owns,
        download_hosts=hosts if isinstance(hosts, tuple) else "index",
        token_realms=settings.token_realms,
        discovered=upstream.discovered,
    )


def identity_of(settings: Settings) -> Identity:
    return Identity(
        listen=split_listener(settings.server.listen),
        public_url=settings.server.public_url,
        allowed_hosts=settings.server.allowed_hosts,
        trusted_proxies=tuple(ip_network(network) for network in settings.server.trusted_proxies),
        tls=bool(settings.server.tls_certificate),
    )


def limits_of(settings: Settings, ecosystem: Ecosystem) -> EcosystemLimits:
    """The tighter of what the configuration and the ecosystem allow."""
    limits, own = settings.limits, ecosystem.limits
    artifacts = [cap for cap in (limits.artifact, own.artifact_bytes) if cap is not None]
    return EcosystemLimits(
        parsed_index_bytes=min(limits.parsed_index, own.parsed_index_bytes),
        rendered_index_bytes=min(limits.rendered_index, own.rendered_index_bytes),
        artifact_bytes=min(artifacts, default=None),
    )
