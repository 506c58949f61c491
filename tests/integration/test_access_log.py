"""What the access log tells of a request, besides what its tests in web show."""

import json
from contextlib import ExitStack
from pathlib import Path

from tests.clients.shop import open_shop


def test_a_line_tells_when_an_answer_began_and_when_it_ended(tmp_path: Path) -> None:
    with ExitStack() as stack:
        shop = open_shop(stack, tmp_path, "npm")
        assert shop.get("left").status == 200
        assert shop.get("-/nothing").status == 404
        shop.served.stop()
        lines = [json.loads(line) for line in shop.served.log().splitlines() if '"wait_ms"' in line]
    cold, refused = (next(line for line in lines if line["path"] == path) for path in ("/npm/left", "/npm/-/nothing"))
    assert 0 < cold["wait_ms"] <= cold["ms"]
    assert 0 < refused["wait_ms"] <= refused["ms"]
