"""Side-by-side measurements, and the page of evidence.

python -m bench [NAME …] [--quick]        measure (without a name: everything that is measured side by side)
python -m bench CAMPAIGN …                run campaigns of tests/campaign and keep their tables
python -m bench record NAME COMMAND …     run a command that prints Markdown tables and keep these
python -m bench report                    write docs/evidence.md from what was kept
"""

import argparse
import shlex
import signal
import sys
from collections.abc import Callable
from dataclasses import replace

from bench.effort import FULL, QUICK, Effort
from bench.machine import Missing
from bench.measures import bill, cold, mirror, packument, rules, startup, warm
from bench.recorded import campaign, record
from bench.report import write_report
from bench.tables import OUT, Table

MEASURES: dict[str, Callable[[Effort], list[Table]]] = {
    "warm": warm.measure,
    "cold": cold.measure,
    "packument": packument.measure,
    "startup": startup.measure,
    "rules": rules.measure,
    "bill": bill.measure,
    "mirror": mirror.measure,
}
CAMPAIGNS = (
    "upstream",
    "herd",
    "resets",
    "crash",
    "local",
    "slow",
    "catalog_size",
    "many_rules",
    "tree",
    "mirror_many",
    "image",
    "apt_generations",
    "dnf_generations",
)
BY_DEFAULT = (*MEASURES, "catalog_size", "many_rules")


def main(arguments: list[str]) -> int:
    # Servers are stopped on the way out, however this ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if arguments[:1] == ["record"]:
        name, *command = arguments[1:]
        return _keep(name, lambda: record(name, command, shlex.join(command)), quick=False)
    if arguments == ["report"]:
        write_report()
        return 0
    options = _parse(arguments)
    effort = QUICK if options.quick else FULL
    effort = replace(effort, rounds=options.rounds or effort.rounds, seconds=options.seconds or effort.seconds)
    return max(_measure(name, effort) for name in options.names or BY_DEFAULT)


def _parse(arguments: list[str]) -> argparse.Namespace:
    known = (*MEASURES, *CAMPAIGNS)
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--quick", action="store_true", help="few and short rounds: a glance that is not kept")
    parser.add_argument("--rounds", type=int, help="alternating rounds of each comparison")
    parser.add_argument("--seconds", type=int, help="of one round of load")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}, record and report")
    return options


def _measure(name: str, effort: Effort) -> int:
    if name in CAMPAIGNS:
        return _keep(name, lambda: campaign(name), quick=False)
    return _keep(name, lambda: MEASURES[name](effort), quick=effort.quick)


def _keep(name: str, work: Callable[[], list[Table]], *, quick: bool) -> int:
    """The exit code: 1 where a bar was missed or nothing could be measured."""
    try:
        tables = work()
    except Missing as error:
        print(f"{name}: not measured: {error}", file=sys.stderr)
        return 1
    for table in tables:
        table.save(OUT / "quick" if quick else OUT)
        if name not in CAMPAIGNS:
            print(f"\n{table.text()}\n", flush=True)
    if not quick:
        write_report()
    return int(any("missed" in cell for table in tables for row in table.rows for cell in row))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
