"""What go 1.26 and git 2.39 printed, word for word, where nothing else is said."""

import pytest

from entrepot.errors import Unreachable, UpstreamFailure, UpstreamStatus
from entrepot.upstream.vcs_words import failure_of

_TRIED = "# cd /t/mod; git ls-remote https://corp.example/team/lib\n{}\ngo: no secure protocol found for repository\n"
_DEEP = (
    "go: module corp.example/lib: git ls-remote -q --end-of-options https://corp.example/team/lib.git in "
    "/t/mod/cache/vcs/7aa4: exit status 128:\n\t{}\n"
)
_GET = 'go: unrecognized import path "corp.example/lib": {}\n'
_FETCH = 'https fetch: Get "https://corp.example/lib?go-get=1": {}'


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, _TRIED.format("fatal: repository 'https://corp.example/team/lib/' not found")),
        (404, _DEEP.format("remote: Repository not found.\n\tfatal: repository 'https://corp.example/x/' not found")),
        (404, _GET.format("reading https://corp.example/lib?go-get=1: 404 Not Found")),
        (410, _GET.format("reading https://corp.example/lib?go-get=1: 410 Gone")),
        (404, _GET.format("parse https://corp.example/lib?go-get=1: no go-import meta tags ()")),
        (404, "go: corp.example/lib.git@v9.9.9: invalid version: unknown revision v9.9.9"),
        (404, 'go: module corp.example/lib.git/v2: no matching versions for query "latest"'),
        (404, "go: corp.example/lib.git@v1.1.9-0.2: invalid pseudo-version: preceding tag (v1.1.8) not found"),
        (404, 'go: github.example/foo@latest: invalid github.example import path "github.example/foo"'),
        (404, 'go: gopkg.in/foo@latest: malformed module path "gopkg.in/foo": invalid version'),
        (401, _TRIED.format("fatal: could not read Username for 'https://corp.example': terminal prompts disabled")),
        (401, _DEEP.format("fatal: Authentication failed for 'https://corp.example/team/lib.git/'")),
        (401, _GET.format("reading https://corp.example/lib?go-get=1: 401 Unauthorized")),
        (403, _GET.format("reading https://corp.example/lib?go-get=1: 403 Forbidden")),
        (
            403,
            _TRIED.format("fatal: unable to access 'https://corp.example/': The requested URL returned error: 403"),
        ),
        (403, "go: corp.example/x.hg@latest: GOVCS disallows using hg for public corp.example/x.hg; see 'go help vcs'"),
        (
            500,
            _TRIED.format("fatal: unable to access 'https://corp.example/': The requested URL returned error: 500"),
        ),
        (503, _GET.format("reading https://corp.example/lib?go-get=1: 503 Service Unavailable")),
        (429, _DEEP.format("error: RPC failed; HTTP 429 curl 22 The requested URL returned error: 429")),
    ],
)
def test_an_answer_of_the_host_keeps_its_status(status: int, words: str) -> None:
    failure = failure_of(words, "corp")
    assert isinstance(failure, UpstreamStatus)
    assert failure.upstream_status == status


@pytest.mark.parametrize(
    "words",
    [
        _TRIED.format("fatal: unable to access 'https://corp.example/x/': Could not resolve host: corp.example"),
        _TRIED.format("fatal: unable to access 'https://corp.example/x/': CONNECT tunnel failed, response 502"),
        _TRIED.format(
            "fatal: unable to access 'https://corp.example/x/': Failed to connect to corp.example port 443 after 0 ms: "
            "Couldn't connect to server"
        ),
        _TRIED.format(
            "fatal: unable to access 'https://corp.example/x/': server certificate verification failed. "
            "CAfile: /dev/null CRLfile: none"
        ),
        _DEEP.format("fatal: early EOF"),
        _DEEP.format("fatal: the remote end hung up unexpectedly"),
        _GET.format(_FETCH.format("dial tcp: lookup corp.example: no such host")),
        _GET.format(_FETCH.format("dial tcp 192.0.2.1:443: connect: connection refused")),
        _GET.format(_FETCH.format("tls: failed to verify certificate: x509: certificate signed by unknown authority")),
        _GET.format(_FETCH.format("Bad Gateway")),
        _GET.format(_FETCH.format("EOF")),
    ],
)
def test_no_contact_is_an_outage_and_no_404(words: str) -> None:
    assert isinstance(failure_of(words, "corp"), Unreachable)


def test_what_is_not_understood_is_a_failure_and_no_404() -> None:
    failure = failure_of("go: no secure protocol found for repository", "corp")
    assert type(failure) is UpstreamFailure
    assert str(failure) == "corp: go: no secure protocol found for repository"
    assert type(failure_of("", "corp")) is UpstreamFailure


def test_an_outage_beside_an_absence_is_an_outage() -> None:
    absent = _TRIED.format("fatal: repository 'https://corp.example/team/lib/' not found")
    out = _TRIED.format("fatal: unable to access 'https://corp.example/': The requested URL returned error: 503")
    failure = failure_of(absent + out, "corp")
    assert isinstance(failure, UpstreamStatus)
    assert failure.upstream_status == 503


def test_the_text_shows_what_git_said_in_one_printable_line() -> None:
    failure = failure_of(_TRIED.format("fatal: repository 'https://corp.example/\x1bx/' not found"), "corp: x")
    assert str(failure) == "corp: x: fatal: repository 'https://corp.example/ x/' not found: upstream answered 404"
