"""The page: one file that needs no network, no server and no trust in what models wrote."""

from pathlib import Path

from markupsafe import Markup

from flex.evaluation.folder import Run, read_run
from flex.evaluation.verdicts import footnote
from flex.files.atomic import write_atomically
from flex.files.clock import now
from flex.report import problems, tables
from flex.report.drawings import Drawings
from flex.report.html import inline_hash, templates
from flex.report.safe_text import json_island, visible

_HERE = Path(__file__).parent
_TEMPLATES = templates(_HERE)


def write_report(folder: str | Path) -> Path:
    """Draw the run in a folder as `report.html` in it, and return the file's path.

    The folder is one of `flex eval --out`, or a script's results of a single setting. Raises RunError, OSError.
    """
    run = read_run(folder)
    path = run.folder / "report.html"
    write_atomically(path, render(run).encode())
    return path


def render(run: Run) -> str:
    """The page as HTML. Its only markup comes from our own files and drawings; every text of a run is escaped."""
    drawings = Drawings()
    matrix = problems.matrix(run)
    details = problems.details(run, matrix, drawings)
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    shared, different = tables.configuration(run)
    return _TEMPLATES.get_template("report.html").render(
        title=visible(f"{run.benchmark or run.folder.name} · {run.model}")[:160],
        written=now(),
        settings=[visible(setting.name)[: tables.NAME] for setting in run.settings],
        run=run,
        footnote=footnote(run.comparisons),
        tables=tables,
        problems=matrix,
        details=details,
        symbols=[(symbol, Markup(symbol.content)) for symbol in drawings.symbols],
        island=Markup(json_island(details.data)),
        same=shared,
        different=different,
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; script-src '{inline_hash(script)}'; style-src '{inline_hash(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'",
    )
