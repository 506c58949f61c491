"""Sessions for programs: opened, asked what they were served, frozen and dropped; and who may."""

import base64
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.waiting import PATIENCE_SECONDS
from tests.web.served import Reply, Served

TARBALL = "npm/left/-/left-1.0.0.tgz"
FILE = {"name": "left-1.0.0.tgz", "place": f"/{TARBALL}"}


def opened(served: Served, token: str = "builder", **body: object) -> Any:
    reply = served.ask("POST", "/api/sessions", token, body)
    assert reply.status == 200, reply
    return reply.body


def fetch(url: str, token: str) -> int:
    credentials = base64.b64encode(f"me:{token}".encode()).decode()
    request = urllib.request.Request(url, headers={"authorization": f"Basic {credentials}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def files_in(bill: Any) -> list[dict[str, str]]:
    return [
        {"name": file["name"], "place": file["properties"][0]["value"]}
        for component in bill["components"]
        for file in component["components"]
    ]


def test_what_was_served_under_its_prefix_is_told_frozen_and_dropped(served: Served) -> None:
    session = opened(served, name="nightly build")
    path = f"/api/sessions/{session['id']}"
    assert len(session["id"]) == 32
    assert (session["prefix"], session["url"]) == (f"/~{session['id']}", f"{served.url}/~{session['id']}")
    assert (session["state"], session["items"], session["client"]) == ("open", 0, "builder")
    assert fetch(f"{session['url']}/{TARBALL}", "builder") == 200

    bill = served.get(f"{path}/sbom", "builder")
    assert [one["purl"] for one in bill["components"]] == ["pkg:npm/left@1.0.0"]
    assert files_in(bill) == [FILE]
    assert served.get(path, "builder")["items"] == 1

    frozen = served.ask("POST", f"{path}/freeze", "builder", {})
    assert (frozen.status, frozen.body["state"], frozen.body["missing"]) == (200, "frozen", [])
    assert fetch(f"{session['url']}/{TARBALL}", "builder") == 200
    assert fetch(f"{session['url']}/npm/left/-/left-1.1.0.tgz", "builder") == 403

    assert served.ask("DELETE", path, "builder").body == {"id": session["id"]}
    assert served.ask("GET", path, "builder").status == 404
    assert fetch(f"{session['url']}/npm/left/-/left-1.1.0.tgz", "builder") == 200


def test_the_id_of_a_session_is_no_token(served: Served) -> None:
    session = opened(served)
    assert fetch(f"{session['url']}/{TARBALL}", "") == 401
    assert fetch(f"{session['url']}/pypi/simple/acme-app/", "builder") == 403


def test_a_bill_names_only_what_whoever_asks_may_read(served: Served) -> None:
    session = opened(served)
    assert fetch(f"{session['url']}/pypi/simple/acme-app/", "reader") == 200
    path = f"/api/sessions/{session['id']}/sbom"
    assert served.get(path, "boss")["components"] == []
    refused = served.ask("GET", path, "builder")
    assert refused.status == 403
    assert "the repository 'pypi', which the token 'builder' has no right for" in refused.body["error"]
    assert served.ask("POST", path.replace("sbom", "freeze"), "builder", {}).status == 403


@pytest.mark.parametrize(("method", "below"), [("GET", ""), ("GET", "/sbom"), ("POST", "/freeze"), ("DELETE", "")])
def test_others_sessions_do_not_exist_but_for_an_admin(served: Served, method: str, below: str) -> None:
    path = f"/api/sessions/{opened(served)['id']}{below}"
    body: Any = {} if method == "POST" else None
    other = "reader" if method == "GET" else "nightly"
    assert served.ask(method, path, other, body).status == 404
    assert served.ask(method, path, "", body).status == 401
    assert served.ask(method, path, "boss", body).status == 200


def test_opening_one_takes_the_right_to_have_work_done(served: Served) -> None:
    assert served.ask("POST", "/api/sessions", "reader", {}).status == 403
    assert served.ask("POST", "/api/sessions", "", {}).status == 401


@pytest.mark.parametrize("body", [{"name": 7}, {"names": "x"}])
def test_what_cannot_be_understood_is_answered_400(served: Served, body: object) -> None:
    refused: Reply = served.ask("POST", "/api/sessions", "builder", body)
    assert (refused.status, refused.body["code"]) == (400, "bad-request")
