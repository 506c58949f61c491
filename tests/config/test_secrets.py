"""Credentials."""

from pathlib import Path

from entrepot.config.secrets import read_secret
from entrepot.config.upstream import Auth, Upstream


def test_a_secret_is_read_from_its_file_without_the_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    secret = read_secret(Auth(kind="bearer", token_file=str(tmp_path / "token")), {})
    assert secret.get_secret_value() == "s3cret"


def test_a_secret_is_read_from_its_variable() -> None:
    secret = read_secret(Auth(kind="basic", username="me", password_env="PASSWORD"), {"PASSWORD": "s3cret"})
    assert secret.get_secret_value() == "s3cret"


def test_a_secret_does_not_print() -> None:
    secret = read_secret(Auth(kind="header", name="X-Key", token_env="KEY"), {"KEY": "s3cret"})
    assert "s3cret" not in f"{secret} {secret!r}"


def test_the_credentials_of_an_http_proxy_do_not_print() -> None:
    upstream = Upstream(url="https://packages.example/", http_proxy="http://me:s3cret@proxy.example:3128")
    assert upstream.http_proxy == "http://me:s3cret@proxy.example:3128"
    assert upstream.model_dump(mode="json")["http_proxy"] == "http://***@proxy.example:3128"
    assert "s3cret" not in repr(upstream)
