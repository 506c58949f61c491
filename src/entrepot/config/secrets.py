"""Credentials: read from the file or variable that the configuration names, shown as ***."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from entrepot.config.upstream import Auth
from entrepot.errors import ConfigError


def read_secret(auth: Auth, environment: Mapping[str, str]) -> SecretStr:
    """The token or password. Raises ConfigError, which begins with the key, when it is not where `auth` says."""
    what = "password" if auth.kind == "basic" else "token"
    file, variable = (
        (auth.password_file, auth.password_env) if auth.kind == "basic" else (auth.token_file, auth.token_env)
    )
    key = f"{what}_env" if variable else f"{what}_file"
    secret = (_from_environment(key, variable, environment) if variable else _from_file(key, file)).strip()
    if not secret or not secret.isprintable():
        raise ConfigError(f"{key}: the {what} is empty, or has control characters in it; it is one line of text")
    return SecretStr(secret)


def _from_environment(key: str, variable: str, environment: Mapping[str, str]) -> str:
    if variable not in environment:
        raise ConfigError(f"{key}: the environment variable {variable} is not set; set it before the start")
    return environment[variable]


def _from_file(key: str, file: str) -> str:
    try:
        return Path(file).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{key}: {file} cannot be read: {error.strerror}; make it readable for us") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{key}: {file} is not UTF-8; save it as one line of text") from error
