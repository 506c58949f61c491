"""`python -m tests.live [CLIENT … | as_of]`: exit 0 when every bar is met, 1 when not, 2 when it cannot be tried.

`as_of` is no client: it compares dated views with what clients resolve by their own options (tests/live/as_of.py).
"""

import sys
import tempfile
from pathlib import Path

from tests.live import as_of
from tests.live.clients import CLIENTS
from tests.live.namespace import CannotIsolateError, Namespace
from tests.live.report import bars, markdown
from tests.live.rounds import Trial, try_client

REPORT = Path(__file__).parents[2] / "bench" / "out" / "live.md"
WORK = Path(tempfile.gettempdir()) / "entrepot-live"


def main(names: list[str]) -> int:
    known = [*CLIENTS, as_of.NAME]
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"no such client: {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    names = names or known
    try:
        with Namespace() as namespace:
            if not namespace.is_sealed():
                raise CannotIsolateError(f"the namespace has a way out: {', '.join(namespace.routes())}")
            trials = _trials([name for name in names if name in CLIENTS], namespace)
            rows = as_of.try_as_of(namespace, WORK / as_of.NAME) if as_of.NAME in names else []
    except CannotIsolateError as error:
        print(f"make live cannot keep clients away from the registries here: {error}", file=sys.stderr)
        return 2
    if trials:
        text = markdown(trials)
        print(text)
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(text)
    if rows:
        print(as_of.markdown(rows))
    good = all(good for good, _ in bars(trials)) and all(row.is_same for row in rows)
    return 0 if good else 1


def _trials(names: list[str], namespace: Namespace) -> list[Trial]:
    trials = []
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        trials.append(try_client(CLIENTS[name], namespace, WORK / name))
        for run in trials[-1].runs:
            said = "ok" if not run.failure else run.failure
            print(f"  {run.name}: {run.seconds:.1f} s, {len(run.lock)} locked, {said}", file=sys.stderr, flush=True)
            for name_asked in sorted(set(run.lookups)):
                print(f"    looked up elsewhere: {name_asked}", file=sys.stderr)
    return trials


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
