"""What a person who started a server reads first: where it is, and what to type next."""

from entrepot.assembly import Blueprint
from entrepot.config.names import split_listener
from entrepot.config.token_check import open_repositories

FIRST_CLIENTS = 2
"""Of each ecosystem; the rest is in the documentation."""


def welcome(blueprint: Blueprint) -> str:
    host, port = split_listener(blueprint.settings.server.listen)
    base = blueprint.settings.server.public_url or f"http://{host}:{port}"
    lines = [f"Entrepot serves {base} from {blueprint.data}", ""]
    for name, upstreams in blueprint.resolved.upstreams.items():
        ecosystem = blueprint.ecosystems[blueprint.settings.repositories[name].ecosystem]
        lines.append(f"{name}: {ecosystem.title}, from {', '.join(upstream.source for upstream in upstreams)}")
        # Clients of one ecosystem may share a variable.
        variables = {
            key: value for client in ecosystem.clients[:FIRST_CLIENTS] for key, value in client.variables.items()
        }
        for variable, value in variables.items():
            lines.append(f"  export {variable}={value.format(url=f'{base}/{name}', host=host)}")
    for name, reason in blueprint.resolved.unavailable.items():
        lines.append(f"{name}: not served: {reason}")
    if blueprint.settings.tokens:
        closed = set(blueprint.resolved.upstreams) - open_repositories(blueprint.settings)
        lines += ["", f"a token is needed for: {', '.join(sorted(closed)) or 'nothing'} (docs/tokens.md)"]
    lines += ["", "or, for one command and without setting anything:  entrepot run -- pip install flask", ""]
    return "\n".join(lines)
