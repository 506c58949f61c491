"""What the go command and git mean by what they print when they fail. Pure.

Neither has exit codes for it. What is not understood is a failure: an outage is never spelled 404.
"""

import re

from entrepot.errors import Unreachable, UpstreamFailure, UpstreamStatus

_SHOWN_CHARACTERS = 300
_NOT_SHOWN = re.compile(r"[^ -~]+")

# go: `reading URL: 404 Not Found`; git: `The requested URL returned error: 503`, `RPC failed; HTTP 502 curl 22 …`.
_STATUS = re.compile(r"(?:\breading \S+: |requested URL returned error: |RPC failed; HTTP )(?P<status>[1-5]\d\d)\b")

_NO_CONTACT = re.compile(
    # git, in the words of libcurl.
    r"Could not resolve (?:host|proxy)|Failed to connect to|Couldn't connect to server|CONNECT tunnel failed"
    r"|Received HTTP code \d+ from proxy|Connection (?:refused|reset|timed out)|Operation timed out|Empty reply from"
    r"|Recv failure|Send failure|Network is unreachable|No route to host|SSL certificate problem|handshake\(\) failed"
    r"|certificate verification failed|SSL: |gnutls|OpenSSL|Problem with the SSL CA cert"
    # git itself, when a connection ends too early.
    r"|early EOF|the remote end hung up unexpectedly|unexpected disconnect"
    # go's own request.
    r"|dial tcp|no such host|connection refused|connection reset by peer|i/o timeout|deadline exceeded|proxyconnect"
    r"|tls: |x509: |https fetch: "
)
_NO_LOGIN = re.compile(
    r"could not read (?:Username|Password) for|Authentication failed for|terminal prompts disabled"
    r"|HTTP Basic: Access denied"
)
_FORBIDDEN = re.compile(r"GOVCS disallows|transport '\S+' not allowed")
_ABSENT = re.compile(
    r"fatal: repository '\S+' not found|remote: Repository not found|unknown revision|no matching versions for query"
    r"|no go-import meta tags|invalid pseudo-version|missing \S*go\.mod at revision|malformed module path"
    r"|invalid \S+ import path|must match major version|should be v0 or v1|has post-v\d+ module path"
    r"|has non-\S+ module path|not a valid (?:semantic|canonical) version|no tags? found|couldn't find remote ref"
    r"|does not contain a go\.mod|is not a module"
)


def failure_of(words: str, subject: str) -> UpstreamFailure:
    """The error that the words of a failed command stand for; UpstreamStatus with 404 for what does not exist."""
    text = f"{subject}: {_shown(words)}"
    if _NO_CONTACT.search(words):
        return Unreachable(text)
    if statuses := {int(found["status"]) for found in _STATUS.finditer(words)}:
        # Of several places that were tried, the one that is out of order may be the right one.
        return UpstreamStatus(text, max(statuses - {404, 410} or statuses))
    if _NO_LOGIN.search(words):
        return UpstreamStatus(text, 401)
    if _FORBIDDEN.search(words):
        return UpstreamStatus(text, 403)
    if _ABSENT.search(words):
        return UpstreamStatus(text, 404)
    return UpstreamFailure(text)


def _shown(words: str) -> str:
    """The line that says most: git's last word, else the go command's."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    line = (fatal or lines or ["it failed without a word"])[-1]
    return _NOT_SHOWN.sub(" ", line)[:_SHOWN_CHARACTERS]
