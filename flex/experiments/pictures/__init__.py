"""The pictures of the experiments: static SVG, drawn for a wide page and for a phone, and the page around them.

Measured values are filled and have intervals; published ones are hollow, in a part of their own that says so.
"""

from flex.experiments.pictures.page import Page as Page
from flex.experiments.pictures.page import Table as Table

__all__ = ["Page", "Table"]
