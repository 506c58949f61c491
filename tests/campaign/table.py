"""What a campaign found, as a Markdown table."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Table:
    title: str
    rows: list[tuple[str, str, str, bool]] = field(default_factory=list)

    def add(self, what: str, bar: str, measured: str, ok: bool) -> None:
        """One line; shown at once, because campaigns are long."""
        self.rows.append((what, bar, measured, ok))
        print(f"  {'ok  ' if ok else 'MISS'} {what}: {measured} (bar: {bar})", flush=True)

    def show(self) -> int:
        """Print it; the exit code: 0 when every bar was met."""
        print(f"\n### {self.title}\n\n| what | bar | measured | verdict |\n|---|---|---|---|")
        for what, bar, measured, ok in self.rows:
            print(f"| {what} | {bar} | {measured} | {'met' if ok else '**missed**'} |")
        print(flush=True)
        return 0 if all(ok for *_, ok in self.rows) else 1


def percentile(values: list[float], share: float) -> float:
    """Nearest rank; of nothing: infinity."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")
