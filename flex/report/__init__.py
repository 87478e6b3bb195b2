"""One page on a run for people: `write_report(folder)` draws report.html from the files of a run, and nothing else.

safe_text.py  how a text that a model wrote may stand in the page
tables.py     headline, metrics, cost, failures, leakage, configuration
problems.py   the matrix, and the details of every problem within a budget of bytes
drawings.py   molecules and scatters as SVG symbols
page.py       all of it through report.html, report.css and report.js
canvas.py     lines, dots and words on a picture; forest.py  an evaluation as one
"""

from flex.report.page import write_report

__all__ = ["write_report"]
