"""The pictures of the experiments: static SVG, drawn for a wide page and for a phone, and the page around them.

scaling.py      accuracy, library and error as a library grows
inheritance.py  a matrix of who uses whose library
ablation.py     one thing taken away at a time
page.py         picture, table and commands through page.html and page.css
Measured values are filled and have intervals; published ones are hollow, in a part of their own that says so.
"""

from flex.experiments.pictures.page import Page as Page
from flex.experiments.pictures.page import Table as Table

__all__ = ["Page", "Table"]
