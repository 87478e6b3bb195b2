"""The ablation: accuracy of each variant, its difference to the whole, and the paper's ablation apart from them."""

from collections.abc import Mapping, Sequence
from typing import Any

from flex.experiments.published import ABLATION, ABLATION_WHAT
from flex.report.canvas import WIDE, Canvas
from flex.report.forest import KINDS, Whisker, forest


def ablation_picture(result: Mapping[str, Any], width: int) -> Canvas:
    """The picture of a result of `flex ablation`, for WIDE or PHONE."""
    canvas = Canvas(width, "What each part of FLEX is worth: accuracies and differences with 95 % intervals")
    variants = result["variants"]
    half = (width - 40) / 2 if width == WIDE else width
    end = forest(canvas, 0, 0, half, f"Each part taken away: {result['unit']}", _values(variants), 0.0, None)
    left, top = (half + 40, 0.0) if width == WIDE else (0.0, end + 20)
    title = "Points against the whole (paired)"
    end = max(end, forest(canvas, left, top, half, title, _differences(variants), 0.0, 0.0))
    canvas.line(0, end + 16, width, end + 16, "part")
    title = f"Published, not measured here: {ABLATION_WHAT}"
    rows = [Whisker(name, value, f"{value:.3f}", "one published") for name, value in ABLATION]
    canvas.height = forest(canvas, 0, end + 26, width, title, rows, 0.45, None) + 8
    return canvas


def _values(variants: Sequence[Mapping[str, Any]]) -> list[Whisker]:
    return [
        Whisker(
            v["name"],
            v["percent"],
            f"{v['percent']:.1f} ({v['low']:.1f} to {v['high']:.1f})",
            "one",
            v["low"],
            v["high"],
        )
        for v in variants
    ]


def _differences(variants: Sequence[Mapping[str, Any]]) -> list[Whisker]:
    rows = []
    for variant in variants:
        if (d := variant["difference_to_full"]) is not None:
            words = f"{d['points']:+.1f} ({d['low']:+.1f} to {d['high']:+.1f})"
            kind = KINDS.get(d["verdict"], "plain")
            rows.append(Whisker(variant["name"], d["points"], words, kind, d["low"], d["high"]))
    return rows
