"""What a Python index serves, as resources."""

from entrepot.ecosystems.pypi_forms import ASK_JSON
from entrepot.ecosystems.pypi_names import segments_of, version_of
from entrepot.ecosystems.pypi_places import link_of
from entrepot.model.release import Location
from entrepot.model.resource import Kind, Resource


def page_resource(project: str, form: str = "json") -> Resource:
    """A project's page. All forms are made from one stored document: the best that upstream has."""
    return Resource(
        key=f"simple/{project}/",
        path=f"{project}/",
        kind=Kind.INDEX,
        form=form,
        about=project,
        accept=ASK_JSON,
    )


def file_resource(project: str, location: Location) -> Resource:
    """A file of a project, or what lies beside one. Raises BadRequest."""
    filename = segments_of(location.path.partition("?")[0][1:])[-1]
    return Resource(
        key=link_of(project, location),
        path=location.path,
        origin=location.origin,
        kind=Kind.ARTIFACT,
        about=project,
        version=version_of(filename, project),
        listed_in=page_resource(project),
    )
