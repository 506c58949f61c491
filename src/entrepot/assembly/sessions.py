"""What records sessions and serves them again, made from settings and parts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from entrepot.cache.order import Kit
from entrepot.cache.recording import Recorder
from entrepot.cache.replays import Replays
from entrepot.cache.repository import Repository
from entrepot.catalog.pins import SqlitePins
from entrepot.catalog.sessions import SqliteSessions
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.config.sessions import Sessions as SessionSettings
from entrepot.contracts.board import Generation
from entrepot.mirror.sessions.archive import Archive, SessionRules
from entrepot.mirror.sessions.freezing import Freezer
from entrepot.web.session_views import SessionViews
from entrepot.web.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParts:
    recorder: Recorder
    archive: Archive
    views: SessionViews


def make_sessions(
    settings: SessionSettings,
    kit: Kit,
    catalog: SqliteCatalog,
    sessions: Sessions,
    repositories: Mapping[str, Repository],
    generation: Generation,
    *,
    instance: str,
    shared: bool,
) -> SessionParts:
    """`shared`: whether other processes serve, too; `instance` names all of them together."""
    book = SqliteSessions(catalog)
    recorder = Recorder(book, kit, writer=f"{instance}/{os.getpid()}", most=settings.items)
    freezer = Freezer(kit, book, SqlitePins(catalog), generation, repositories)
    rules = SessionRules(keep=settings.keep, keep_for=settings.keep_for, items=settings.items)
    archive = Archive(
        kit,
        book,
        recorder,
        freezer,
        repositories,
        rules,
        shared=shared,
        is_living=lambda writer: is_living(writer, instance),
    )
    return SessionParts(recorder=recorder, archive=archive, views=SessionViews(sessions, Replays(book, repositories)))


def is_living(process: str, instance: str) -> bool:
    """Whether it is a process of this server that is still there: the data directory belongs to one server."""
    of, _, pid = process.partition("/")
    if of != instance:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True
