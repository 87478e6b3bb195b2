"""Which experiences a filter accepts."""

import pytest

from flex.search.query import EVERYTHING, Filter
from flex.search.structure import StructureIndex
from flex.search.text import SearchIndex
from flex.types import Experience

ENTRY = Experience("CC(=O)Oc1ccccc1", id="a", zone="warning", problem_category="esters", priority=-2)


@pytest.mark.parametrize("index", [SearchIndex, StructureIndex])
@pytest.mark.parametrize(
    ("wanted", "accepted"),
    [
        (EVERYTHING, True),
        (Filter(zones=["golden", "warning"]), True),
        (Filter(zones=["golden"]), False),
        (Filter(zones=[]), False),
        (Filter(categories=["esters"]), True),
        (Filter(categories=["amides"]), False),
        (Filter(min_priority=-3), True),
        (Filter(min_priority=1), False),
        (Filter(hidden=["a"]), False),
        (Filter(hidden=["b"]), True),
    ],
)
def test_every_index_finds_what_the_filter_accepts(index: type, wanted: Filter, accepted: bool):
    searched = index()
    searched.put([ENTRY])
    assert wanted.accepts(ENTRY) is accepted
    assert bool(searched.search("CC(=O)Oc1ccccc1", 5, wanted)) is accepted
