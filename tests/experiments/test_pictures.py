"""The experiments' pictures: valid SVG, everything inside, measured and published values apart."""

import re
import xml.etree.ElementTree as ET
from html import unescape

import pytest

from flex.experiments.pictures import Page, Table
from flex.experiments.pictures.ablation import ablation_picture
from flex.experiments.pictures.inheritance import inheritance_picture
from flex.experiments.pictures.scaling import scaling_picture
from flex.report.canvas import LETTER, PHONE, WIDE, number, ticks, wrapped

VALUE = {"percent": 54.0, "low": 44.3, "high": 63.4, "n": 100, "correct": 54, "failed": 0}
WORSE = {"points": -21.0, "low": -31.0, "high": -11.0, "p": 0.001, "verdict": "worse"}
BETTER = {"points": 54.0, "low": 44.0, "high": 64.0, "p": 0.001, "verdict": "better"}
NONE = {"points": 0.0, "low": -2.9, "high": 2.9, "p": 1.0, "verdict": "no difference shown (n = 100)"}
LONG = "organisation/A-Rather-Long-Name-of-a-Model-v3.1"


def point(tasks, library, epoch=None):
    train = VALUE | {"solved": 60} if epoch else None
    return {
        "epoch": epoch, "tasks": tasks, "library": library, "zones": {"golden": 2, "warning": library - 2, "mixed": 0},
        "train": train, "test": VALUE, "difference_to_no_library": BETTER,
    }  # fmt: skip


def scaling(law, *points):
    return {
        "unit": "correct, %",
        "tasks_per_epoch": 50,
        "baseline": VALUE | {"percent": 0.0},
        "points": points,
        "law": law,
    }


LAW = {"factor": 1.3, "exponent": 0.33, "low": 0.2, "high": 0.4, "why_not": ""}
NO_LAW = {
    "factor": None,
    "exponent": None,
    "low": None,
    "high": None,
    "why_not": "1 different library sizes, it takes 3",
}
SCALING = scaling(LAW, point(6, 5), point(50, 20, 1), point(100, 20, 2), point(150, 1904, 3))
ABLATION = {
    "unit": "correct, %",
    "variants": [
        {"name": name, "library": 20, **VALUE, "difference_to_full": difference}
        for name, difference in (("full", None), ("no updater", WORSE), ("no library", NONE))
    ],
}


def inheritance(*models, benchmark="retro"):
    cells = [
        {"library": name, **VALUE, "difference": d} for name, d in zip(models, (BETTER, WORSE, NONE), strict=False)
    ]
    rows = [{"model": name, "agent": VALUE, "cells": cells} for name in models]
    return {"unit": "correct, %", "benchmark": benchmark, "libraries": dict.fromkeys(models, 20), "rows": rows}


PICTURES = [
    (scaling_picture, SCALING),
    (scaling_picture, scaling(NO_LAW, point(50, 2, 1))),
    (inheritance_picture, inheritance("apprentice", "apprentice-textbook", LONG)),
    (inheritance_picture, inheritance("one", benchmark="gsm8k")),
    (ablation_picture, ABLATION),
]


@pytest.mark.parametrize("width", [WIDE, PHONE])
@pytest.mark.parametrize(("draw", "result"), PICTURES)
def test_everything_stands_inside_the_picture(draw, result, width):
    canvas = draw(result, width)
    root = ET.fromstring(canvas.svg(alone=True))
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        if "title" in text.attrib["class"]:
            continue
        length = len(text.text) * LETTER * float(text.attrib["font-size"])
        start = float(text.attrib["x"]) - {"start": 0, "middle": 0.5, "end": 1}[text.attrib["text-anchor"]] * length
        assert start >= -4, text.text
        assert start + length <= width + 4, text.text
        assert 0 < float(text.attrib["y"]) <= canvas.height
    assert not re.search(r"nan|inf\b", canvas.svg())
    assert "http" not in canvas.svg().replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize(("draw", "result"), PICTURES)
def test_published_values_stand_apart_after_the_measured_ones(draw, result):
    svg = draw(result, PHONE).svg()
    said = "The paper publishes no inheritance" if result.get("benchmark") == "gsm8k" else "Published, not measured"
    before, found, after = svg.partition(said)
    assert found
    assert "published" not in before
    assert "whisker" not in after


def test_names_of_models_are_text_and_never_markup():
    name = "<script>alert(1)</script>&"
    svg = inheritance_picture(inheritance(name), WIDE).svg()
    assert "<script" not in svg
    ET.fromstring(svg)


def test_a_page_needs_no_network_and_shows_what_the_terminal_shows():
    table = Table("Measured here", ["variant", "value"], [["full", "54.0"], ["no <critic>", "0.0"]])
    assert table.lines() == ["variant      value", "full          54.0", "no <critic>    0.0"]
    page = Page("Ablation", "What <matters>", ["a remark"], [table], ["flex train --seed 1"])
    html = page.html(ablation_picture(ABLATION, WIDE), ablation_picture(ABLATION, PHONE))
    assert "no &lt;critic&gt;" in html
    assert "flex train --seed 1" in html
    assert not re.search(r'(src|href)="|url\(|@import|<script', html)
    assert "default-src 'none'" in unescape(html)


def test_ticks_are_round_and_cover_the_values():
    assert ticks(0, 20, 5) == [0, 5, 10, 15, 20]
    assert ticks(-31, 12, 5)[0] <= -31
    assert number(0.45) == "0.45"
    assert number(1904) == "1,904"


def test_long_names_are_broken_behind_hyphens():
    assert wrapped("apprentice-acylation", 11) == ["apprentice-", "acylation"]
    assert wrapped("abcdefghijkl", 5) == ["abcde", "fghij", "kl"]
    assert wrapped("two words", 20) == ["two words"]
