"""The listings of six servers come down to the same: names, kinds, and what can be trusted of sizes and times."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import UnreadableIndex
from entrepot.model.folder_forms import read_folder
from entrepot.model.folders import Caps, Folder, Member, is_settled
from entrepot.model.paths import decode_segment

NGINX = """<html>
<head><title>Index of /</title></head>
<body>
<h1>Index of /</h1><hr><pre><a href="../">../</a>
<a href="sub/">sub/</a>                                               21-Nov-2026 07:51                   -
<a href="a%20b%281%29.txt">a b(1).txt</a>                                         21-Nov-2026 07:51                 123
<a href="a-very-long-name.tar.gz">a-very-lo..&gt;</a>  21-Nov-2026 07:51       1K
</pre><hr></body>
</html>
"""
APACHE_TABLE = """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">
<html><head><title>Index of /x</title></head><body><h1>Index of /x</h1><table>
<tr><th><img src="/icons/blank.gif" alt="[ICO]"></th><th><a href="?C=N;O=D">Name</a></th>
<th><a href="?C=M;O=A">Last modified</a></th><th><a href="?C=S;O=A">Size</a></th></tr>
<tr><td><img src="/icons/back.gif"></td><td><a href="/">Parent Directory</a></td><td>&nbsp;</td><td>  - </td></tr>
<tr><td><img></td><td><a href="sub/">sub/</a></td><td>2026-11-21 07:51  </td><td>  - </td></tr>
<tr><td><img></td><td><a href="a%20b(1).txt">a b(1).txt</a></td><td>2026-11-21 07:51  </td><td>123 </td></tr>
<tr><td><img></td><td><a href="a-very-long-name.tar.gz">a-..&gt;</a></td><td>2026-11-21 07:51  </td><td>1.2K</td></tr>
</table><address>Apache Server at files.example Port 80</address></body></html>
"""
APACHE_FANCY = """<html><head><title>Index of /x</title></head><body><h1>Index of /x</h1>
<pre><img src="/icons/blank.gif"> <a href="?C=N;O=D">Name</a>  <a href="?C=M;O=A">Last modified</a><hr>
<img src="/icons/back.gif"> <a href="/">Parent Directory</a>                 -
<img src="/icons/folder.gif"> <a href="sub/">sub/</a>          2026-11-21 07:51    -
<img src="/icons/text.gif"> <a href="a%20b(1).txt">a b(1).txt</a>  2026-11-21 07:51  123
<img src="/icons/x.gif"> <a href="./a-very-long-name.tar.gz">a-very-..&gt;</a> 2026-11-21 07:51  1.2K
<hr></pre></body></html>
"""
APACHE_PLAIN = """<html><head><title>Index of /x</title></head><body><h1>Index of /x</h1><ul>
<li><a href="/"> Parent Directory</a></li>
<li><a href="sub/"> sub/</a></li><li><a href="a%20b(1).txt"> a b(1).txt</a></li>
<li><a href="a-very-long-name.tar.gz"> a-very-long-name.tar.gz</a></li></ul></body></html>
"""
LIGHTTPD = """<!DOCTYPE html><html><head><title>Index of /x/</title></head><body><h2>Index of /x/</h2>
<div class="list"><table><thead><tr><th class="n">Name</th><th class="m">Last Modified</th></tr></thead><tbody>
<tr class="d"><td class="n"><a href="../">..</a>/</td><td class="m">&nbsp;</td><td class="s">- &nbsp;</td></tr>
<tr class="d"><td class="n"><a href="sub/">sub</a>/</td><td class="m">2026-Nov-21 07:51:55</td><td class="s">-</td></tr>
<tr><td class="n"><a href="a%20b%281%29.txt">a b(1).txt</a></td><td class="m">2026-Nov-21 07:51:55</td>
<td class="s">0.1K</td></tr><tr><td class="n"><a href="a-very-long-name.tar.gz">a</a></td>
<td class="m">2026-Nov-21 07:51:55</td><td class="s">1.2K</td></tr></tbody></table></div></body></html>
"""
PYTHON = """<!DOCTYPE HTML>
<html lang="en"><head><title>Directory listing for /</title></head><body><h1>Directory listing for /</h1><hr>
<ul><li><a href="sub/">sub/</a></li><li><a href="a%20b%281%29.txt">a b(1).txt</a></li>
<li><a href="a-very-long-name.tar.gz">a-very-long-name.tar.gz</a></li></ul><hr></body></html>
"""
NGINX_JSON = """[
{ "name":"sub", "type":"directory", "mtime":"Sat, 21 Nov 2026 07:51:55 GMT" },
{ "name":"a b(1).txt", "type":"file", "mtime":"Sat, 21 Nov 2026 07:51:55 GMT", "size":123 },
{ "name":"a-very-long-name.tar.gz", "type":"file", "mtime":"Sat, 21 Nov 2026 07:51:55 GMT", "size":1234 },
{ "name":"dangling", "type":"other" }
]"""
CADDY = """[{"name":"sub/","size":4096,"url":"./sub/","mod_time":"2026-11-21T07:51:55Z","mode":2147484141,"is_dir":true,
"is_symlink":false},{"name":"a b(1).txt","size":123,"url":"./a%20b","mod_time":"2026-11-21T07:51:55Z","is_dir":false},
{"name":"a-very-long-name.tar.gz","size":1234,"mod_time":"2026-11-21T07:51:55Z","is_dir":false,"sha256":"00ff"}]"""
ZDDC = """[{"name":"sub/","is_dir":true,"mod_time":"2026-11-21T07:51:55Z"},
{"name":"a b(1).txt","is_dir":false,"size":123,"mod_time":"2026-11-21T07:51:55Z"},
{"name":"a-very-long-name.tar.gz","is_dir":false,"size":1234,"mod_time":"2026-11-21T07:51:55Z"}]"""


def read(text: str, caps: Caps | None = None) -> Folder:
    kind = "application/json" if text.startswith("[") else "text/html"
    return read_folder(text.encode(), kind, "files/x/", caps or Caps())


@pytest.mark.parametrize(
    ("text", "size", "large", "timed"),
    [
        (NGINX, 123, None, True),
        (APACHE_TABLE, 123, None, True),
        (APACHE_FANCY, 123, None, True),
        (APACHE_PLAIN, None, None, False),
        (LIGHTTPD, None, None, True),
        (PYTHON, None, None, False),
        (NGINX_JSON, 123, 1234, True),
        (CADDY, 123, 1234, True),
        (ZDDC, 123, 1234, True),
    ],
    ids=["nginx", "apache table", "apache fancy", "apache plain", "lighttpd", "python", "nginx json", "caddy", "zddc"],
)
def test_a_listing_tells_names_kinds_and_sizes_only_to_the_byte(
    text: str, size: int | None, large: int | None, timed: bool
) -> None:
    folder = read(text)
    assert [(one.name, one.is_folder, one.size_bytes) for one in folder.members] == [
        ("sub", True, None),
        ("a b(1).txt", False, size),
        ("a-very-long-name.tar.gz", False, large),
    ]
    assert all(bool(one.modified) is timed for one in folder.members)
    assert folder.hostile == ()


def test_a_digest_in_a_listing_is_kept() -> None:
    assert read(CADDY).members[2].digest == "00ff"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain text",
        '{"error": "not found"}',
        "[1, 2]",
        '[{"name": "x"}]',
        NGINX_JSON[:-20],
        NGINX[:-20],
        PYTHON.replace("Directory listing for", "Welcome to"),
        NGINX.replace("<hr>", '<form><input name="p" type="PASSWORD"></form>'),
        "[" * 100_000,
    ],
)
def test_w_17_what_is_no_whole_listing_is_none(text: str) -> None:
    with pytest.raises(UnreadableIndex):
        read(text)


def test_links_that_lead_elsewhere_are_no_names() -> None:
    links = ["/x/y", "https://evil.example/", "//evil.example/z", "mailto:x", "?C=N", "#top", "..", "../up", "."]
    page = PYTHON.replace('<a href="sub/">', "".join(f'<a href="{link}">x</a>' for link in links) + '<a href="sub/">')
    assert read(page) == read(PYTHON)


@pytest.mark.parametrize("name", ["%2e%2e/", "a%2Fb", "a%5Cb", "%00", "a%0Ab", "%ff", ".%2e"])
def test_w_03_encoded_ways_out_are_hostile(name: str) -> None:
    folder = read(PYTHON.replace("sub/", name))
    assert len(folder.hostile) == 1
    assert len(folder.members) == 2


def test_a_name_that_is_no_utf_8_costs_itself_and_not_its_folder() -> None:
    folder = read_folder(NGINX_JSON.encode().replace(b"dangling", b"caf\xe9"), "application/json", "files/x/", Caps())
    assert (len(folder.members), len(folder.hostile)) == (3, 1)


@pytest.mark.parametrize("size", ["-1", "1e3", "9223372036854775808", "9" * 400])
def test_a_size_that_no_file_has_is_none(size: str) -> None:
    assert read(NGINX_JSON.replace("1234", size)).members[2].size_bytes is None


@pytest.mark.parametrize("time", ["\\ud800", "é", "x" * 1000])
def test_a_time_that_is_none_is_not_kept(time: str) -> None:
    listing = NGINX_JSON.replace("Sat, 21 Nov 2026 07:51:55 GMT", time)
    assert {member.modified for member in read(listing).members} == {""}


def test_w_02_names_are_decoded_once() -> None:
    member = read(PYTHON.replace("sub/", "100%2525/")).members[0]
    assert (member.name, member.segment) == ("100%25", "100%2525/")


def test_more_names_than_are_allowed_are_taken_for_a_mistake() -> None:
    with pytest.raises(UnreadableIndex, match="max_entries"):
        read(NGINX_JSON, Caps(members=2))
    with pytest.raises(UnreadableIndex, match="max_entries"):
        read(PYTHON.replace("</ul>", '<a href="y">y</a>' * 200), Caps(members=50))


@pytest.mark.parametrize(
    ("modified", "listed", "settled"),
    [
        ("Sat, 21 Nov 2026 07:51:55 GMT", "2026-11-21T07:52:55", False),
        ("Sat, 21 Nov 2026 07:51:55 GMT", "2026-11-21T07:54:55", True),
        ("2026-11-21T07:51:55Z", "2026-11-21T07:54:55", True),
        ("21-Nov-2026 07:51", "2026-11-21T23:00:00", False),
        ("21-Nov-2026 07:51", "2026-11-23T00:00:00", True),
        ("2026-Nov-21 07:51:55", "2026-11-23T00:00:00", True),
        ("2026-11-21 07:51", "2026-11-21T08:00:00", False),
        ("yesterday", "2026-11-23T00:00:00", False),
        ("9999-12-31 23:59", "2026-11-23T00:00:00", False),
        ("0001-01-01T00:00:00+05:00", "2026-11-23T00:00:00", True),
        ("", "2026-11-23T00:00:00", False),
    ],
)
def test_a_time_proves_something_when_it_lies_far_enough_back_in_every_zone(
    modified: str, listed: str, settled: bool
) -> None:
    assert is_settled(modified, datetime.fromisoformat(listed).replace(tzinfo=UTC)) is settled


@given(st.lists(st.text(max_size=12), unique=True, max_size=8))
def test_w_02_and_03_any_name_is_kept_as_it_is_below_its_folder_or_not_followed(names: list[str]) -> None:
    folder = read(json.dumps([{"name": name, "type": "file"} for name in names]))
    assert len(folder.members) + len(folder.hostile) == len(names)
    for member in folder.members:
        assert member.name in names
        assert decode_segment(member.segment) == member.name
        assert "/" not in member.segment
        assert member.segment.isascii()


def test_a_members_segment_is_what_its_key_ends_with() -> None:
    assert Member(name="a b", is_folder=True).segment == "a%20b/"
