r"""What TeX, Markdown and Unicode stand for in an answer."""

import pytest

from flex.benchmarks.mathematics.typography import plain


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (r"$\dfrac12$", r"\frac{1}{2}"),
        ("½", "1/2"),
        ("3½", "(3+1/2)"),
        (r"3\frac{1}{2}", r"(3+\frac{1}{2})"),
        (r"\left( 1,\, 2 \right]", "( 1, 2 ]"),
        ("**42**", "42"),
        ("x**2", "x^2"),
        ("x²", "x^2"),
        ("a₁", "a_1"),
        (r"x \leqslant 5", "x <= 5"),
        ("1 234 567", "1234567"),
        ("1,00,000", "100000"),
        (r"50\%", "50 percent"),
        (r"7 \pmod{10}", "7 mod 10"),
        (r"0.1\overline{6}", r"\frac{15}{90}"),
        ("2 million", "2*10^{6}"),
        (r"\boxed{\text{Yes}}", "Yes"),
        (r"\textcolor{red}{7}", "{7}"),
        ("<b>7</b>", "7"),
        ("7\u200b", "7"),
        (".5", ".5"),
        ("5.", "5"),
    ],
)
def test_typography_is_read_as_what_it_stands_for(text, meant):
    assert plain(text) == meant
