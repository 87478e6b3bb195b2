"""The scaling law: accuracy and library against what was learned from, error against size, and the paper's figure."""

from collections.abc import Mapping, Sequence
from typing import Any

from flex.experiments.power_law import PowerLaw
from flex.experiments.published import SCALING, SCALING_BASELINE, SCALING_WHAT
from flex.report.canvas import WIDE, Axis, Canvas, Panel, Point, ticks

HEIGHT = 200
GAP = 36


def scaling_picture(result: Mapping[str, Any], width: int) -> Canvas:
    """The picture of a result of `flex scaling-law`, for WIDE or PHONE."""
    canvas = Canvas(width, "Accuracy and library size as a library grows, with 95 % intervals")
    across = 2 if width == WIDE else 1
    panel = (width - GAP * (across - 1)) / across
    draws = (_accuracy, _growth, _law, _published)
    top = 0.0
    for row in range(0, len(draws), across):
        ends = [
            draw(canvas, result, place * (panel + GAP), top, panel)
            for place, draw in enumerate(draws[row : row + across])
        ]
        top = max(ends) + 28
    canvas.height = top - 16
    return canvas


def _panel(canvas: Canvas, left: float, top: float, width: float, title: str, x: Axis, y: Axis) -> Panel:
    top = canvas.heading(top, title, x=left, width=width) + 34
    panel = Panel(canvas, left, top, width, HEIGHT, x, y)
    panel.frame()
    return panel


def _end(panel: Panel, without_library: float | None = None) -> float:
    """Name the series, and draw the value without a library as a line; where the panel ends."""
    if without_library is not None:
        (start, height), (end, _) = panel.at(panel.x.low, without_library), panel.at(panel.x.high, without_library)
        panel.canvas.line(start, height, end, height, "base")
        panel.labels.append((height, "no library", "plain"))
    panel.names()
    return panel.top + HEIGHT + 34


def _tasks_axis(result: Mapping[str, Any]) -> Axis:
    seen = [point["tasks"] for point in result["points"]]
    return Axis(
        min(seen) * 0.85, max(seen), seen, f"tasks explored, {result['tasks_per_epoch']} an epoch (log)", log=True
    )


def _percents(values: Sequence[float], label: str) -> Axis:
    low, high = min(values), max(values)
    steps = ticks(max(0.0, low - 2), min(100.0, high + 2), 5)
    return Axis(steps[0], steps[-1], steps, label)


def _accuracy(canvas: Canvas, result: Mapping[str, Any], left: float, top: float, width: float) -> float:
    points, base = result["points"], result["baseline"]
    train = [point for point in points if point["train"]]
    tested = [value for point in points for value in (point["test"]["low"], point["test"]["high"])]
    trained = [value for point in train for value in (point["train"]["low"], point["train"]["high"])]
    y = _percents([*tested, *trained, base["percent"]], f"{result['unit']}, with 95 % intervals")
    panel = _panel(canvas, left, top, width, "What the library is worth", _tasks_axis(result), y)
    panel.series("test", [_point(p["tasks"], p["test"]) for p in points], "one", 0)
    panel.series("train,\nfirst try", [_point(p["tasks"], p["train"]) for p in train], "two", 5)
    return _end(panel, base["percent"])


def _point(x: float, numbers: Mapping[str, Any]) -> Point:
    return Point(x, numbers["percent"], numbers["low"], numbers["high"])


def _growth(canvas: Canvas, result: Mapping[str, Any], left: float, top: float, width: float) -> float:
    points = result["points"]
    most = max(point["library"] for point in points)
    y = Axis(0, (steps := ticks(0, most, 5))[-1], steps, "entries in the library")
    panel = _panel(canvas, left, top, width, "How the library grows", _tasks_axis(result), y)
    panel.series("all", [Point(p["tasks"], p["library"]) for p in points], "one")
    for zone, kind in (("golden", "two"), ("warning", "three"), ("mixed", "plain")):
        if any(point["zones"].get(zone) for point in points):
            panel.series(zone, [Point(p["tasks"], p["zones"].get(zone, 0)) for p in points], kind)
    return _end(panel)


def _law(canvas: Canvas, result: Mapping[str, Any], left: float, top: float, width: float) -> float:
    points = [point for point in result["points"] if point["library"]] or result["points"]
    law = PowerLaw(**result["law"])
    sizes = sorted({point["library"] for point in points})
    errors = [(100 - p["test"]["percent"], 100 - p["test"]["high"], 100 - p["test"]["low"]) for p in points]
    x = Axis(max(1, sizes[0]) * 0.85, max(sizes[-1], 2), sizes, "entries in the library (log scale)", log=True)
    y = _percents([value for error in errors for value in error], f"100 - ({result['unit']}), 95 % intervals")
    panel = _panel(canvas, left, top, width, "Does the error follow a power law?", x, y)
    if law.exponent is not None:
        steps = [sizes[0] * (sizes[-1] / sizes[0]) ** (step / 24) for step in range(25)]
        curve = [panel.at(size, min(y.high, max(y.low, 100 * law.error(size)))) for size in steps]
        canvas.path(curve, "law plain")
        panel.labels.append((curve[-1][1], "fit", "plain"))
    for point, (error, low, high) in zip(points, errors, strict=True):
        place = Point(max(1, point["library"]), error, low, high)
        panel.whisker(panel.at(place.x, 0)[0], place, "one")
        canvas.dot(*panel.at(place.x, error), "dot one")
    return canvas.note(_end(panel), f"{law.words[:1].upper()}{law.words[1:]}.", left, width)


def _published(canvas: Canvas, result: Mapping[str, Any], left: float, top: float, width: float) -> float:
    sizes = [epoch.library for epoch in SCALING]
    steps = ticks(80, 95, 4)
    y = Axis(steps[0], steps[-1], steps, "correct, % (no intervals were published)")
    title = f"Published, not measured here: {SCALING_WHAT}"
    panel = _panel(canvas, left, top, width, title, Axis(950, 1950, sizes, "entries in the library, epochs 1 to 5"), y)
    for name, kind, values in (
        ("train", "two", [epoch.train for epoch in SCALING]),
        ("test", "one", [epoch.test for epoch in SCALING]),
    ):
        points = [Point(size, value) for size, value in zip(sizes, values, strict=True)]
        panel.series(name, points, f"{kind} published")
    return _end(panel, SCALING_BASELINE)
