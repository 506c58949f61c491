"""From the configuration to the parts of a server, for whatever is made of them."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace

from entrepot.assembly import Blueprint, SystemClock, Workshop, new_instance
from entrepot.cli.context import resolve_upstreams
from entrepot.config.load import Loaded, data_directory
from entrepot.ecosystems import find_ecosystems
from entrepot.errors import ConfigError


def answer(loaded: Loaded, verb: str, arguments: Mapping[str, object]) -> object:
    """What a server would answer; its data directory is the caller's. Raises any of our errors."""
    return asyncio.run(_answer(blueprint_of(loaded), verb, arguments))


async def _answer(blueprint: Blueprint, verb: str, arguments: Mapping[str, object]) -> object:
    workshop = Workshop(blueprint)
    try:
        with ExitStack() as connection:
            return await workshop.verbs()[verb](arguments, connection)
    finally:
        await workshop.close()


def blueprint_of(loaded: Loaded, *, private: bool = False) -> Blueprint:
    """Raises ConfigError, also where a configured repository has no known upstream."""
    return Blueprint(
        settings=loaded.settings,
        sources=loaded.sources,
        resolved=resolve_upstreams(loaded),
        ecosystems=find_ecosystems(),
        environment=dict(os.environ),
        data=data_directory(loaded.settings, os.environ),
        instance=new_instance(),
        private=private,
        clock=_clock_of(os.environ),
    )


def _clock_of(environment: Mapping[str, str]) -> SystemClock:
    text = environment.get("ENTREPOT_CLOCK_OFFSET", "0")
    try:
        clock = SystemClock(float(text))
        clock.now()
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigError(f"ENTREPOT_CLOCK_OFFSET: {text!r} is no number of seconds to move the clock by") from error
    return clock


def listening_on(blueprint: Blueprint, listener: str) -> Blueprint:
    """The same for a server whose port is known. A private one has neither the name nor the certificate of the
    configured one, but it knows that the configured address is no upstream: that was looked at before."""
    changes = {"listen": listener}
    if blueprint.private:
        changes |= {"public_url": "", "tls_certificate": "", "tls_key": ""}
    server = blueprint.settings.server.model_copy(update=changes)
    return replace(blueprint, settings=blueprint.settings.model_copy(update={"server": server}))
