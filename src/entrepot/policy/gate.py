"""The one question: may this be had, and how? Everything that dates decide is in `cooldown`."""

from dataclasses import dataclass
from typing import Literal

from entrepot.model.resource import Resource
from entrepot.policy.cooldown import Cooldown
from entrepot.policy.modes import DownloadFile
from entrepot.policy.rules import RuleBook
from entrepot.policy.verdict import Download, Mode, Refusal, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One repository's policy."""

    rules: RuleBook = RuleBook()
    file: DownloadFile | None = None
    """The download file, where `mode` names one."""
    download: Download = Download()
    """What a miss gets where neither a rule nor the file says so."""
    unmatched: Literal["allow", "deny"] = "allow"
    cooldown: Cooldown | None = None
    """None: no version is too young."""
    revision: str = ""
    """Changes with everything that decides what an index shows; part of a view's key."""

    def decide(self, resource: Resource) -> Verdict:
        """What policy says of a resource, dates left aside."""
        if self.rules or self.file:
            raise NotImplementedError
        if self.download.mode is Mode.DENY:
            reason = "downloads are denied here"
            return Verdict(refusal=Refusal(kind="deny", rule=self.download.rule, reason=reason))
        return Verdict(download=self.download)

    def hides(self, package: str, version: str) -> bool:
        """Whether a list leaves this version out: a request for it would be refused, or never be fetched
        (`deny`, `none` and `exclude` for this version)."""
        raise NotImplementedError
