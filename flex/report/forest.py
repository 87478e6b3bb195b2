"""Values with their intervals below one another on one axis, and the picture of an evaluation made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flex.evaluation.statistics import Difference
from flex.evaluation.summary import Summary
from flex.report.canvas import WIDE, Axis, Canvas, number, ticks

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
    half = (width - 40) / 2 if width == WIDE else width
    graded = any(summary.graded for summary in settings.values())
    values = [_whisker_of(name, s.value, s.low, s.high, "one", ".1f") for name, s in settings.items()]
    end = forest(canvas, 0, 0, half, "Mean score x 100" if graded else "Correct, %", values, 0.0, None)
    canvas.height = end + 8
    if comparisons:
        differences = [
            _whisker_of(f"{d.a} - {d.b}", d.difference, d.low, d.high, KINDS.get(d.verdict, "plain"), "+.1f")
            for d in comparisons
        ]
        left, top = (half + 40, 0.0) if width == WIDE else (0.0, end + 20)
        end = max(end, forest(canvas, left, top, half, "Difference in points (paired)", differences, 0.0, 0.0))
        canvas.height = end + 8
    return canvas


def _whisker_of(name: str, value: float, low: float, high: float, kind: str, form: str) -> Whisker:
    value, low, high = 100 * value, 100 * low, 100 * high
    return Whisker(name, value, f"{value:{form}} ({low:{form}} to {high:{form}})", kind, low, high)


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
    axis = Axis(steps[0], steps[-1], steps, "")
    place = _places(axis, x + 14, width - 28)
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


def _places(axis: Axis, left: float, width: float) -> Callable[[float], float]:
    return lambda value: left + width * axis.share(value)


def _whisker(canvas: Canvas, row: Whisker, place: Callable[[float], float], y: float) -> None:
    if row.low is not None and row.high is not None:
        canvas.line(place(row.low), y, place(row.high), y, f"whisker {row.kind}")
        for end in (row.low, row.high):
            canvas.line(place(end), y - 4, place(end), y + 4, f"whisker {row.kind}")
    canvas.dot(place(row.value), y, f"dot {row.kind}", 4.5)
