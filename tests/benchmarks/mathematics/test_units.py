"""What qualifies a value, and whether two of them contradict each other."""

import pytest

from flex.benchmarks.mathematics.units import Measured, compatible, measured


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("5 miles", "5", "mi"),
        ("5 km/h", "5", "km/h"),
        ("5 square feet", "5", "square ft"),
        ("5 cm^2", "5", "cm2"),
        ("4:30 p.m.", "4:30", "pm"),
        ("2516_8", "2516", "base-8"),
        ("101 (base two)", "101", "base-2"),
        ("7 mod 10", "7", "mod-10"),
        ("5 x", "5 x", ""),
        ("5", "5", ""),
    ],
)
def test_a_value_is_parted_from_its_unit(text, value, unit):
    assert measured(text) == Measured(value, unit)


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("5", "5 km", True),
        ("5 km", "5 kilometers", True),
        ("5 km", "5 miles", False),
        ("5 dollars", "5 dollars per day", True),
    ],
)
def test_only_what_both_say_has_to_agree(one, other, agree):
    assert compatible(measured(one), measured(other)) is agree
