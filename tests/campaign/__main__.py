"""The long rounds: `python -m tests.campaign NAME [ARGUMENTS]`, or all of them without a name."""

import importlib
import sys
from collections.abc import Callable

NAMES = (
    *("upstream", "herd", "resets", "crash", "local", "slow", "catalog_size", "many_rules", "tree"),
    *("apt_generations", "dnf_generations", "mirror_many", "image"),
)


def main(arguments: list[str]) -> int:
    """Each campaign is a module with `main(arguments) -> int`; the exit code is the worst of theirs."""
    names = arguments[:1] or list(NAMES)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"unknown campaign {unknown[0]}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    return max(_run(name, arguments[1:]) for name in names)


def _run(name: str, arguments: list[str]) -> int:
    print(f"{name}:", flush=True)
    campaign: Callable[[list[str]], int] = importlib.import_module(f"tests.campaign.{name}").main
    return campaign(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
