"""A table's bars as SVG: one group below the other, each bar with its value, goals as marks."""

from collections.abc import Iterator
from html import escape
from itertools import groupby

from bench.tables import Bar, Table

WIDTH, LEFT, RIGHT = 760, 190, 90
BAR, GAP, HEAD = 18, 6, 34
OURS, OTHERS, GOAL, INK = "#2f6f9f", "#b8c2cc", "#c0392b", "#222222"
US = "entrepot"


def draw(table: Table) -> str:
    """The whole picture."""
    most = max([bar.value for bar in table.bars] + [bar.goal or 0.0 for bar in table.bars])
    scale = (WIDTH - LEFT - RIGHT) / most
    shapes: list[str] = []
    top = 40
    for group, bars in groupby(table.bars, key=lambda bar: bar.group):
        shapes.append(_text(12, top + 16, group, weight="bold"))
        top += HEAD - 8
        for bar in bars:
            shapes += _bar(bar, top, scale, table.unit)
            top += BAR + GAP
        top += GAP
    return "\n".join([*_frame(table, top + 8), *shapes, "</svg>\n"])


def _frame(table: Table, height: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="13">'
    )
    yield f"<title>{escape(table.title)}</title>"
    yield f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
    legend = f"{table.title} ({table.unit})" if table.unit else table.title
    yield _text(12, 24, legend, weight="bold")


def _bar(bar: Bar, top: int, scale: float, unit: str) -> Iterator[str]:
    ours = bar.label == US or bar.goal is not None
    width = max(1.0, bar.value * scale)
    yield _text(LEFT - 8, top + 13, bar.label, anchor="end")
    yield f'<rect x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR}" fill="{OURS if ours else OTHERS}"/>'
    sign = unit.partition(" ")[0]
    yield _text(LEFT + width + 6, top + 13, f"{bar.value:.2f} {sign}", weight="bold" if ours else "normal")
    if bar.goal is not None:
        x = LEFT + bar.goal * scale
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top - 3}" y2="{top + BAR + 3}" stroke="{GOAL}" stroke-width="2"/>'


def _text(x: float, y: float, words: str, *, weight: str = "normal", anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" fill="{INK}" font-weight="{weight}" text-anchor="{anchor}"'
    return f"<text {place}>{escape(words)}</text>"
