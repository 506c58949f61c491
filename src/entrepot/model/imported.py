"""How an entry tells that it did not come from upstream but from a bundle of another store.

What a bundle brought was vouched for when it was taken over: by its signature, or by whoever allowed it unsigned. So it
counts as today's whatever upstream is configured here, and it keeps the base URL that its links were written for.
"""

_MARK = "bundle:"


def imported_identity(store: str, base: str) -> str:
    """For `Entry.upstream`. `store`: the id of the store that wrote the bundle; `base`: the base URL there."""
    return f"{_MARK}{store} {base}"


def is_imported(upstream: str) -> bool:
    return upstream.startswith(_MARK)


def imported_base(upstream: str) -> str:
    """The base URL; empty for what is not imported, and for absences, which have none."""
    return upstream.partition(" ")[2] if is_imported(upstream) else ""
