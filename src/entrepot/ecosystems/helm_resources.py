"""What a chart repository serves, as resources."""

from entrepot.ecosystems.helm_names import chart_link, parse_link
from entrepot.model.resource import Kind, Resource

INDEX = "index.yaml"


def index() -> Resource:
    return Resource(key=INDEX, path=INDEX, kind=Kind.INDEX)


def archive(link: str) -> Resource:
    """An archive of a chart, or what signs one. Raises NotServed, BadRequest."""
    chart, place = parse_link(link)
    return Resource(
        key=chart_link(chart, place),
        path=place.path,
        origin=place.origin,
        kind=Kind.ARTIFACT,
        about=chart,
        listed_in=index(),
    )
