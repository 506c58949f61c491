"""From settings to the policy of each repository: patterns compiled, and every rule with the place it stands at."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from entrepot.assembly.blueprint import Blueprint
from entrepot.config.addresses import is_ours
from entrepot.config.policy import Rule as RuleSettings
from entrepot.config.positions import Key
from entrepot.config.repository import Repository as RepositorySettings
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.errors import ConfigError
from entrepot.model.constraints import Constraint, parse_constraint
from entrepot.model.patterns import Regex, parse_regex
from entrepot.policy.cooldown import Cooldown, Exemption, PackageAge
from entrepot.policy.gate import Gate
from entrepot.policy.hcl import Surroundings, load_mode
from entrepot.policy.modes import DownloadFile
from entrepot.policy.patterns import PackagePattern
from entrepot.policy.rules import Rule, RuleBook, Selector
from entrepot.policy.verdict import Download, Mode, Overrides


def gate_of(blueprint: Blueprint, name: str, ecosystem: Ecosystem) -> Gate:
    """Raises ConfigError: where it stands, what is wrong, what to do."""
    return _Maker(blueprint, name, ecosystem).gate()


def warnings_of(name: str, gate: Gate) -> list[str]:
    """What is no mistake and does nothing."""
    return [f"{name}: {warning}" for warning in (*(gate.file.warnings if gate.file else ()), *gate.rules.overlaps())]


@dataclass(frozen=True, slots=True)
class _Place:
    """A setting, as messages and rules name it."""

    where: str
    dotted: str

    def __str__(self) -> str:
        return f"{self.where}: {self.dotted}"

    @property
    def rule(self) -> str:
        """As clients are told: where our files are is nobody's business."""
        return f"{self.where.rpartition('/')[2]} {self.dotted}"


