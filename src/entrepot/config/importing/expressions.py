"""Expressions that are searched for somewhere in a path, made into ones for the whole path, as ours are."""

import re

from entrepot.model.patterns import parse_regex

_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)


def whole_path(searched: str) -> str:
    """The expression that admits the same paths. Theirs have no leading slash, ours have. Raises ConfigError for what
    RE2 does not know: look-around and back-references."""
    parse_regex(searched, "the expression")
    tokens = _TOKEN.findall(searched)
    if "^" in tokens[1:]:
        # One of several ways to match begins at the start.
        rooted = "".join("^/" if token == "^" else token for token in tokens)
        whole = f"(?:/.*)?(?:{rooted}).*"
    elif "|" in tokens:
        whole = f"/.*(?:{searched}).*" if tokens[0] != "^" else f"(?:/.*)?(?:^/{searched[1:]}).*"
    else:
        start = "/" if tokens[:1] == ["^"] or tokens[:2] == [".", "*"] else "/.*"
        end = "" if tokens[-1:] == ["$"] or tokens[-2:] == [".", "*"] else ".*"
        whole = f"{start}{searched.removeprefix('^')}{end}"
    parse_regex(whole, "the expression")
    return whole
