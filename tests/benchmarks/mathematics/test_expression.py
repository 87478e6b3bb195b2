r"""Expressions: exact where they are rational, equal where they are the same function, refused where they run away."""

from fractions import Fraction

import pytest

from flex.benchmarks.mathematics.expression import letters, values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2+3*4", 14),
        ("2^3^2", 512),
        ("-2^2", -4),
        ("(1+2)(3)", 9),
        (r"\frac{1}{2}", Fraction(1, 2)),
        (r"\frac43", Fraction(4, 3)),
        (r"\sqrt{16}", 4),
        (r"\sqrt[3]{-8}", -2),
        (r"\binom{5}{2}", 10),
        ("4!/2!", 12),
        ("|3-5|", 2),
        ("1.5e3", 1500),
        ("0.1+0.2", Fraction(3, 10)),
    ],
)
def test_a_rational_expression_is_exact(text, value):
    assert values(text) == (value,)


@pytest.mark.parametrize(
    "text", ["", "1/0", "3 5", "(1", "1)", "words", "2^10000000", "9999!", "1,2", r"\unknown", "=", "^2"]
)
def test_what_is_no_expression_or_out_of_reach_has_no_value(text):
    assert values(text) is None


def test_letters_take_other_values_than_each_other():
    assert letters("xy + x_1") == {"x", "y", "x_1"}
    assert len({values(letter) for letter in "abcdfghjklmnopqrstuvwxyzABCXYZ"}) == 30
