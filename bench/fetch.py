"""Fetches URLs one after the other and forgets them, letting everybody else go first: `python -m bench.fetch URL …`."""

import os
import sys
from urllib.request import Request, urlopen

LAST_IN_LINE = 19


def main() -> None:
    os.nice(LAST_IN_LINE)
    for url in sys.argv[1:]:
        with urlopen(Request(url, headers={"Accept-Encoding": "gzip"}), timeout=120) as response:
            while response.read(1 << 20):
                continue


if __name__ == "__main__":
    main()
