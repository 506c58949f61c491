"""Which packages a rule speaks of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagePattern:
    text: str

    def matches(self, package: str) -> bool:
        raise NotImplementedError
