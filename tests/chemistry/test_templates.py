"""Templates in a text, and the patterns of strangers that are passed over."""

import pytest

from flex.chemistry.templates import MOST_ATOMS, TEMPLATES, applying, product_patterns
from tests.cpu_time import cpu_seconds_below


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        ("Use `[C:1]-[N:2]>>[C:1]Br.[N:2]` here.", ("[C:1]-[N:2]",)),
        ("forward: [C:1]Br.[N:2]>>[C:1]-[N:2].", ("[C:1]-[N:2]",)),
        ("[C:1]=[O:2]>>[C:1]-[O:2] and again [C:1]=[O:2]>>[C:1][O:2]", ("[C:1]=[O:2]",)),
        ("a >> b, 3>>1 is no molecule but is spelled so", ("3",)),
        ("no template: CCO.CC", ()),
        (" ".join(f"C{'C' * n}>>C.C" for n in range(50)), tuple("C" * n for n in range(1, TEMPLATES + 1))),
    ],
)
def test_the_product_side_of_a_template_is_the_one_with_fewer_molecules(text, patterns):
    assert product_patterns(text) == patterns


def test_a_pattern_counts_its_atoms_where_it_applies():
    assert applying(["[C:1](-[N:2])=[O:3]", "[N:1]-[S:2]", "[N:1]"], "CC(=O)Nc1ccccc1") == [3, 0, 1]
    assert applying(["C"], "no molecule") == [0]


@pytest.mark.parametrize(
    "pattern", ["(", "3", "C" * (MOST_ATOMS + 1), "*" * 12, "[!#1]~" * 28 + "[!#1]", "[$([#6]~[$([#6])])]" * 8, "A" * 9]
)
def test_what_cannot_be_read_or_could_take_long_applies_to_nothing(pattern, capfd):
    with cpu_seconds_below(1):
        assert applying([pattern], "c1ccc2c(c1)ccc1c2ccc2c1ccc1c2ccc2c1cccc2") == [0]
    assert "".join(capfd.readouterr()) == ""
