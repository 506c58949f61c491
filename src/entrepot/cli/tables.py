"""Numbers as people read them, and tables of them."""

from collections.abc import Iterable, Sequence

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size_text(size_bytes: float) -> str:
    """Three digits or so: "0 B", "812 B", "3.4 MiB"."""
    unit = 0
    while size_bytes >= 1000 and unit < len(_UNITS) - 1:
        size_bytes /= 1024
        unit += 1
    whole = unit == 0 or size_bytes >= 99.5
    return f"{size_bytes:.{0 if whole else 1}f} {_UNITS[unit]}"


def count_text(number: int, noun: str) -> str:
    """ "1 request", "2 requests", "2 misses", "2 entries"."""
    if number == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {plural}"


def share_text(part: int, whole: int) -> str:
    """A percentage that is 100 % only when it is; "-" of nothing."""
    if not whole:
        return "-"
    return f"{part * 100 // whole} %"


def plain(text: str) -> str:
    """On one line, and without what a terminal would obey: names and errors come from documents and registries."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of aligned columns: the first to the left, the others to the right."""
    listed = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if position else cell.ljust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in listed
    ]
