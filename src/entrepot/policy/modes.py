"""The download file: what a miss gets, by package and version (policy §3)."""

from dataclasses import dataclass

from entrepot.policy.verdict import Download


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What holds for one package."""

    own: Download = Download()

    def of(self, version: str) -> Download:
        """What a miss of this version gets."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadFile:
    default: Chain = Chain()

    def choose(self, package: str) -> Chain:
        raise NotImplementedError
