"""Schedules that are well formed and cannot work."""

from collections import Counter
from collections.abc import Iterator

from entrepot.config.policy_check import Problem
from entrepot.config.settings import Settings


def about_schedules(settings: Settings) -> Iterator[Problem]:
    names = Counter(one.name for one in settings.mirror)
    known = ", ".join(settings.repositories) or "none"
    for number, one in enumerate(settings.mirror):
        key, dotted = ("mirror", number), f"mirror.{number}"
        if names[one.name] > 1:
            yield (*key, "name"), f"{dotted}.name: {one.name!r} is the name of two schedules; rename one"
        for name in one.repositories:
            if name not in settings.repositories:
                yield (*key, "repositories"), f"{dotted}.repositories: {name!r} is no repository; there are: {known}"
        for tree in one.trees:
            name = tree.strip("/").partition("/")[0]
            if not tree.startswith("/") or name not in settings.repositories:
                remedy = f"write it like /REPOSITORY/FOLDER/; repositories are: {known}"
                yield (*key, "trees"), f"{dotted}.trees: {tree!r} is no directory of ours; {remedy}"
