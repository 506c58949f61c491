"""What an examination found, and how it is told."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    FINE = "ok"
    NOTE = "note"
    """Worth knowing; nothing is wrong."""
    PROBLEM = "PROBLEM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    level: Level
    subject: str
    text: str
    remedy: str = ""
    """What to type or do; may have several lines."""


def fine(subject: str, text: str) -> Finding:
    return Finding(level=Level.FINE, subject=subject, text=text)


def note(subject: str, text: str, remedy: str = "") -> Finding:
    return Finding(level=Level.NOTE, subject=subject, text=text, remedy=remedy)


def problem(subject: str, text: str, remedy: str) -> Finding:
    return Finding(level=Level.PROBLEM, subject=subject, text=text, remedy=remedy)


def lines_of(findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        first, *rest = finding.text.splitlines() or [""]
        yield f"  {finding.level.value:7}  {finding.subject}: {first}"
        for line in (*rest, *finding.remedy.splitlines()):
            yield f"             {line}"
