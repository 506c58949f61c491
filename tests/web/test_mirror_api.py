"""Mirror jobs for programs: what is begun, who sees it, and what is refused."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from entrepot.web.orders import LARGEST_ORDER
from tests.clients.fixture_npm import dated_npm
from tests.clients.fixture_pypi import distributions
from tests.waiting import wait_for
from tests.web.served import MOST_JOBS, Served

LEFT = "/npm/left/-/left-1.0.0.tgz"
WHEEL = next(one for one in distributions() if one.project == "acme-core" and one.filename.endswith(".whl"))
LOCK = f"{WHEEL.project}=={WHEEL.version} --hash=sha256:{WHEEL.sha256}\n"
BILL = (
    '{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": '
    '[{"type": "library", "name": "scripted", "version": "1.0.0", "purl": "pkg:npm/scripted@1.0.0"}]}'
)


_numbers = count()


@dataclass(frozen=True, kw_only=True)
class Held:
    """A job of `nightly` that waits for upstream."""

    job: str
    purl: str


@pytest.fixture
def held(served: Served) -> Iterator[Held]:
    registry, name = served.registry, f"slow{next(_numbers)}"
    registry.files |= dated_npm(f"{registry.url}/npm", {name: {"1.0.0": "2024-01-01T10:00:00.000Z"}})
    path, purl = f"/npm/{name}/-/{name}-1.0.0.tgz", f"pkg:npm/{name}@1.0.0"
    registry.let_go.clear()
    registry.held.add(path)
    job = served.begin("nightly", purls=[purl])
    wait_for(lambda: registry.asked[path])
    yield Held(job=job, purl=purl)
    registry.held.clear()
    registry.let_go.set()
    served.ask("DELETE", f"/api/mirror/{job}", "nightly")


def test_a_job_is_begun_followed_and_listed(served: Served) -> None:
    begun = served.ask("POST", "/api/mirror", "ci", {"purls": ["pkg:npm/left@1.0.0"]})
    assert (begun.status, begun.body["client"], begun.body["name"]) == (202, "ci", "pkg:npm/left@1.0.0")
    job = served.ended(begun.body["id"], "ci")
    assert (job["state"], job["errors"], job["counts"]["failed"]) == ("completed", [], 0)
    assert job["counts"]["done"] + job["counts"]["held"] >= 2
    assert served.registry.asked[LEFT] == 1
    assert begun.body["id"] in [one["id"] for one in served.get("/api/mirror", "ci")]


def test_bills_and_lock_files_come_as_plain_texts(served: Served) -> None:
    job = served.ended(served.begin("nightly", sbom=BILL, lockfile=LOCK), "nightly")
    assert (job["state"], job["name"]) == ("completed", "sbom 1, requirements.txt")
    assert served.registry.asked[WHEEL.path] == 1
    assert served.registry.asked["/npm/scripted/-/scripted-1.0.0.tgz"] == 1


def test_what_went_wrong_is_told_one_by_one(served: Served) -> None:
    job = served.ended(served.begin("ci", purls=["pkg:npm/left@9.9.9", "pkg:npm/left@1.0.0"]), "ci")
    assert job["state"] == "completed_with_errors"
    (error,) = served.get(f"/api/mirror/{job['id']}/errors", "ci")
    assert job["errors"] == [error]
    assert "9.9.9" in error["subject"] + error["error"]


# --- who may what -----------------------------------------------------------------------------------------------------


def test_a_token_fills_only_the_repositories_it_is_for(served: Served) -> None:
    refused = served.ask("POST", "/api/mirror", "ci", {"purls": ["pkg:npm/left"], "repositories": ["pypi"]})
    assert refused.status == 403
    assert "'ci' has no right to fill the repository 'pypi'" in refused.body["error"]
    tree = served.ask("POST", "/api/mirror", "ci", {"trees": ["/pypi/-/"]})
    assert tree.status == 403
    job = served.ended(served.begin("ci", purls=["pkg:pypi/acme-app"]), "ci")
    assert job["counts"]["done"] + job["counts"]["held"] == 0
    assert not any("acme-app" in path.lower().replace("_", "-") for path in served.registry.asked)


def test_without_the_right_nothing_is_begun_or_told(served: Served) -> None:
    for method, path in (("POST", "/api/mirror"), ("GET", "/api/mirror"), ("DELETE", "/api/mirror/ab12")):
        body: Any = {"purls": ["pkg:npm/left"]} if method == "POST" else None
        assert served.ask(method, path, "", body).status == 401
        assert served.ask(method, path, "reader", body).status == 403
    assert served.ask("POST", "/api/mirror", "boss", {"purls": ["pkg:npm/left"]}).status == 403


def test_others_jobs_do_not_exist_but_for_an_admin(served: Served, held: Held) -> None:
    for method, below in (("GET", ""), ("GET", "/errors"), ("DELETE", ""), ("POST", "/resume"), ("POST", "/retry")):
        body: Any = {} if method == "POST" else None
        assert served.ask(method, f"/api/mirror/{held.job}{below}", "ci", body).status == 404
    assert held.job not in [one["id"] for one in served.get("/api/mirror", "ci")]
    assert held.job in [one["id"] for one in served.get("/api/mirror", "boss")]
    assert served.ask("DELETE", f"/api/mirror/{held.job}", "boss").body == {"status": "cancelled"}


def test_the_same_order_is_one_job_while_it_runs_for_each_token(served: Served, held: Held) -> None:
    assert served.begin("nightly", purls=[held.purl]) == held.job
    twin = served.begin("twin", purls=[held.purl])
    assert twin != held.job
    served.ask("DELETE", f"/api/mirror/{twin}", "twin")


# --- cancelling, and going on -----------------------------------------------------------------------------------------


def test_a_job_is_cancelled_once_and_can_go_on(served: Served, held: Held) -> None:
    path = f"/api/mirror/{held.job}"
    cancelled = served.ask("DELETE", path, "nightly")
    assert (cancelled.status, cancelled.body) == (200, {"status": "cancelled"})
    assert served.get(path, "nightly")["state"] == "cancelled"
    again = served.ask("DELETE", path, "nightly")
    assert (again.status, again.body["error"]) == (404, f"the mirror job {held.job} has ended: cancelled")
    served.registry.let_go.set()
    assert served.ask("POST", f"{path}/resume", "nightly", {}).status == 202
    assert served.ended(held.job, "nightly")["state"] == "completed"
    assert served.ask("POST", f"{path}/resume", "nightly", {}).status == 400
    assert served.ask("POST", f"{path}/retry", "nightly", {}).status == 202
    assert served.ended(held.job, "nightly")["state"] == "completed"


def test_a_token_has_no_more_jobs_open_than_it_may(served: Served, held: Held) -> None:
    orders = [{"purls": [held.purl, f"pkg:npm/left@{number}"]} for number in range(MOST_JOBS)]
    *jobs, refused = [served.ask("POST", "/api/mirror", "nightly", order) for order in orders]
    assert [one.status for one in jobs] == [202] * (MOST_JOBS - 1)
    assert (refused.status, refused.body["code"]) == (429, "too-many-jobs")
    assert int(refused.fields["retry-after"]) > 0
    assert f"{MOST_JOBS} mirror jobs of 'nightly' have not ended" in refused.body["error"]
    assert "mirroring.per_token" in refused.body["error"]
    assert served.ask("POST", "/api/mirror", "nightly", {"purls": [held.purl]}).body["id"] == held.job
    assert served.ask("DELETE", f"/api/mirror/{jobs[0].body['id']}", "nightly").status == 200
    assert served.ask("POST", "/api/mirror", "nightly", orders[-1]).status == 202
    for job in served.get("/api/mirror", "nightly"):
        served.ask("DELETE", f"/api/mirror/{job['id']}", "nightly")


def test_a_job_that_never_was_is_not_found(served: Served) -> None:
    for method, below in (("GET", ""), ("GET", "/errors"), ("DELETE", ""), ("POST", "/resume"), ("POST", "/retry")):
        reply = served.ask(method, f"/api/mirror/ab12{below}", "ci", {} if method == "POST" else None)
        assert (reply.status, reply.body["code"]) == (404, "not-served")
        assert "there is no mirror job 'ab12'" in reply.body["error"]


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "there is nothing to mirror in this order"),
        ({"registry": "npm"}, "an order has no 'registry'; it may have: purls, sbom, lockfile, lockfile_name, trees"),
        ({"purls": "pkg:npm/left"}, "Expected `array`, got `str` - at `$.purls`"),
        ({"purls": ["pkg:npm/left"], "concurrency": "4"}, "Expected `int | null`, got `str` - at `$.concurrency`"),
        ({"lockfile": "anything"}, "give its file name"),
        ([], "is no JSON object"),
        (b"{", "is no JSON object"),
    ],
)
def test_an_order_that_cannot_be_understood_is_answered_400(served: Served, body: Any, told: str) -> None:
    refused = served.ask("POST", "/api/mirror", "ci", body)
    assert (refused.status, refused.body["code"]) == (400, "bad-request")
    assert told in refused.body["error"]


def test_an_order_over_64_mib_is_answered_413(served: Served) -> None:
    refused = served.ask("POST", "/api/mirror", "ci", b'{"sbom": "' + b"x" * LARGEST_ORDER + b'"}')
    assert (refused.status, refused.body["code"]) == (413, "too-large")
