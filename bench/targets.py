"""What a library's numbers have to be (the issue's "how it will be judged"), and the table they are shown in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

Numbers = dict[str, float]


@dataclass(frozen=True)
class Column:
    """What was measured on one library, or, with size 0, on processes that write at once."""

    name: str
    size: int = 0
    store: str = ""
    numbers: Numbers = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """What a number has to be at most, or at least; at this size (None: any) and in this store."""

    row: str
    limit: float
    size: int | None = None
    store: str = ""
    least: bool = False

    def applies(self, column: Column) -> bool:
        return self.row in column.numbers and self.size in (None, column.size) and self.store in ("", column.store)

    def verdict(self, column: Column) -> str:
        value = column.numbers[self.row]
        met = value >= self.limit if self.least else value <= self.limit
        relation = ">=" if self.least else "<="
        return f"{'pass' if met else 'MISS'}: {self.row} {shown(value)} {relation} {self.limit:g} ({column.name})"


TARGETS = (
    Target("search p50 ms", 10, 100_000),
    Target("hit@10", 0.90, 100_000, least=True),
    Target("search p50 ms", 50, 1_000_000),
    Target("hit@10", 0.80, 1_000_000, least=True),
    Target("load s", 0.3, 1904, "json"),
    Target("load + index s", 1.5, 1904, "json"),
    Target("insert p50 ms", 3, store="db"),
    Target("found elsewhere s", 1, store="db"),
    Target("lost or unreadable", 0),
)


def verdicts(columns: Sequence[Column]) -> Iterator[str]:
    """A line for each target that a column is measured against."""
    for column in columns:
        yield from (target.verdict(column) for target in TARGETS if target.applies(column))


def table(columns: Sequence[Column]) -> str:
    """A line for each number and a column for each library."""
    rows = dict.fromkeys(row for column in columns for row in column.numbers)
    lines = [["", *(column.name for column in columns)], ["---"] + ["---:"] * len(columns)]
    lines += [[row, *(shown(column.numbers.get(row)) for column in columns)] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
