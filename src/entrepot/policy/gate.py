"""The one question: may this be had, and how? Everything that dates decide is in `cooldown`."""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from entrepot.model.resource import Kind, Resource
from entrepot.policy.cooldown import Cooldown
from entrepot.policy.modes import DownloadFile
from entrepot.policy.rules import Rule, RuleBook
from entrepot.policy.verdict import Download, Mode, Refusal, Verdict

UNMATCHED = 'unmatched = "deny"'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    """What rules and download file say together."""

    rule: Rule | None = None
    """The rule that matches."""
    excluded: str = ""
    """The filter that excludes it."""
    direct: str = ""
    download: Download
    doubt: str = ""
    """The rule, if any, that might have said otherwise, had the version been one that can be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One repository's policy. A rule that names a mode is stronger than the download file (its filters too), and that
    is stronger than the repository's own mode."""

    rules: RuleBook = field(default_factory=RuleBook)
    file: DownloadFile | None = None
    """The download file, where `mode` names one."""
    download: Download = field(default_factory=Download)
    """What a miss gets where neither a rule nor the file says so."""
    unmatched: Literal["allow", "deny"] = "allow"
    cooldown: Cooldown | None = None
    """None: no version is too young."""
    revision: str = ""
    """Changes with everything that decides what an index shows; part of a view's key."""

    def decide(self, resource: Resource) -> Verdict:
        """What policy says of a resource, dates left aside."""
        # Paths begin with a slash in rules, as they do in addresses.
        package, version, path = resource.about, resource.version, f"/{unquote(resource.key)}"
        word = self._ask(package, version, path)
        refusal = _refusal(word, package, version)
        if self.unmatched == "deny" and not self.rules.may_name(package, version, path):
            refusal = _unnamed(path)
        elif refusal is None and word.doubt and _stays_unknown(resource):
            refusal = _doubtful(word.doubt, package, version)
        return Verdict(
            refusal=refusal,
            direct=word.direct,
            download=word.download,
            overrides=word.rule.overrides if word.rule else None,
            rule=word.rule.name if word.rule else "",
            unversioned=bool(word.doubt and not version and _stays_unknown(resource)),
            undecided=bool(word.doubt and version and resource.kind is Kind.INDEX),
        )

    def hides(self, package: str, version: str) -> bool:
        """Whether a list leaves this version out."""
        return self.hidden_by(package, version) is not None

    def hidden_by(self, package: str, version: str) -> Refusal | None:
        """Why a list leaves this version out: a request for it would be refused, or never be fetched though others of
        the package are. Rules for some of its paths only do not matter."""
        word = self._ask(package, version, None)
        if refusal := _refusal(word, package, version):
            return refusal
        if self.unmatched == "deny" and not self.rules.may_name(package, version, None):
            return _unnamed(f"{package} {version}")
        if word.doubt:
            return _doubtful(word.doubt, package, version)
        if word.download.mode is Mode.NONE and self._ask(package, "", None).download.mode is not Mode.NONE:
            reason = f"{_subject(package, version)} is not fetched"
            return Refusal(kind="deny", rule=word.download.rule, reason=reason, status=404)
        return None

    def _ask(self, package: str, version: str, path: str | None) -> _Word:
        """`path`: None for what holds whatever the path."""
        look = self.rules.look(package, version, path)
        # Whether the first rule that matches makes the difference, even where it names no mode.
        decisive = look.rule.download is not None if look.rule else self.unmatched == "deny"
        doubt = next((rule.name for rule in look.doubtful if decisive or rule.download), "")
        if look.rule is not None and look.rule.download is not None:
            return _Word(rule=look.rule, download=look.rule.download, doubt=doubt)
        if self.file is None:
            return _Word(rule=look.rule, download=self.download, doubt=doubt)
        return _consult(self.file, package, version, look.rule, doubt)


def _consult(file: DownloadFile, package: str, version: str, rule: Rule | None, doubt: str) -> _Word:
    filters, chain = file.sift(package), file.choose(package)
    said, download = filters.of(version) if filters else None, chain.of(version)
    if filters and not filters.decides(version):
        doubt = doubt or filters.own.rule
    # Who is excluded or sent elsewhere never comes to the download blocks.
    if said and said.passage == "exclude":
        return _Word(rule=rule, excluded=said.rule, download=download, doubt=doubt)
    if said and said.passage == "direct":
        return _Word(rule=rule, direct=said.redirect_url, download=download, doubt=doubt)
    if not chain.decides(version):
        doubt = doubt or chain.own.rule
    return _Word(rule=rule, download=download, doubt=doubt)


def _stays_unknown(resource: Resource) -> bool:
    """Whether the version cannot be told later either: it is not a list, nor a question for one of its versions. A file
    of no version is none of a list of versions, unless an index names it."""
    if resource.version:
        return resource.kind is not Kind.INDEX
    return resource.kind is Kind.ARTIFACT and resource.listed_in is not None


def _refusal(word: _Word, package: str, version: str) -> Refusal | None:
    subject = _subject(package, version)
    if word.excluded:
        return Refusal(kind="exclude", rule=word.excluded, reason=f"{subject} is excluded")
    if not word.direct and word.download.mode is Mode.DENY:
        return Refusal(kind="deny", rule=word.download.rule, reason=f"{subject} is denied")
    return None


def _unnamed(subject: str) -> Refusal:
    return Refusal(
        kind="unmatched", rule=UNMATCHED, reason=f"no rule names {subject}, and what no rule names is denied"
    )


def _doubtful(rule: str, package: str, version: str) -> Refusal:
    reason = f"{_subject(package, version)} cannot be compared with the versions that a rule speaks of, so it is denied"
    return Refusal(kind="deny", rule=rule, reason=reason)


def _subject(package: str, version: str) -> str:
    return f"{package} {version}" if version else package or "this"
