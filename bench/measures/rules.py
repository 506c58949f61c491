"""How long policy takes to decide, with many rules and a name never seen before each time."""

import random
import statistics
import string
import time

from bench.effort import Effort
from bench.tables import Table, verdict
from entrepot.model.constraints import parse_constraint
from entrepot.model.patterns import parse_regex
from entrepot.model.resource import Kind, Resource
from entrepot.model.versions import SEMVER
from entrepot.policy.gate import Gate
from entrepot.policy.patterns import PackagePattern
from entrepot.policy.rules import Rule, RuleBook, Selector
from entrepot.policy.verdict import Download, Mode

RULES = 1000
DECISIONS, QUICK_DECISIONS = 50_000, 10_000
BAR_MICROSECONDS = 20.0


def measure(effort: Effort) -> list[Table]:
    decisions = QUICK_DECISIONS if effort.quick else DECISIONS
    note = (
        f"{decisions:,} decisions of a gate, each about a package and a path that it never saw; 45 % are named "
        "by a rule. Half of the rules are expressions on paths, half are globs on packages, and a third of all compare "
        "versions too. Nothing is warmed up: the first decisions take longest."
    )
    table = Table(
        name="rules",
        title="Decisions by rules",
        command="make bench ARGS=rules",
        columns=["rules", "mean", "median", "p99", "slowest", "bar", "verdict"],
        notes=[note],
    )
    for count in (0, RULES):
        chance = random.Random(count)
        book = RuleBook([_rule(chance, number) for number in range(count)])
        found = _microseconds(Gate(rules=book), [_resource(chance, number, count) for number in range(decisions)])
        mean = statistics.mean(found)
        percentiles = statistics.quantiles(found, n=100)
        shown = [f"{value:.1f} µs" for value in (mean, statistics.median(found), percentiles[98], max(found))]
        bar = [f"mean ≤ {BAR_MICROSECONDS:g} µs", verdict(mean <= BAR_MICROSECONDS)] if count else ["", ""]
        table.rows.append([f"{count:,}", *shown, *bar])
        table.raw[f"{count} rules, percentiles in µs"] = percentiles
    return [table]


def _microseconds(gate: Gate, resources: list[Resource]) -> list[float]:
    found = []
    for resource in resources:
        began = time.perf_counter_ns()
        gate.decide(resource)
        found.append((time.perf_counter_ns() - began) / 1000)
    return found


def _rule(chance: random.Random, number: int) -> Rule:
    word, short = _word(chance, 6), _word(chance, 3)
    path = (
        f"/@{_scope(number)}/.*-[0-9]+\\.[0-9]+.*\\.tgz",
        f".*/{word}/refs/tags/.*",
        f".*{word}.*",
        f"/(?i:{word}/.*\\.(zip|gz)|{short}/(a|b)+/.*[0-9]{{4}}-[0-9]{{2}})",
    )[number // 2 % 4]
    glob = (f"@{_scope(number)}", f"{word}-*", f"@{word}/*", f"{short}?[a-m]*")[number // 2 % 4]
    selector = Selector(
        package=PackagePattern.parse(glob, ("npm",), "bench") if number % 2 else None,
        path=None if number % 2 else parse_regex(path, "bench"),
        version=parse_constraint(f">={number % 9}.5", SEMVER, "bench") if number % 3 == 0 else None,
    )
    return Rule(selector=selector, name=f"rules[{number}]", download=Download(mode=Mode.NONE))


def _resource(chance: random.Random, number: int, count: int) -> Resource:
    # Of eight rules in a row the first two have a scope's name in them, one as a path and one as a package.
    scope = _scope(chance.randrange(count // 8) * 8 + chance.randrange(2)) if count and number % 2 else _word(chance, 7)
    package = f"@{scope}/{_word(chance, 3)}-{_word(chance, 5)}"
    version = f"{chance.randrange(9)}.{chance.randrange(99)}.{chance.randrange(99)}"
    key = f"{package}/-/{package.rpartition('/')[2]}-{version}.tgz"
    return Resource(key=key, path=key, kind=Kind.ARTIFACT, about=package, version=version)


def _scope(number: int) -> str:
    return f"scope{number}"


def _word(chance: random.Random, length: int) -> str:
    return "".join(chance.choices(string.ascii_lowercase, k=length))
