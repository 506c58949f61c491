"""The figures of `make live` as Markdown, and whether they meet the bars."""

from collections import Counter
from collections.abc import Iterator

from tests.live.rounds import Run, Trial

PACKAGES = 50
LONGEST_WAIT_MS = 2000.0
ALLOWED_CONTACT = "/-/npm/v1/security/"
"""npm's audit: never stored, so it is tried upstream whenever it is asked for."""
_COLUMNS = (
    *("client", "run", "locked", "s", "requests", "slowest ms", "tunnels out", "hosts"),
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
    for trial in trials:
        yield from ((good, f"{trial.client}: {text}") for good, text in _bars(trial))


def _bars(trial: Trial) -> Iterator[tuple[bool, str]]:
    first, second, third = trial.runs
    failures = [run for run in trial.runs if run.failure]
    yield not failures, "all three runs succeed" + "".join(f"; {run.name}: {run.failure}" for run in failures)
    yield len(first.lock) >= PACKAGES, f"{len(first.lock)} packages or files are locked (at least {PACKAGES})"
    yield _is_sealed(trial), "nothing bypasses us: " + _bypasses(trial)
    moved = [visit for visit in second.contacts if visit.upstream_bytes and _is_artifact(visit.path)]
    yield not moved, f"the second run fetches {sum(visit.upstream_bytes for visit in moved)} bytes of artifacts"
    changed = sum(first.lock.get(name) != digest for name, digest in third.lock.items())
    lost = len(first.lock.keys() - third.lock.keys())
    yield (
        bool(third.lock) and not changed and not lost,
        (f"the third run has the versions and digests of the first ({changed} differ, {lost} are missing)"),
    )
    slowest = third.slowest
    waited = slowest.milliseconds if slowest else 0.0
    yield (
        waited <= LONGEST_WAIT_MS,
        (
            f"cut off, no request waits over 2 s (longest {waited:.0f} ms"
            + (f": {slowest.method} {slowest.path})" if slowest else ")")
        ),
    )
    before = {visit.path for visit in first.visits if visit.status >= 400}
    wrong = [visit for visit in third.visits if visit.status >= 400 and visit.path not in before]
    wrong = [visit for visit in wrong if ALLOWED_CONTACT not in visit.path]
    yield (
        not wrong,
        f"cut off, {len(wrong)} requests but npm's audit get an error that got none before"
        + "".join(f"; {visit.status} {visit.path}" for visit in wrong[:5]),
    )
    found = trial.bytes
    yield (
        bool(found.agree) and not found.differ,
        (
            f"{found.agree} stored artifacts equal the published digest"
            + "".join(f"; not {key}" for key in found.differ)
        ),
    )


def _is_artifact(path: str) -> bool:
    return path.endswith((".whl", ".tar.gz", ".tgz", ".zip", ".mod", ".metadata"))


def _is_sealed(trial: Trial) -> bool:
    return not any(run.lookups or run.unroutable for run in trial.runs)


def _bypasses(trial: Trial) -> str:
    lookups = sum(len(run.lookups) for run in trial.runs)
    return f"{lookups} names looked up, {sum(run.unroutable for run in trial.runs)} packets sent elsewhere"
