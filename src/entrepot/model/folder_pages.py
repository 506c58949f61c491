"""Directory pages of ours: the JSON that nginx writes, and HTML. What is not held is marked in both."""

import json
from collections.abc import Collection
from html import escape
from typing import Literal
from urllib.parse import unquote

from entrepot.model.folders import Folder, Member
from entrepot.model.headers import split_list

Form = Literal["json", "html"]
CONTENT_TYPES = {"json": "application/json", "html": "text/html; charset=utf-8"}
NOT_HELD = "(not held)"


def form_of(accept: str) -> Form:
    """What an Accept field asks for: JSON where it is named and HTML is not wanted more (RFC 9110 §12.5.1)."""
    weights = dict.fromkeys(("application/json", "text/html"), 0.0)
    for part in split_list(accept.lower()):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        if kind in weights:
            weights[kind] = _weight(parameters)
    return "json" if weights["application/json"] > weights["text/html"] else "html"


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def page_of(key: str, folder: Folder, held: Collection[str], form: Form) -> bytes:
    """`held`: the segments of those that are stored here; a folder is if anything below it is."""
    members = sorted(folder.members, key=lambda one: (not one.is_folder, one.name))
    return _json(members, held) if form == "json" else _html(key, members, held)


def _json(members: list[Member], held: Collection[str]) -> bytes:
    lines = ",\n".join(json.dumps(_told(one, held), ensure_ascii=False) for one in members)
    return f"[\n{lines}\n]\n".encode()


def _told(member: Member, held: Collection[str]) -> dict[str, object]:
    told: dict[str, object] = {"name": member.name, "type": "directory" if member.is_folder else "file"}
    if member.modified:
        told["mtime"] = member.modified
    if member.size_bytes is not None:
        told["size"] = member.size_bytes
    if member.segment not in held:
        told["held"] = False
    return told


def _html(key: str, members: list[Member], held: Collection[str]) -> bytes:
    title = escape(f"Index of /{unquote(key)}")
    lines = [_line(one, held) for one in members]
    if key:
        lines.insert(0, '<a href="../">../</a>\n')
    return (
        f"<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1><hr><pre>"
        f"{''.join(lines)}</pre><hr></body>\n</html>\n"
    ).encode()


def _line(member: Member, held: Collection[str]) -> str:
    slash = "/" if member.is_folder else ""
    size = "-" if member.size_bytes is None else member.size_bytes
    mark = "" if member.segment in held else f"  {NOT_HELD}"
    link = f'<a href="./{escape(member.segment)}">{escape(member.name)}{slash}</a>'
    return f"{link}  {escape(member.modified)}  {size}{mark}\n"
