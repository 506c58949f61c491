"""What mirrored trees of one repository cannot be."""

from collections.abc import Iterator

from entrepot.config.policy_check import Problem
from entrepot.config.positions import Key
from entrepot.config.trees import TreeSettings


def about_trees(key: Key, trees: tuple[TreeSettings, ...]) -> Iterator[Problem]:
    """Values that are well formed and cannot work; `key` is that of the list."""
    dotted = ".".join(map(str, key))
    seen: set[str] = set()
    for number, one in enumerate(trees):
        if one.path in seen:
            yield (*key, number, "path"), f'{dotted}.{number}.path: "/{one.path}" is there twice; remove one of them'
        if one.min_interval == 0 or one.min_interval == float("inf"):
            yield (
                (*key, number, "min_interval"),
                f'{dotted}.{number}.min_interval: each access, or none, would begin a walk; write a time, such as "1h"',
            )
        seen.add(one.path)
