"""`entrepot mirror`: fetch packages before they are needed."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from entrepot.cli.lazy import new_app
from entrepot.cli.options import ConfigOption, DataOption, JsonOption
from entrepot.cli.partial import NothingDone, PartialGroup

if TYPE_CHECKING:
    from entrepot.cli.office import Office

JobArgument = Annotated[str, typer.Argument(metavar="ID", help="Of a job, as `entrepot mirror list` shows it.")]
DetachOption = Annotated[bool, typer.Option("--detach", help="Leave it to the server, and do not wait.")]

_BELOW = ("list", "show", "cancel", "resume", "retry")
"""Commands below this one. What stands behind an option is a package URL, as far as the parser can tell."""

app = new_app("Fetch packages before they are needed, with all that clients ask for besides.")


@app.callback(invoke_without_command=True, cls=PartialGroup)
def mirror(
    context: typer.Context,
    purls: Annotated[
        list[str] | None,
        typer.Argument(metavar="PURL", help="pkg:npm/left-pad@1.3.0, @>=1.2, or none: all; - is standard input."),
    ] = None,
    sbom: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="CycloneDX or SPDX, in any form.")] = None,
    lockfile: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="uv.lock, package-lock.json, go.sum and others.")
    ] = None,
    tree: Annotated[list[str] | None, typer.Option(metavar="/REPOSITORY/FOLDER/", help="A directory.")] = None,
    dependencies: Annotated[
        Literal["none", "runtime", "all"], typer.Option(help="Which dependencies come along.")
    ] = "none",
    platform: Annotated[
        list[str] | None, typer.Option(metavar="PLATFORM", help="linux/amd64, linux/arm64/musl …; default: all.")
    ] = None,
    latest: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The newest versions only, where none is named.")
    ] = None,
    repository: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Use only this repository.")] = None,
    concurrency: Annotated[int | None, typer.Option(metavar="N", min=1, help="Files fetched at a time.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be fetched; change nothing.")] = False,
    validate: Annotated[bool, typer.Option("--validate", help="Check SBOMs against their schema.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome, as JSON; no progress.")] = False,
    detach: DetachOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> int | None:
    """Fetch packages before they are needed, with all that clients ask for besides; then they can be had offline.

    Whatever can be given more than once may be. What is mirrored is kept from eviction: `entrepot pins`. Exit status:
    0 complete, 2 with errors, 1 nothing done.
    """
    if context.invoked_subcommand is not None:
        return None
    if purls and purls[0] in _BELOW:
        raise NothingDone(f"write options behind {purls[0]}: entrepot mirror {purls[0]} … --config FILE")
    from entrepot.cli.following import begin, rehearse
    from entrepot.cli.handing import documents_of, read_input
    from entrepot.cli.office import open_office

    given = read_input(purls or [], sys.stdin.buffer)
    order: dict[str, object] = {
        "purls": given.purls,
        "sbom": [*documents_of(sbom or []), *given.documents],
        "lockfile": documents_of(lockfile or []),
        "trees": tree or [],
        "dependencies": dependencies,
        "platforms": platform or [],
        "latest": latest,
        "repositories": repository or [],
        "concurrency": concurrency,
        "validate": validate,
    }
    if not any(order[key] for key in ("purls", "sbom", "lockfile", "trees")):
        raise NothingDone(
            "say what to mirror: package URLs (pkg:npm/left-pad@1.3.0), --sbom FILE, --lockfile FILE, "
            "--tree /REPOSITORY/FOLDER/, or - for standard input"
        )
    with open_office(config, data) as office:
        if dry_run:
            return rehearse(office, order, as_json=as_json)
        _check_detached(office, detach)
        return begin(office, "mirror", order, as_json=as_json, detach=detach)


@app.command("list")
def list_jobs(config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List mirror jobs, the newest first."""
    from entrepot.cli.jobs import job_lines, read_jobs
    from entrepot.cli.operating import Operator

    answer = Operator(config, data).call("mirror-jobs")
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    for line in job_lines(read_jobs(answer)):
        print(line)


@app.command()
def show(job: JobArgument, config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show a mirror job, with all of its errors."""
    from entrepot.cli.jobs import error_lines, read_job, summary_of
    from entrepot.cli.operating import Operator
    from entrepot.cli.tables import plain

    answer = Operator(config, data).call("mirror-job", id=job, errors=True)
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    told = read_job(answer)
    for line in (plain(told.name), *summary_of(told), *error_lines(told, most=len(told.errors))):
        print(line)


@app.command()
def cancel(job: JobArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Cancel a mirror job; what is there stays."""
    from entrepot.cli.jobs import read_job
    from entrepot.cli.operating import Operator

    told = read_job(Operator(config, data).call("cancel-mirror", id=job))
    if told.state != "cancelled":
        raise NothingDone(f"the mirror job {told.id} has ended: {told.state.replace('_', ' ')}")
    print(f"cancelled {told.id}; it can go on: entrepot mirror resume {told.id}")


@app.command()
def resume(
    job: JobArgument,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
    detach: DetachOption = False,
) -> int:
    """Go on with a job that was cancelled or failed."""
    return _go_on("resume-mirror", job, config, data, as_json=as_json, detach=detach)


@app.command()
def retry(
    job: JobArgument,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
    detach: DetachOption = False,
) -> int:
    """Try again what failed of a job."""
    return _go_on("retry-mirror", job, config, data, as_json=as_json, detach=detach)


def _go_on(verb: str, job: str, config: Path | None, data: Path | None, *, as_json: bool, detach: bool) -> int:
    from entrepot.cli.following import begin
    from entrepot.cli.office import open_office

    with open_office(config, data) as office:
        _check_detached(office, detach)
        return begin(office, verb, {"id": job}, as_json=as_json, detach=detach)


def _check_detached(office: "Office", detach: bool) -> None:
    if detach and office.ours:
        raise NothingDone("no server is running that would do it; start one (`entrepot serve`), or leave out --detach")
