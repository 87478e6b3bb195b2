"""The ablation: accuracy of each variant, its difference to the whole, and the paper's ablation apart from them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flex.experiments.pictures.drawing import WIDE, Axis, Canvas, number, ticks
from flex.experiments.published import ABLATION, ABLATION_WHAT

ROW = 44
KINDS = {"better": "one", "worse": "two"}


@dataclass(frozen=True, slots=True)
class _Bar:
    """A row: a name, a value with its interval where there is one, and the value in words."""

    name: str
    value: float
    words: str
    kind: str
    low: float | None = None
    high: float | None = None


def ablation_picture(result: Mapping[str, Any], width: int) -> Canvas:
    """The picture of a result of `flex ablation`, for WIDE or PHONE."""
    canvas = Canvas(width, "What each part of FLEX is worth: accuracies and differences with 95 % intervals")
    variants = result["variants"]
    half = (width - 40) / 2 if width == WIDE else width
    end = _forest(canvas, 0, 0, half, f"Each part taken away: {result['unit']}", _values(variants), 0.0, None)
    left, top = (half + 40, 0.0) if width == WIDE else (0.0, end + 20)
    title = "Points against the whole (paired)"
    end = max(end, _forest(canvas, left, top, half, title, _differences(variants), 0.0, 0.0))
    canvas.line(0, end + 16, width, end + 16, "part")
    title = f"Published, not measured here: {ABLATION_WHAT}"
    rows = [_Bar(name, value, f"{value:.3f}", "one published") for name, value in ABLATION]
    canvas.height = _forest(canvas, 0, end + 26, width, title, rows, 0.45, None) + 8
    return canvas


def _values(variants: Sequence[Mapping[str, Any]]) -> list[_Bar]:
    return [
        _Bar(
            v["name"],
            v["percent"],
            f"{v['percent']:.1f} ({v['low']:.1f} to {v['high']:.1f})",
            "one",
            v["low"],
            v["high"],
        )
        for v in variants
    ]


def _differences(variants: Sequence[Mapping[str, Any]]) -> list[_Bar]:
    rows = []
    for variant in variants:
        if (d := variant["difference_to_full"]) is not None:
            words = f"{d['points']:+.1f} ({d['low']:+.1f} to {d['high']:+.1f})"
            kind = KINDS.get(d["verdict"], "plain")
            rows.append(_Bar(variant["name"], d["points"], words, kind, d["low"], d["high"]))
    return rows


def _forest(
    canvas: Canvas, x: float, y: float, width: float, title: str, rows: Sequence[_Bar], least: float, zero: float | None
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


def _whisker(canvas: Canvas, row: _Bar, place: Callable[[float], float], y: float) -> None:
    if row.low is not None and row.high is not None:
        canvas.line(place(row.low), y, place(row.high), y, f"whisker {row.kind}")
        for end in (row.low, row.high):
            canvas.line(place(end), y - 4, place(end), y + 4, f"whisker {row.kind}")
    canvas.dot(place(row.value), y, f"dot {row.kind}", 4.5)
