"""The ablation: accuracy of each variant, its difference to the whole, and the paper's ablation apart from them."""

from collections.abc import Mapping
from typing import Any

from flex.experiments.published import ABLATION, ABLATION_WHAT
from flex.report.canvas import Canvas
from flex.report.forest import Whisker, forest, measured, two_forests


def ablation_picture(result: Mapping[str, Any], width: int) -> Canvas:
    """The picture of a result of `flex ablation`, for WIDE or PHONE."""
    canvas = Canvas(width, "What each part of FLEX is worth: accuracies and differences with 95 % intervals")
    variants = result["variants"]
    values = [measured(v["name"], v["percent"], v["low"], v["high"]) for v in variants]
    differences = [
        measured(variant["name"], d["points"], d["low"], d["high"], d["verdict"])
        for variant in variants
        if (d := variant["difference_to_full"]) is not None
    ]
    title = f"Each part taken away: {result['unit']}"
    end = two_forests(canvas, title, values, "Points against the whole (paired)", differences)
    canvas.line(0, end + 16, width, end + 16, "part")
    title = f"Published, not measured here: {ABLATION_WHAT}"
    rows = [Whisker(name, value, f"{value:.3f}", "one published") for name, value in ABLATION]
    canvas.height = forest(canvas, 0, end + 26, width, title, rows, 0.45, None) + 8
    return canvas
