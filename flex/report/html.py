"""HTML out of templates: everything from outside is escaped, a variable that is missing is an error."""

from pathlib import Path

import jinja2


def templates(folder: Path) -> jinja2.Environment:
    """The HTML templates of a folder."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
