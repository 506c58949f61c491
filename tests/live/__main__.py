"""`python -m tests.live [CLIENT …] [as_of] [mirror]`: exit 0 when every bar is met, 1 if not, 2 if it cannot be tried.

Two are no clients: `as_of` compares dated views with what clients resolve by their own options (tests/live/as_of.py);
`mirror` mirrors, pulls the plug and installs (tests/live/mirrored.py), with `mirror CLIENT …` for these clients only.
"""

import sys
import tempfile
from pathlib import Path

from tests.live import as_of, mirrored
from tests.live.clients import CLIENTS
from tests.live.namespace import CannotIsolateError, Namespace
from tests.live.report import bars, markdown
from tests.live.rounds import Trial, try_client

REPORT = Path(__file__).parents[2] / "bench" / "out" / "live.md"
WORK = Path(tempfile.gettempdir()) / "entrepot-live"


def main(names: list[str]) -> int:
    known = [*CLIENTS, as_of.NAME, mirrored.NAME]
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"no such client: {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    names = names or known
    # After `mirror`, clients are those to mirror for.
    some = names[names.index(mirrored.NAME) + 1 :] if mirrored.NAME in names else []
    tried = [name for name in names if name in CLIENTS and name not in some]
    try:
        with Namespace() as namespace:
            if not namespace.is_sealed():
                raise CannotIsolateError(f"the namespace has a way out: {', '.join(namespace.routes())}")
            trials = _trials(tried, namespace)
            rows = as_of.try_as_of(namespace, WORK / as_of.NAME) if as_of.NAME in names else []
            mirrors = mirrored.try_mirror(namespace, WORK / mirrored.NAME, some) if mirrored.NAME in names else []
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
    if mirrors:
        print(mirrored.markdown(mirrors))
    good = all(good for good, _ in bars(trials)) and all(row.is_same for row in rows)
    good = good and all(row.is_met for row in mirrors)
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
