"""A small page around a picture: what it shows in a sentence, the same as tables, and the commands behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from flex.report.canvas import Canvas, css
from flex.report.html import inline_hash, templates

_HERE = Path(__file__).parent
_TEMPLATES = templates(_HERE)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of words, printed and shown alike."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def left(self) -> list[bool]:
        """Which columns start at the left: the first one, and those of words."""
        columns = zip(self.heads, *self.rows, strict=True)
        return [place == 0 or max(map(len, column)) > 30 for place, column in enumerate(columns)]

    def lines(self) -> list[str]:
        """For a terminal: the first column to the left, words longer than a number too, the others to the right."""
        widths = [max(map(len, column)) for column in zip(self.heads, *self.rows, strict=True)]
        return [
            "  ".join(
                cell.ljust(width) if self.left[place] else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (self.heads, *self.rows)
        ]


@dataclass(frozen=True, slots=True)
class Page:
    """Everything around a picture."""

    kicker: str
    headline: str
    remarks: Sequence[str]
    tables: Sequence[Table]
    commands: Sequence[str] = ()
    apprentice: bool = False

    def html(self, wide: Canvas, phone: Canvas) -> str:
        """One file without requests: the wide picture, and on a phone the narrow one."""
        style = (_HERE / "page.css").read_text(encoding="utf-8") + css()
        return _TEMPLATES.get_template("page.html").render(
            page=self,
            style=Markup(style),
            wide=Markup(wide.svg(kind="wide")),
            phone=Markup(phone.svg(kind="phone")),
            policy=f"default-src 'none'; style-src '{inline_hash(style)}'; base-uri 'none'; form-action 'none'",
        )
