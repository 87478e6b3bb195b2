"""Inheritance: who uses whose library, as a matrix whose cells hold the value, the difference and its interval."""

from collections.abc import Mapping, Sequence
from typing import Any

from flex.experiments.published import INHERITANCE, PublishedInheritance
from flex.report.canvas import WIDE, Canvas, wrapped
from flex.report.forest import KINDS

CELL = 62
BARE_CELL = 44
"""Heights of a cell with an interval, and of a published one."""


def inheritance_picture(result: Mapping[str, Any], width: int) -> Canvas:
    """The picture of a result of `flex inheritance`, for WIDE or PHONE."""
    canvas = Canvas(width, "What each model gains from the library that each model learned, with 95 % intervals")
    y = canvas.heading(0, f"What a model gains from a library: its own, and those of others ({result['unit']})")
    y = canvas.note(
        y,
        "In a cell: value, points over the same model without a library, and their 95 % interval, in figures and as a "
        "bar about zero. Coloured where better or worse is shown; framed: its own library.",
    )
    libraries = list(result["libraries"])
    y = _heads(canvas, y + 12, ["no library", *libraries], "library of")
    cells = [cell["difference"] for row in result["rows"] for cell in row["cells"]]
    reach = max([abs(cell[end]) for cell in cells for end in ("low", "high")] + [1.0])
    for row in result["rows"]:
        y = canvas.note(y, f"used by {row['model']}") + 6
        shown = [(f"{row['agent']['percent']:.1f}", None, False)]
        for library, cell in zip(libraries, row["cells"], strict=True):
            shown.append((f"{cell['percent']:.1f}", cell["difference"], library == row["model"]))
        y = _cells(canvas, y, shown, reach)
    canvas.height = _published(canvas, result["benchmark"], y + 30) + 8
    return canvas


def _step(canvas: Canvas, columns: int) -> float:
    return min(150.0, canvas.width / columns)


def _heads(canvas: Canvas, y: float, names: Sequence[str], over: str) -> float:
    """The columns' names, broken where they are too long, all ending on one line."""
    step, size = _step(canvas, len(names)), 12 if canvas.width == WIDE else 10
    lines = [wrapped(name, int((step - 6) / (size * 0.58))) for name in names]
    deepest = max(map(len, lines))
    canvas.text(step, y + size, f"{over} ...", "faint", size=11)
    y += 16
    for place, words in enumerate(lines):
        for number, word in enumerate(words, 1):
            canvas.text(place * step + 2, y + (deepest - len(words) + number) * (size + 2), word, "strong", size=size)
    return y + deepest * (size + 2) + 6


def _cells(
    canvas: Canvas, y: float, cells: Sequence[tuple[str, Mapping[str, Any] | None, bool]], reach: float
) -> float:
    """A row: value, and the difference in words and as a bar; those without an interval are published ones."""
    step = _step(canvas, len(cells))
    height = CELL if any(difference and "low" in difference for _, difference, _ in cells) else BARE_CELL
    for place, (value, difference, own) in enumerate(cells):
        x, width = place * step, step - 4
        published = difference is not None and "low" not in difference
        if difference is not None and (kind := KINDS.get(difference.get("verdict", ""))):
            strength = 0.10 + 0.30 * min(1.0, abs(difference["points"]) / reach)
            canvas.box(x, y, width, CELL, f"cell {kind}", strength)
        canvas.box(x, y, width, height, "edge" + " own" * own + " published" * published)
        canvas.text(x + width / 2, y + 19, value, "strong", "middle", 14)
        if difference is not None:
            canvas.text(x + width / 2, y + 34, f"{difference['points']:+.1f}", "label", "middle", 11)
        if difference is not None and not published:
            words = f"{difference['low']:+.0f} to {difference['high']:+.0f}"
            canvas.text(x + width / 2, y + 47, words, "faint", "middle", 10)
            _bar(canvas, x + width / 2, y + 55, (width - 12) / 2 / reach, difference)
    return y + height + 6


def _bar(canvas: Canvas, zero: float, y: float, scale: float, difference: Mapping[str, Any]) -> None:
    kind = KINDS.get(difference["verdict"], "plain")
    canvas.line(zero, y - 4, zero, y + 4, "axis")
    canvas.line(zero + scale * difference["low"], y, zero + scale * difference["high"], y, f"whisker {kind}")
    canvas.dot(zero + scale * difference["points"], y, f"dot {kind}", 3 if canvas.width == WIDE else 1.8)


def _published(canvas: Canvas, benchmark: str, y: float) -> float:
    """The paper's matrix of the same benchmark, apart; the end of it."""
    rows = [row for row in INHERITANCE if row.benchmark == benchmark]
    if not rows:
        return canvas.note(y, f"The paper publishes no inheritance for {benchmark}.")
    canvas.line(0, y - 14, canvas.width, y - 14, "part")
    y = canvas.heading(y, f"Published, not measured here: {benchmark}, other models (no intervals were published)")
    libraries = list(dict.fromkeys(name for row in rows for name in row.libraries))
    y = _heads(canvas, y + 12, ["no library", *libraries], "library of")
    for row in rows:
        y = canvas.note(y, f"used by {row.model}") + 6
        y = _cells(canvas, y, _published_cells(row, libraries), 1.0)
    return y


def _published_cells(
    row: PublishedInheritance, libraries: Sequence[str]
) -> list[tuple[str, Mapping[str, Any] | None, bool]]:
    cells: list[tuple[str, Mapping[str, Any] | None, bool]] = [(f"{row.alone:.1f}", None, False)]
    for name in libraries:
        value = row.libraries[name]
        cells.append((f"{value:.1f}", {"points": value - row.alone}, name == row.model))
    return cells
