"""Asks for URLs one after the other and forgets what comes, letting everybody else go first:
`python -m bench.fetch METHOD URL …`."""

import os
import sys
from urllib.request import Request, urlopen

LAST_IN_LINE = 19


def main() -> None:
    os.nice(LAST_IN_LINE)
    method, *urls = sys.argv[1:]
    for url in urls:
        with urlopen(Request(url, headers={"Accept-Encoding": "gzip"}, method=method), timeout=120) as response:
            while response.read(1 << 20):
                continue


if __name__ == "__main__":
    main()
