"""Values with their intervals below one another on one axis, and the picture of an evaluation made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flex.evaluation.statistics import Difference
from flex.evaluation.summary import Summary
from flex.report.canvas import WIDE, Canvas, number, ticks

ROW = 44
KINDS = {"better": "one", "worse": "two"}
"""Colours of verdicts."""


@dataclass(frozen=True, slots=True)
class Whisker:
    """A row: a name, a value with its interval where there is one, and the value in words."""

    name: str
    value: float
    words: str
    kind: str
    low: float | None = None
    high: float | None = None


def picture(settings: Mapping[str, Summary], comparisons: Sequence[Difference], width: int = WIDE) -> Canvas:
    """The settings of an evaluation and their paired differences, with 95 % intervals."""
    canvas = Canvas(width, "Settings and their paired differences, with 95 % intervals")
    graded = any(summary.graded for summary in settings.values())
    values = [
        measured(name, 100 * s.value, 100 * s.low, 100 * s.high) for name, s in settings.items() if s.value is not None
    ]
    differences = [
        measured(d.name, 100 * d.difference, 100 * d.low, 100 * d.high, d.verdict)
        for d in comparisons
        if d.role != "aside" and d.measured
    ]
    title = "Mean score x 100" if graded else "Correct, %"
    canvas.height = two_forests(canvas, title, values, "Difference in points (paired)", differences) + 8
    return canvas


def measured(name: str, value: float, low: float, high: float, verdict: str | None = None) -> Whisker:
    """A row of a value with its interval; of a difference, with its sign and in the colour of its verdict."""
    form = ".1f" if verdict is None else "+.1f"
    kind = "one" if verdict is None else KINDS.get(verdict, "plain")
    return Whisker(name, value, f"{value:{form}} ({low:{form}} to {high:{form}})", kind, low, high)


def two_forests(
    canvas: Canvas, title: str, values: Sequence[Whisker], second_title: str, differences: Sequence[Whisker]
) -> float:
    """Values, and their differences beside them or, on a phone, below; where they end."""
    wide = canvas.width == WIDE
    half = (canvas.width - 40) / 2 if wide else canvas.width
    end = forest(canvas, 0, 0, half, title, values, 0.0, None)
    if not differences:
        return end
    left, top = (half + 40, 0.0) if wide else (0.0, end + 20)
    return max(end, forest(canvas, left, top, half, second_title, differences, 0.0, 0.0))


def forest(
    canvas: Canvas,
    x: float,
    y: float,
    width: float,
    title: str,
    rows: Sequence[Whisker],
    least: float,
    zero: float | None,
) -> float:
    """Rows of whiskers under a heading, on one axis; where they end. `zero` draws a line there."""
    y = canvas.heading(y, title, x=x, width=width) + 8
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    steps = ticks(min([least, *ends]), max([least, *ends]), 5)

    def place(value: float) -> float:
        return x + 14 + (width - 28) * (value - steps[0]) / ((steps[-1] - steps[0]) or 1.0)

    bottom = y + ROW * len(rows) + 4
    for tick in steps:
        canvas.line(place(tick), y, place(tick), bottom, "axis" if tick == zero else "grid")
        canvas.text(place(tick), bottom + 15, number(tick), "tick", "middle", 11)
    for row in rows:
        canvas.text(x + 2, y + 16, row.name, "strong over", size=12)
        canvas.text(x + width, y + 16, row.words, "faint over", "end", 12)
        _whisker(canvas, row, place, y + 30)
        y += ROW
    return bottom + 22


def _whisker(canvas: Canvas, row: Whisker, place: Callable[[float], float], y: float) -> None:
    if row.low is not None and row.high is not None:
        canvas.line(place(row.low), y, place(row.high), y, f"whisker {row.kind}")
        for end in (row.low, row.high):
            canvas.line(place(end), y - 4, place(end), y + 4, f"whisker {row.kind}")
    canvas.dot(place(row.value), y, f"dot {row.kind}", 4.5)
