"""What a configuration would have refused of the requests in an access log."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from entrepot.assembly import Blueprint, Workshop
from entrepot.cli.tables import count_text
from entrepot.errors import ConfigError, PolicyError

EXAMPLES = 3


class _Line(msgspec.Struct):
    time: datetime
    path: str
    status: int
    repository: str = ""


@dataclass(slots=True)
class _Refusals:
    requests: int = 0
    examples: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """What became of a log's requests."""

    requests: int = 0
    """Those that were answered."""
    foreign: int = 0
    """Of repositories or paths that this configuration does not have."""
    unknown: int = 0
    rules: dict[str, _Refusals] = field(default_factory=dict)

    def refuse(self, error: PolicyError) -> None:
        refusals = self.rules.setdefault(error.rule or error.code, _Refusals())
        refusals.requests += 1
        if len(refusals.examples) < EXAMPLES:
            refusals.examples[str(error)] = None


class _RecordedClock:
    """Shows the time of the request that is looked at."""

    def __init__(self) -> None:
        self.moment = datetime.fromtimestamp(0, UTC)

    def now(self) -> datetime:
        return self.moment

    def timestamp(self) -> float:
        return self.moment.timestamp()


def rehearse(blueprint: Blueprint, log: Path) -> Outcome:
    """By what the data directory has stored; no upstream is asked. Raises ConfigError where the log cannot be read."""
    clock = _RecordedClock()
    settings = blueprint.settings.model_copy(
        update={
            "network": "offline",
            "repositories": {
                name: repository.model_copy(update={"network": "offline"})
                for name, repository in blueprint.settings.repositories.items()
            },
        }
    )
    return asyncio.run(_rehearse(replace(blueprint, settings=settings, clock=clock), clock, log))


async def _rehearse(blueprint: Blueprint, clock: _RecordedClock, log: Path) -> Outcome:
    workshop, outcome = Workshop(blueprint), Outcome()
    try:
        for line in _lines(log):
            clock.moment = line.time
            # Behind the name of its mount, whatever stands before that (a session, a day).
            path = line.path.partition(f"/{line.repository}/")[2]
            judged = await workshop.rehearsal.judge(line.repository, path)
            outcome.requests += 1
            if judged is None:
                outcome.foreign += 1
            elif judged.refusal is not None:
                outcome.refuse(judged.refusal)
            else:
                outcome.unknown += judged.unknown
    finally:
        await workshop.close()
    return outcome


def _lines(log: Path) -> Iterator[_Line]:
    decode = msgspec.json.Decoder(_Line).decode
    try:
        with log.open("rb") as file:
            for number, text in enumerate(file, start=1):
                try:
                    line = decode(text)
                except msgspec.MsgspecError as error:
                    raise ConfigError(f"{log}:{number}: no line of an access log of ours: {error}") from error
                if line.repository and line.status < 400:
                    yield line
    except OSError as error:
        raise ConfigError(f"{log} cannot be read: {error.strerror}") from error


def lines_of(outcome: Outcome) -> Iterator[str]:
    """For people."""
    refused = sum(refusals.requests for refusals in outcome.rules.values())
    yield f"{count_text(outcome.requests, 'answered request')}: {refused} would have been refused"
    for rule, refusals in sorted(outcome.rules.items(), key=lambda item: -item[1].requests):
        yield f"{refusals.requests:8}  {rule}"
        yield from (f"          {example}" for example in refusals.examples)
    if outcome.unknown:
        yield f"{outcome.unknown:8}  could not be judged: their age is not in the store of this data directory"
    if outcome.foreign:
        yield f"{outcome.foreign:8}  were for repositories or paths that this configuration does not have"
