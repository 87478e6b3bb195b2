"""Molecules and scatters as SVG symbols: each is drawn once, and shown with `<use>` wherever it occurs."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from flex.chemistry.molecules import molecules

MOST_ATOMS = 150
MOST_POINTS = 1500
_PATH = re.compile(r"<path class='[^']*' d='([^']*)' style='([^']*)'")
_LETTER = re.compile(
    r"<text x='([\d.-]+)' y='([\d.-]+)' class='[^']*' style='font-size:(\d+)px([^']*)' >([\w+*-]{1,3})<"
)
_SIZE = re.compile(r"viewBox='0 0 (\d+) (\d+)'")
_INKS = {"FF0000": "o", "0000FF": "n", "CCCC00": "s", "33CCCC": "h", "00CC00": "h", "7F4C19": "h", "A01EEF": "h"}
"""RDKit's colours of O, N, S and the halogens, as classes of report.css; the rest is ink."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """The content of an SVG `<symbol>` of this size; markup made here, of numbers and element symbols only."""

    id: str
    width: int
    height: int
    content: str


class Drawings:
    """The drawings of one page; asking for the same one again gives the same id."""

    def __init__(self) -> None:
        self._drawn: dict[object, Symbol | None] = {}
        self.bytes = 0
        """Size of all symbols so far."""

    @property
    def symbols(self) -> list[Symbol]:
        return [symbol for symbol in self._drawn.values() if symbol is not None]

    def molecule(self, smiles: str | None) -> str | None:
        """The id of the drawing of one or several molecules; None for what is not a SMILES, or a very large one."""
        parts = molecules(smiles or "")
        return self._id(parts, lambda: _molecule(".".join(parts or ()))) if parts else None

    def scatter(self, points: Sequence[tuple[float, float]]) -> str | None:
        """The id of a scatter of (prediction, measurement); None when there is nothing to draw."""
        finite = tuple(point for point in points if all(map(math.isfinite, point)))
        return self._id(finite, lambda: _scatter(finite)) if len(finite) > 1 else None

    def _id(self, key: object, draw: "Callable[[], tuple[int, int, str] | None]") -> str | None:
        if key not in self._drawn:
            drawn = draw()
            self._drawn[key] = Symbol(f"d{len(self._drawn)}", *drawn) if drawn else None
            self.bytes += len(drawn[2]) + 60 if drawn else 0
        symbol = self._drawn[key]
        return symbol.id if symbol else None


def _molecule(smiles: str) -> tuple[int, int, str] | None:
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    molecule = Chem.MolFromSmiles(smiles)
    if molecule.GetNumAtoms() > MOST_ATOMS:
        return None
    drawer = rdMolDraw2D.MolDraw2DSVG(-1, -1, -1, -1, True)  # as large as it needs, letters as text
    options: Any = drawer.drawOptions()
    options.clearBackground, options.fixedBondLength, options.bondLineWidth = False, 22, 1.4
    try:
        rdMolDraw2D.PrepareAndDrawMolecule(drawer, molecule)
    except (ValueError, RuntimeError):  # a molecule that exists but cannot be laid out is shown as its SMILES
        return None
    drawer.FinishDrawing()
    return _compact(drawer.GetDrawingText())


def _compact(svg: str) -> tuple[int, int, str]:
    """RDKit's drawing at a tenth of its size: one path an ink, colours as classes that know dark from light."""
    size = _SIZE.search(svg)
    lines = sorted(
        (f"{'l' if 'fill:none' in style else 'f'}{_ink(style)}", _numbers(path)) for path, style in _PATH.findall(svg)
    )
    paths = [
        f'<path class="{ink}" d="{"".join(path for _, path in group)}"/>'
        for ink, group in groupby(lines, key=lambda line: line[0])
    ]
    letters = [
        f'<text class="f{_ink(style)}" x="{x}" y="{y}" font-size="{points}">{letter}</text>'
        for x, y, points, style, letter in _LETTER.findall(svg)
    ]
    width, height = (int(size[1]), int(size[2])) if size else (0, 0)
    return width, height, "".join(paths + letters)


def _ink(style: str) -> str:
    colours = re.findall(r"#([0-9A-F]{6})", style)
    return _INKS.get(colours[-1], "k") if colours else "k"


def _numbers(path: str) -> str:
    return re.sub(r"\s*([MLQCZ])\s*", r"\1", path).replace(".0", "").replace(",", " ")


def _scatter(points: Sequence[tuple[float, float]]) -> tuple[int, int, str]:
    """Prediction to the right, measurement upwards, each from its least to its greatest value."""
    step = max(1, math.ceil(len(points) / MOST_POINTS))
    (left, right), (bottom, top) = ((min(values), max(values)) for values in zip(*points, strict=True))
    dots = "".join(
        f"M{34 + 258 * (x - left) / ((right - left) or 1):.1f} {166 - 158 * (y - bottom) / ((top - bottom) or 1):.1f}h0"
        for x, y in points[::step]
    )
    frame = '<path class="lk" d="M30 4V170H296"/>'
    texts = [(30, 184, "start", left), (296, 184, "end", right), (26, 170, "end", bottom), (26, 14, "end", top)]
    labels = "".join(
        f'<text class="fk" x="{x}" y="{y}" text-anchor="{anchor}" font-size="10">{value:.3g}</text>'
        for x, y, anchor, value in texts
    )
    return 300, 190, f'{frame}<path class="dots" d="{dots}"/>{labels}'
