"""Lines, dots and words as SVG; colours are classes of page.css, so that a picture knows light from dark."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from flex.files.atomic import write_atomically

WIDE, PHONE = 760, 344
"""Widths that pictures are drawn for, in pixels at which their letters have their size."""
LETTER = 0.61
"""Mean width of a letter in units of its size."""


def css() -> str:
    """The colours of all pictures."""
    return (Path(__file__).parent / "picture.css").read_text(encoding="utf-8")


class Canvas:
    """A picture in the making; `height` grows as parts are put below one another."""

    def __init__(self, width: int, what: str) -> None:
        self.width = width
        self.height = 0.0
        self.what = what
        """Read aloud instead of the picture."""
        self.parts: list[str] = []

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        return self.svg(alone=True)

    def save(self, path: str | Path) -> Path:
        """Write the picture as an SVG file of its own, and return its path."""
        write_atomically(Path(path), self.svg(alone=True).encode())
        return Path(path)

    def text(self, x: float, y: float, words: str, kind: str = "label", anchor: str = "start", size: int = 12) -> None:
        place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
        self.parts.append(f'<text class="{kind}" {place}>{escape(words)}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self.parts.append(f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>')

    def path(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self.parts.append(f'<path class="{kind}" d="M{steps}"/>')

    def dot(self, x: float, y: float, kind: str, radius: float = 4) -> None:
        self.parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>')

    def box(self, x: float, y: float, width: float, height: float, kind: str, strength: float = 1) -> None:
        shape = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3"'
        self.parts.append(f'<rect class="{kind}" {shape} fill-opacity="{strength:.2f}"/>')

    def heading(self, y: float, words: str, kind: str = "title", x: float = 0, width: float | None = None) -> float:
        """A heading over several lines if need be; where it ends."""
        for line in wrapped(words, int((width or self.width) / (14 * 1.04 * LETTER))):
            y += 18
            self.text(x, y, line, kind, size=14)
        return y

    def note(self, y: float, words: str, x: float = 0, width: float | None = None) -> float:
        """A remark under a part; where it ends."""
        for line in wrapped(words, int((width or self.width) / (12 * LETTER))):
            y += 16
            self.text(x, y, line, "faint")
        return y

    def svg(self, *, alone: bool = False, kind: str = "") -> str:
        """The markup; `alone` for a file of its own, which brings its colours and background along."""
        size = f'width="{self.width}" height="{self.height:.0f}" viewBox="0 0 {self.width} {self.height:.0f}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" class="picture {kind}" {size} role="img">'
        style = f'<style>{css()}</style><rect class="paper" width="100%" height="100%"/>' if alone else ""
        return f"{head}<title>{escape(self.what)}</title>{style}{''.join(self.parts)}</svg>\n"


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from values to pixels with its ticks; `log` for equal ratios at equal distances."""

    low: float
    high: float
    ticks: Sequence[float]
    label: str
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, from 0 to 1."""
        low, high, value = (math.log(x) for x in (self.low, self.high, value)) if self.log else (
            self.low, self.high, value
        )  # fmt: skip
        return (value - low) / ((high - low) or 1.0)


@dataclass(frozen=True, slots=True)
class Point:
    """A value at x, with its interval where one is known."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(slots=True)
class Panel:
    """A frame with two axes; series put their names beside their last points."""

    canvas: Canvas
    left: float
    top: float
    width: float
    height: float
    x: Axis
    y: Axis
    labels: list[tuple[float, str, str]] = field(default_factory=list)
    right: float = 84
    """Room for the names of the series."""

    def at(self, x: float, y: float) -> tuple[float, float]:
        inner = self.width - self.right - 36
        return self.left + 36 + inner * self.x.share(x), self.top + self.height * (1 - self.y.share(y))

    def frame(self) -> None:
        """Grid, ticks and the names of the axes."""
        canvas = self.canvas
        canvas.text(self.left, self.top - 12, self.y.label, "faint", size=11)
        end = self.at(self.x.high, self.y.low)[0]
        for tick in self.y.ticks:
            _, y = self.at(self.x.low, tick)
            canvas.line(self.left + 36, y, end, y, "grid")
            canvas.text(self.left + 30, y + 4, number(tick), "tick", "end", 11)
        taken = math.inf
        for tick in reversed(self.x.ticks):
            x, y = self.at(tick, self.y.low)
            canvas.line(x, y, x, y + 4, "axis")
            if x + 11 * LETTER * len(number(tick)) / 2 + 4 < taken:
                canvas.text(x, y + 17, number(tick), "tick", "middle", 11)
                taken = x - 11 * LETTER * len(number(tick)) / 2
        canvas.line(self.left + 36, self.top + self.height, end, self.top + self.height, "axis")
        canvas.text(end, self.top + self.height + 32, self.x.label, "faint", "end", 11)

    def series(self, name: str, points: Sequence[Point], kind: str, shift: float = 0) -> None:
        """Joined dots with whiskers; `shift` moves whiskers that would lie on those of another series."""
        places = [(self.at(point.x, point.y), point) for point in points]
        self.canvas.path([place for place, _ in places], f"joined {kind}")
        for (x, y), point in places:
            if point.low is not None and point.high is not None:
                self.whisker(x + shift, point, kind)
            self.canvas.dot(x, y, f"dot {kind}")
        self.labels.append((places[-1][0][1], name, kind))

    def whisker(self, x: float, point: Point, kind: str) -> None:
        top, bottom = (self.at(point.x, y or 0.0)[1] for y in (point.high, point.low))
        self.canvas.line(x, top, x, bottom, f"whisker {kind}")
        for end in (top, bottom):
            self.canvas.line(x - 3, end, x + 3, end, f"whisker {kind}")

    def names(self) -> None:
        """The names of the series, moved apart where they would touch."""
        x = self.at(self.x.high, self.y.low)[0] + 8
        below = -math.inf
        for y, name, kind in sorted(self.labels):
            lines = name.split("\n")
            y = max(y + 4, below + 15)
            for line in lines:
                self.canvas.text(x, y, line, f"name {kind}", size=12)
                below = y
                y += 13


def number(value: float) -> str:
    """A tick: no more digits than it has."""
    return f"{value:,.0f}" if abs(value - round(value)) < 1e-9 else f"{value:g}"


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from at most `low` to at least `high`."""
    raw = (high - low) / most or 1.0
    unit = 10 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= raw)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(step * place, 10) for place in range(first, last + 1)]


def wrapped(words: str, letters: int) -> list[str]:
    """The words in lines of so many letters; a longer word is broken behind a hyphen or anywhere."""
    lines = [""]
    for word in words.split():
        while len(word) > letters:
            cut = word.rfind("-", 0, letters) + 1 or letters
            lines, word = [*(lines if lines[-1] else lines[:-1]), word[:cut], ""], word[cut:]
        if lines[-1] and len(lines[-1]) + 1 + len(word) > letters:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return [line for line in lines if line]
