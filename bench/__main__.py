"""Side-by-side measurements: `python -m bench [NAME …] [--quick]`, and `python -m bench report`."""

import argparse
import importlib
import sys
from dataclasses import replace

from bench.effort import FULL, QUICK
from bench.machine import Missing
from bench.report import write_report

MEASURES = ("warm", "cold", "packument", "startup", "catalog")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(MEASURES)} (default: all) or report")
    parser.add_argument("--quick", action="store_true", help="few and short rounds: a glance, not a figure")
    parser.add_argument("--rounds", type=int, help="alternating rounds of each comparison")
    parser.add_argument("--seconds", type=int, help="of one round of load")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - {*MEASURES, "report"}:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)} and report")
    effort = QUICK if options.quick else FULL
    effort = replace(effort, rounds=options.rounds or effort.rounds, seconds=options.seconds or effort.seconds)
    status = 0
    for name in [name for name in options.names if name != "report"] or ([] if options.names else MEASURES):
        try:
            for table in importlib.import_module(f"bench.measures.{name}").measure(effort):
                table.save()
                print(f"\n{table.text()}\n", flush=True)
        except Missing as error:
            print(f"{name}: not measured: {error}", file=sys.stderr)
            status = 1
    write_report()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
