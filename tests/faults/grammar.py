"""Requests that no honest client sends: every spelling of a way out, names that are none, and plain noise."""

import itertools
import random
from collections.abc import Iterator

DOTS = ("..", "%2e%2e", ".%2e", "%2E.", "%252e%252e", "%c0%ae%c0%ae", "%e0%80%ae%2e", "%uff0e%uff0e", "..%00", "..;a=b")
SEPARATORS = ("/", "%2f", "%2F", "\\", "%5c", "%252f", "//", "/./", "%c0%af", ";/", "/%2e/")
DEPTHS = (1, 5)
TARGETS = ("etc/passwd", "", "simple/", "secret%00.txt")
PREFIXES = {
    "files": ("", "a/", "a/b.tar.gz/"),
    "pypi": ("", "simple/", "simple/acme-core/", "files/acme-core/", "-/files.example/acme-core/", "pypi/acme-core/"),
    "npm": ("", "left/", "left/-/", "@acme/", "@acme%2f", "-/npm/v1/", "-/package/left/"),
    "go": ("", "example.com/", "example.com/mod/@v/", "example.com/mod/@v/v1.0.0.zip/", "sumdb/", "cached-only/"),
}
"""Where the way out begins, by repository."""


def ways_out(repository: str) -> Iterator[str]:
    """Paths of which none may lead above the repository, here or upstream."""
    for prefix in PREFIXES[repository]:
        for dots, separator, depth, target in itertools.product(DOTS, SEPARATORS, DEPTHS, TARGETS):
            yield f"/{repository}/{prefix}{(dots + separator) * depth}{target}"
        for dots, depth in itertools.product(DOTS, DEPTHS):
            # The way out begins with the repository's own name, or with the session before it.
            yield f"/{'/'.join([dots] * depth)}/{repository}/{prefix}"
            yield f"/~session/{'/'.join([dots] * depth)}/{repository}/{prefix}"


NO_NAMES = {
    "files": ("a/%00", "a/%0d%0aX-Evil:%201", "a/%7f", "a/%", "a/%zz", "a/%ff%fe", "a//b", "%2fa", "a%5cb", "a?\x7f"),
    "pypi": (
        *(
            "simple/%00/",
            "simple/-acme/",
            "simple/acme%20core/",
            "simple/acme%2fcore/",
            "simple/_/",
            "simple/%E2%84%AA/",
        ),
        *("simple/" + "a" * 300 + "/", "files/acme-core/", "files/a%00b/x.whl", "-/evil host/acme/x.whl"),
        *("-/127.0.0.1:99999/acme/x.whl", "-/user@files.example/acme/x.whl", "-/[::1]/acme/x.whl", "pypi/%2e/json"),
        *("pypi//json", "uploads", "legacy/"),
    ),
    "npm": (
        *("%00", ".hidden", "_private", "node_modules", "favicon.ico", "@/x", "@acme", "@acme/", "@acme/.x", "a/b/c/d"),
        *("left/-/../x.tgz", "left/-/x.exe", "left/-/%00.tgz", "left/%0a", "left/1.0.0/extra", "a%2fb", "@a%2fb%2fc"),
        *("x" * 300, "-/user/token", "-/all", "left/-rev/1", "%40%2f", "caf%C3%A9%00"),
    ),
    "go": (
        *("example.com/@v/list/extra", "example.com/mod/@v/v1.0.0.exe", "example.com/MOD/@v/list", "nodot/@v/%00.info"),
        *("example.com/mod/@v/v1..0.zip/x", "example.com/!/@v/list", "example.com/!!a/@v/list", "example.com//@v/list"),
        *("/@v/list", "@latest", "example.com/mod/@latest/x", "example.com/a%2fb/@v/list", "example.com/a\\b/@v/list"),
        *("sumdb/evil.example/lookup/x@v1", "sumdb/", "example.com/mod/@v/.zip", "example.com/mod/@v/" + "v" * 3000),
    ),
}
"""By repository: what is no name, no version and no file."""

RANGES = (
    *("bytes=", "bytes=-", "bytes=--1", "bytes=-0", "bytes=0-", "bytes=-1", "bytes=1-0", "bytes=999999999999999-"),
    *("bytes=0-99999999999999999999999999", "bytes=-99999999999999999999999999", "bytes=0-0,2-2", "bytes= 0 - 1"),
    *("bytes=" + ",".join(["0-0"] * 2000), "bytes=" + ",".join(f"{n}-" for n in range(500)), "bites=0-1", "bytes 0-1"),
    *(
        "bytes=0x0-0x1",
        "bytes=a-b",
        "bytes=1e3-",
        "bytes=+1-2",
        "bytes=\u00b2-",
        "items=0-5",
        "=",
        "bytes=0-1;x",
        "none",
    ),
)

