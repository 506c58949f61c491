"""`python -m tests.live [CLIENT …]`: exit 0 when every bar is met, 1 when not, 2 when it cannot be tried here."""

import sys
import tempfile
from pathlib import Path

from tests.live.clients import CLIENTS
from tests.live.namespace import CannotIsolateError, Namespace
from tests.live.report import bars, markdown
from tests.live.rounds import Trial, try_client

REPORT = Path(__file__).parents[2] / "bench" / "out" / "live.md"


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(CLIENTS))
    if unknown:
        print(f"no such client: {', '.join(unknown)}; there are: {', '.join(CLIENTS)}", file=sys.stderr)
        return 2
    try:
        with Namespace() as namespace:
            if not namespace.is_sealed():
                raise CannotIsolateError(f"the namespace has a way out: {', '.join(namespace.routes())}")
            trials = _trials(names or list(CLIENTS), namespace)
    except CannotIsolateError as error:
        print(f"make live cannot keep clients away from the registries here: {error}", file=sys.stderr)
        return 2
    text = markdown(trials)
    print(text)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(text)
    return 0 if all(good for good, _ in bars(trials)) else 1


def _trials(names: list[str], namespace: Namespace) -> list[Trial]:
    trials = []
    work = Path(tempfile.gettempdir()) / "entrepot-live"
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        trials.append(try_client(CLIENTS[name], namespace, work / name))
        for run in trials[-1].runs:
            said = "ok" if not run.failure else run.failure
            print(f"  {run.name}: {run.seconds:.1f} s, {len(run.lock)} locked, {said}", file=sys.stderr, flush=True)
            for name_asked in sorted(set(run.lookups)):
                print(f"    looked up elsewhere: {name_asked}", file=sys.stderr)
    return trials


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
