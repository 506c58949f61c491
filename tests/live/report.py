"""The figures of `make live` as Markdown, and whether they meet the bars."""

from collections import Counter
from collections.abc import Iterator

from tests.live.rounds import Run, Trial

PACKAGES = 50
LONGEST_WAIT_MS = 2000.0
ABSENT = 404
ALLOWED_CONTACT = "/-/npm/v1/security/"
"""npm's audit: never stored, so it is tried upstream whenever it is asked for, and may fail."""
_ARTIFACTS = (".whl", ".tar.gz", ".tgz", ".zip", ".mod", ".metadata")
_COLUMNS = (
    *("client", "run", "locked", "s", "requests", "longest wait ms", "tunnels out", "hosts"),
    *("body bytes fetched", "bytes in tunnels", "result"),
)


def markdown(trials: list[Trial]) -> str:
    lines = [
        "# Real clients on real registries, through Entrepot",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|---|---|" + "---:|" * 8 + "---|",
    ]
    for trial in trials:
        lines += [_row(trial, run) for run in trial.runs]
    lines += ["", "## Stored artifacts against the registries' digests", ""]
    lines += ["| client | agree | differ | no digest published |", "|---|---:|---:|---:|"]
    for trial in trials:
        found = trial.bytes
        lines.append(f"| {trial.client} | {found.agree} | {len(found.differ)} | {len(found.unpublished)} |")
    lines += ["", "## Contact with upstreams after the first run", ""]
    for trial in trials:
        for run in trial.runs[1:]:
            lines += [f"- {trial.client}, {run.name}: {text}" for text in _contacts(run)]
    lines += ["", "## Bars", ""]
    lines += [f"- {'met' if good else 'NOT MET'}: {text}" for good, text in bars(trials)]
    return "\n".join([*lines, ""])


def _row(trial: Trial, run: Run) -> str:
    slowest = f"{run.slowest.milliseconds:.0f}" if run.slowest else "-"
    cells = (
        *(trial.client, run.name, len(run.lock), f"{run.seconds:.1f}", len(run.visits), slowest),
        f"{len(run.outside.tunnels)}" + (f" ({run.outside.refused} refused)" if run.outside.refused else ""),
        *(run.outside.hosts, f"{run.upstream_bytes:,}", f"{run.outside.up + run.outside.down:,}"),
        "failed" if run.failure else "ok",
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _contacts(run: Run) -> Iterator[str]:
    """Requests that had an upstream asked, grouped where their answers are alike."""
    groups = Counter((visit.upstream_status, visit.cache, visit.detail) for visit in run.contacts)
    paths = dict.fromkeys(groups, "")
    for visit in run.contacts:
        group = (visit.upstream_status, visit.cache, visit.detail)
        paths[group] = paths[group] or f"{visit.method} {visit.path}"
    for group, count in groups.most_common():
        status, cache, detail = group
        told = f"upstream said {status}" if status else "no answer"
        yield f"{count} × {told}, client got `{cache}{f' ({detail})' if detail else ''}`, such as `{paths[group]}`"
    if not groups:
        yield "none"


def bars(trials: list[Trial]) -> Iterator[tuple[bool, str]]:
    """Whether each bar is met, and what it says."""
    for trial in trials:
        for good, text in (*_of_all(trial), *_of_second(trial.runs[1]), *_of_bytes(trial)):
            yield good, f"{trial.client}: {text}"
        for run in trial.runs[2:]:
            for good, text in _of_offline(trial.runs[0], run):
                yield good, f"{trial.client}, {run.name}: {text}"


def _of_all(trial: Trial) -> Iterator[tuple[bool, str]]:
    failures = [run for run in trial.runs if run.failure]
    yield not failures, "all runs succeed" + "".join(f"; {run.name}: {run.failure}" for run in failures)
    locked = len(trial.runs[0].lock)
    yield locked >= PACKAGES, f"{locked} packages or files are locked (at least {PACKAGES})"
    lookups, packets = sum(len(run.lookups) for run in trial.runs), sum(run.unroutable for run in trial.runs)
    yield not lookups + packets, f"nothing bypasses us: {lookups} names looked up, {packets} packets sent elsewhere"


def _of_second(run: Run) -> Iterator[tuple[bool, str]]:
    moved = sum(visit.upstream_bytes for visit in run.contacts if visit.path.endswith(_ARTIFACTS))
    yield not moved, f"the second run fetches {moved} bytes of artifacts"


def _of_bytes(trial: Trial) -> Iterator[tuple[bool, str]]:
    found = trial.bytes
    wrong = "".join(f"; not {key}" for key in found.differ)
    yield bool(found.agree) and not wrong, f"{found.agree} stored artifacts equal the published digest{wrong}"


def _of_offline(first: Run, run: Run) -> Iterator[tuple[bool, str]]:
    changed = [name for name, digest in run.lock.items() if first.lock.get(name) != digest]
    lost = first.lock.keys() - run.lock.keys()
    same = bool(run.lock) and not changed and not lost
    yield same, f"versions and digests of the first run ({len(changed)} differ, {len(lost)} are missing)"
    # What upstream never answered has nothing that could stand in for it.
    before = {visit.path for visit in first.visits if visit.status >= 400 and visit.status != ABSENT}
    visits = [visit for visit in run.visits if ALLOWED_CONTACT not in visit.path and visit.path not in before]
    waits = sorted(visits, key=lambda visit: visit.milliseconds)[-1:]
    longest = "".join(f"{visit.milliseconds:.0f} ms, {visit.method} {visit.path}" for visit in waits)
    yield all(visit.milliseconds <= LONGEST_WAIT_MS for visit in waits), f"nobody waits over 2 s (longest {longest})"
    absent = {visit.path for visit in first.visits if visit.status == ABSENT}
    wrong = [visit for visit in visits if visit.status >= 400 and (visit.status != ABSENT or visit.path not in absent)]
    yield (
        not wrong,
        f"{len(wrong)} requests get an error that got none at first"
        + "".join(f"; {visit.status} {visit.path}" for visit in wrong[:5]),
    )