METHODS = (
    "BREW",
    "PROPFIND",
    "TRACE",
    "CONNECT",
    "OPTIONS",
    "PUT",
    "DELETE",
    "PATCH",
    "POST",
    "get",
    "X" * 40,
    "PURGE",
)

_HOST = b"Host: 127.0.0.1\r\n"
_INNER = b"GET /files/smuggled HTTP/1.1\r\n" + _HOST + b"\r\n"


def smuggling() -> Iterator[tuple[str, bytes]]:
    """Requests that two readers take for different ones. The inner one must never be answered."""
    chunked = b"0\r\n\r\n" + _INNER
    shapes = {
        "length before chunked": b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(chunked),
        "chunked before length": b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n" % len(chunked),
        "a space before the colon": b"Transfer-Encoding : chunked\r\nContent-Length: %d\r\n" % len(chunked),
        "another coding": b"Transfer-Encoding: xchunked\r\nContent-Length: %d\r\n" % len(chunked),
        "chunked twice": b"Transfer-Encoding: chunked, chunked\r\nContent-Length: %d\r\n" % len(chunked),
        "identity": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: %d\r\n"
        % len(chunked),
        "a folded line": b"Transfer-Encoding:\r\n chunked\r\nContent-Length: %d\r\n" % len(chunked),
        "a tab": b"Transfer-Encoding:\tchunked\r\nContent-Length: %d\r\n" % len(chunked),
        "a vertical tab": b"Transfer-Encoding: \x0bchunked\r\nContent-Length: %d\r\n" % len(chunked),
        "two lengths": b"Content-Length: %d\r\nContent-Length: 5\r\n" % len(chunked),
        "a list of lengths": b"Content-Length: %d, 5\r\n" % len(chunked),
        "a signed length": b"Content-Length: +%d\r\n" % len(chunked),
        "a negative length": b"Content-Length: -1\r\n",
        "a length in hex": b"Content-Length: 0x%x\r\n" % len(chunked),
        "an endless length": b"Content-Length: %s\r\n" % (b"9" * 40),
    }
    for name, fields in shapes.items():
        for method, path in ((b"GET", b"/files/a"), (b"POST", b"/npm/-/npm/v1/security/audits")):
            yield (
                f"{method.decode()}, {name}",
                method + b" " + path + b" HTTP/1.1\r\n" + _HOST + fields + b"\r\n" + chunked,
            )


def noise(number: int, seed: int) -> Iterator[bytes]:
    """Requests with bytes changed, doubled, cut and thrown in; the same for the same seed."""
    chance = random.Random(seed)
    fields = (
        *(b"Range: bytes=0-5", b'If-None-Match: W/"a", *', b'If-Range: "a"', b"Accept: application/json;q=0.5, */*"),
        *(b"Accept-Encoding: gzip;q=0, zstd", b"Cache-Control: no-cache, max-age=0", b"Connection: close, x"),
        *(b"Content-Length: 3", b"Expect: 100-continue", b"Upgrade: h2c", b"Via: 1.1 entrepot-x", b"Cookie: a=b"),
        *(b"If-Modified-Since: Mon, 05 Jan 2026 10:00:00 GMT", b"X-Forwarded-Host: evil.example", b"Origin: null"),
    )
    paths = (
        b"/files/a/b",
        b"/pypi/simple/acme-core/",
        b"/npm/@acme%2ffoo",
        b"/go/example.com/mod/@v/list",
        b"/health",
        b"/",
    )
    for _ in range(number):
        chosen = [_HOST.rstrip(), *chance.sample(fields, chance.randint(0, 5))]
        line = chance.choice((b"GET", b"HEAD", b"POST", b"OPTIONS")) + b" " + chance.choice(paths) + b" HTTP/1.1"
        yield _mutated(b"\r\n".join([line, *chosen, b"", b""]), chance)


def _mutated(request: bytes, chance: random.Random) -> bytes:
    data = bytearray(request)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data))
        match chance.randrange(5):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                data[at:at] = chance.randbytes(chance.randint(1, 8))
            case 2:
                del data[at : at + chance.randint(1, 8)]
                data = data or bytearray(b"\r\n")
            case 3:
                data[at:at] = data[at : at + chance.randint(1, 40)]
            case _:
                data[at:at] = chance.choice((b"%00", b"%2e%2e/", b"\r\n", b"\x00", b"\xff\xfe", b"..", b"%", b"\t"))
    return bytes(data)