class _Maker:
    def __init__(self, blueprint: Blueprint, name: str, ecosystem: Ecosystem) -> None:
        self._blueprint, self._name, self._ecosystem = blueprint, name, ecosystem
        self._settings: RepositorySettings = blueprint.settings.repositories[name]
        self._read: list[str] = []
        """What was read besides the settings."""

    def gate(self) -> Gate:
        settings = self._settings
        said = load_mode(settings.mode, self._read_file, self._surroundings(), str(self._place("mode")))
        file = said if isinstance(said, DownloadFile) else None
        return Gate(
            rules=RuleBook([self._rule(number, rule) for number, rule in enumerate(settings.rules)]),
            file=file,
            download=Download(
                mode=said if isinstance(said, Mode) else Mode.SYNC,
                redirect_url=settings.redirect_url,
                redirect_status=settings.redirect_status,
                rule=self._place("mode").rule,
            ),
            unmatched=self._unmatched(),
            cooldown=self._cooldown(),
            revision=self._revision(),
        )

    def _place(self, *key: str | int) -> _Place:
        whole: Key = ("repositories", self._name, *key)
        return _Place(self._blueprint.sources.nearest(whole), _dotted(whole))

    def _surroundings(self) -> Surroundings:
        kind, server = self._ecosystem, self._blueprint.settings.server
        return Surroundings(
            order=kind.versions,
            purl_types=kind.purl_types,
            spell=kind.pattern_of,
            upstreams=self._blueprint.upstreams,
            redirect_status=self._settings.redirect_status,
            is_ours=lambda url: is_ours(url, server),
        )

    def _read_file(self, path: str) -> str:
        """A path is relative to the configuration."""
        beside = self._blueprint.sources.file
        whole = (beside.parent if beside else Path()) / Path(path).expanduser()
        self._read.append(whole.read_text(encoding="utf-8"))
        return self._read[-1]

    def _revision(self) -> str:
        shown = self._settings.model_dump_json(include={"mode", "redirect_url", "rules", "unmatched", "cooldown"})
        parts = (shown, str(self._blueprint.settings.cooldown.default), *self._read)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def _unmatched(self) -> Literal["allow", "deny"]:
        """An ecosystem that classes paths refuses by itself: it also knows what is named without a rule."""
        settings = self._settings
        if "unmatched" not in self._ecosystem.option_names:
            return settings.unmatched
        for number, rule in enumerate(settings.rules):
            if settings.unmatched == "deny" and not rule.path:
                raise ConfigError(
                    f'{self._place("rules", number)}: with unmatched = "deny" a rule for {self._ecosystem.name} needs '
                    "path; it would allow nothing"
                )
        return "allow"

    # --- rules ------------------------------------------------------------------------------------------------------

    def _rule(self, number: int, rule: RuleSettings) -> Rule:
        place = self._place("rules", number)
        selector = Selector(
            package=self._pattern(rule.package, "rules", number, "package") if rule.package else None,
            version=self._constraint(rule.version, "rules", number, "version"),
            path=self._expression(rule.path, number),
        )
        download = self._download(rule, place.rule) if rule.names_download else None
        return Rule(selector=selector, name=place.rule, overrides=_overrides(rule), download=download)

    def _download(self, rule: RuleSettings, name: str) -> Download:
        """What the rule leaves out, the repository says."""
        settings = self._settings
        return Download(
            mode=Mode(rule.mode or settings.mode),
            redirect_url=rule.redirect_url or settings.redirect_url,
            redirect_status=rule.redirect_status or settings.redirect_status,
            upstream=self._upstream(rule.upstream),
            rule=name,
        )

    def _upstream(self, name: str) -> str:
        """`default` stands for what was discovered."""
        resolved = self._blueprint.resolved.upstreams[self._name]
        return resolved[0].name if name == "default" and name not in self._blueprint.settings.upstreams else name

    def _expression(self, text: str, number: int) -> Regex | None:
        return parse_regex(text, str(self._place("rules", number, "path"))) if text else None

    def _pattern(self, text: str, *key: str | int) -> PackagePattern:
        kind = self._ecosystem
        return PackagePattern.parse(text, kind.purl_types, str(self._place(*key)), kind.pattern_of)

    def _constraint(self, text: str, *key: str | int) -> Constraint | None:
        return parse_constraint(text, self._ecosystem.versions, str(self._place(*key))) if text else None

    # --- ages -------------------------------------------------------------------------------------------------------

    def _cooldown(self) -> Cooldown | None:
        """None where no version can be too young."""
        settings, general = self._settings.cooldown, self._blueprint.settings.cooldown.default
        default = general if settings.default is None else settings.default
        # Read in any case: what cannot be read stops the start also where nothing is too young.
        packages, exceptions = tuple(self._ages()), tuple(self._exemptions())
        if not (default or any(settings.packages.values()) or settings.as_of):
            return None
        own = _Place(self._blueprint.sources.nearest(("cooldown", "default")), "cooldown.default")
        return Cooldown(
            default=default,
            rule=(own if settings.default is None else self._place("cooldown", "default")).rule,
            packages=packages,
            exceptions=exceptions,
            unknown_date=settings.unknown_date,
            baseline=settings.baseline,
            as_of=settings.as_of,
            as_of_rule=self._place("cooldown", "as_of").rule,
        )

    def _ages(self) -> Iterator[PackageAge]:
        for text, seconds in self._settings.cooldown.packages.items():
            place = self._place("cooldown", "packages", text)
            yield PackageAge(
                pattern=self._pattern(text, "cooldown", "packages", text), seconds=seconds, rule=place.rule
            )

    def _exemptions(self) -> Iterator[Exemption]:
        for number, exception in enumerate(self._settings.cooldown.exceptions):
            key = ("cooldown", "exceptions", number)
            yield Exemption(
                pattern=self._pattern(exception.package, *key, "package"),
                versions=self._constraint(exception.version, *key, "version"),
                reason=exception.reason,
                until=exception.until,
                rule=self._place(*key).rule,
            )


def _overrides(rule: RuleSettings) -> Overrides | None:
    overrides = Overrides(
        klass=rule.klass,
        mutable_ttl=rule.mutable_ttl,
        immutable_ttl=rule.immutable_ttl,
        conditional=None if rule.revalidate is None else rule.revalidate == "conditional",
        while_revalidate=rule.while_revalidate,
        if_error=rule.if_error,
    )
    return None if overrides == Overrides() else overrides


def _dotted(key: Key) -> str:
    """`repositories.npm.rules[0].path`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
