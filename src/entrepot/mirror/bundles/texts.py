"""What a person finds in a bundle who opens it with tar."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from entrepot.cache.repository import Repository

README = """\
A bundle of Entrepot: packages, and the documents of their registries, for a site that no network reaches.

Take it over there with

    entrepot import BUNDLE.tar.zst --trust KEY.pub

Everything is verified before anything is taken over. Do not pack it anew: a bundle is imported as it was written, byte
for byte.

manifest.json   what is in here, with size and digest of every list
manifest.sig    its Ed25519 signature, if it was signed
clients.txt     how package managers are pointed at a server that has taken it over
*.jsonl         entries, digests, first-seen dates, pins: one JSON object a line
blobs/          the files and documents, each under its SHA-256
"""

_HEAD = "How clients are pointed at these packages.\n"
_UNKNOWN = "Put the server's address in place of http://entrepot.example:8080.\n"
_EXAMPLE = "http://entrepot.example:8080"


def clients_text(repositories: Iterable[Repository], base_url: str = "") -> str:
    """For each repository the lines that a person types, per client. `base_url`: where it will be served, if that is
    known."""
    base = base_url.rstrip("/") or _EXAMPLE
    host = urlsplit(base).netloc
    parts = [_HEAD if base_url else _HEAD + _UNKNOWN]
    for repository in repositories:
        parts.append(f"\n{repository.name} ({repository.ecosystem.title})\n")
        url = f"{base}/{repository.name}"
        for client in repository.ecosystem.clients:
            if client.setup:
                lines = client.setup.replace("{url}", url).replace("{host}", host)
                lines = lines.replace("{registry}", f"{host}/{repository.name}")
                parts.append("".join(f"    {line}\n" for line in (f"# {client.name}", *lines.splitlines())))
        if not any(client.setup for client in repository.ecosystem.clients):
            parts.append(f"    {url}/\n")
    return "".join(parts)
