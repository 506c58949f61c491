"""`entrepot export`: what is stored, for a site without a network."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from entrepot.cli.lazy import new_app
from entrepot.cli.options import ConfigOption, DataOption

if TYPE_CHECKING:
    from entrepot.cli.carrying import ExportAnswer

NOT_COMPLETE = 2

app = new_app()


@app.command()
def export(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BUNDLE] [PURL]", help="The file to write (BUNDLE.tar.zst), and package URLs."),
    ] = None,
    lockfile: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="What a lock file pins.")] = None,
    sbom: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="What a bill of materials names.")] = None,
    dependencies: Annotated[
        Literal["none", "runtime", "all"], typer.Option(help="Which dependencies come along.")
    ] = "none",
    platform: Annotated[list[str] | None, typer.Option(metavar="PLATFORM", help="As for entrepot mirror.")] = None,
    latest: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The newest versions only, where none is named.")
    ] = None,
    job: Annotated[str, typer.Option(metavar="ID", help="What this mirror job holds.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Everything that is stored.")] = False,
    repository: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only of this repository.")] = None,
    since: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only what bundle N, and those before it, did not carry.")
    ] = None,
    since_last: Annotated[bool, typer.Option("--since-last", help="The same, for the newest bundle.")] = False,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="Sign with this private key.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Also when something is not held.")] = False,
    tree: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write files for any web server, in place of a bundle.")
    ] = None,
    base_url: Annotated[str, typer.Option(metavar="URL", help="With --tree: where it will be served.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The outcome, as JSON.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> int:
    """Write what is stored into a bundle, or as files, for a site without a network.

    Whatever can be given more than once may be. What is chosen has to be here: mirror it first. Exit status 2 when
    something is not held; then nothing is written, unless --partial.
    """
    from entrepot.cli.carrying import read_export
    from entrepot.cli.handing import documents_of
    from entrepot.cli.operating import Operator

    purls, path = _split(targets or [], tree)
    arguments: dict[str, object] = {
        "path": str(path.absolute()),
        "job": job,
        "everything": everything,
        "repositories": repository or [],
        "since": since,
        "since_last": since_last,
        "partial": partial,
    }
    if purls or lockfile or sbom:
        arguments["order"] = {
            "purls": purls,
            "sbom": documents_of(sbom or []),
            "lockfile": documents_of(lockfile or []),
            "dependencies": dependencies,
            "platforms": platform or [],
            "latest": latest,
        }
    if tree is not None:
        answer = Operator(config, data).call("export-tree", **arguments, base_url=base_url)
    else:
        answer = Operator(config, data).call("export", **arguments, key=str(key.absolute()) if key else "")
    if as_json:
        print(json.dumps(answer, indent=2))
    return _tell(read_export(answer), as_json=as_json)


def _split(targets: list[str], tree: Path | None) -> tuple[list[str], Path]:
    """Package URLs, and where to write. Raises BadRequest."""
    from entrepot.errors import BadRequest

    purls = [one for one in targets if one.lower().startswith("pkg:")]
    files = [one for one in targets if one not in purls]
    if tree is not None and not files:
        return purls, tree
    if tree is not None or len(files) != 1:
        raise BadRequest("name one file to write (BUNDLE.tar.zst), or a directory with --tree")
    return purls, Path(files[0])


def _tell(answer: "ExportAnswer", *, as_json: bool) -> int:
    import sys

    from entrepot.cli.carrying import export_lines, lacking_lines

    for line in lacking_lines(answer):
        print(line, file=sys.stderr)
    if not as_json:
        for line in export_lines(answer):
            print(line)
    return NOT_COMPLETE if answer.missing and not answer.path else 0
