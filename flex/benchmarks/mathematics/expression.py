r"""Expressions such as `\frac{3\sqrt{x}}{4}`, `2^{10}` or `(x+1)(x-1)`: their values, by a parser of our own.

Rational numbers are exact, everything else is a complex number, letters take fixed values. Nothing is executed, and
numbers that would grow without bound are refused.
"""

import cmath
import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction

Number = Fraction | complex
"""Exact where it is rational."""

POINTS = 3
"""Values of the letters at which two expressions are compared."""
MOST_BITS = 20_000
"""Of a number; 2000! has 19,000."""
DEEPEST = 60
"""Brackets and fractions within each other."""

_TOKEN = re.compile(
    r"\s*(\d+(?:\.\d*)?(?:[eE][-+]?\d{1,3}(?![\dA-Za-z]))?|\.\d+|\\[A-Za-z]+|[A-Za-z]+(?:_\{\w+\}|_\w|'+)?|\S)"
)
_FUNCTIONS: Mapping[str, Callable[[complex], complex]] = {
    "sin": cmath.sin, "cos": cmath.cos, "tan": cmath.tan, "ln": cmath.log, "log": cmath.log, "exp": cmath.exp,
    "arcsin": cmath.asin, "arccos": cmath.acos, "arctan": cmath.atan, "sinh": cmath.sinh, "cosh": cmath.cosh,
    "sec": lambda z: 1 / cmath.cos(z), "csc": lambda z: 1 / cmath.sin(z), "cot": lambda z: 1 / cmath.tan(z),
}  # fmt: skip
_CONSTANTS: Mapping[str, complex] = {"pi": cmath.pi, "e": cmath.e, "i": 1j}
_GREEK = re.compile(
    r"alpha|beta|gamma|delta|epsilon|theta|lambda|mu|nu|rho|sigma|tau|(?:var)?phi|omega|ell|infty", re.I
)
_OPENING = {"(": ")", "[": "]", "{": "}"}


class NoExpressionError(ValueError):
    """A text that is no expression, or one whose value is out of reach."""


def values(text: str) -> tuple[Number, ...] | None:
    """The values of an expression at some points, a single one when it has no letters; None when it is no expression.

    The text is as `typography.plain` leaves it.
    """
    try:
        parser = _Parser(text, 0)
        found = [parser.read()]
        if parser.letters:
            found += [_Parser(text, point).read() for point in range(1, POINTS)]
    except (NoExpressionError, ArithmeticError, RecursionError, ValueError):
        return None
    return tuple(found)


def letters(text: str) -> frozenset[str]:
    """The letters of an expression, none when it is no expression."""
    parser = _Parser(text, 0)
    try:
        parser.read()
    except (NoExpressionError, ArithmeticError, RecursionError, ValueError):
        return frozenset()
    return frozenset(parser.letters)


def equal(one: Number, other: Number) -> bool:
    """Whether two values are the same: exactly, or within rounding where one of them is irrational."""
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return one == other
    return close(_inexact(one), _inexact(other))


def close(one: complex, other: complex) -> bool:
    size = max(abs(one), abs(other))
    return 1e-200 < size < 1e200 and abs(one - other) <= 1e-11 * size


class _Parser:
    """Recursive descent: sums of products of powers; what stands side by side is multiplied."""

    def __init__(self, text: str, point: int) -> None:
        self._tokens = _TOKEN.findall(text)
        self._at = 0
        self._depth = 0
        self._point = point
        self.letters: set[str] = set()

    def read(self) -> Number:
        value = self._sum()
        if self._next():
            raise NoExpressionError(f"'{self._next()}' is left over")
        return value

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        token = self._next()
        if wanted and token not in wanted:
            return ""
        self._at += 1
        return token

    def _sum(self) -> Number:
        self._depth += 1
        if self._depth > DEEPEST:
            raise NoExpressionError("nested too deeply")
        sign = self._take("+", "-")
        value = self._product()
        value = -value if sign == "-" else value
        while sign := self._take("+", "-"):
            term = self._product()
            value = _bounded(_add(value, -term if sign == "-" else term))
        self._depth -= 1
        return value

    def _product(self) -> Number:
        value = self._power()
        while token := self._next():
            if token in ("*", "/"):
                self._take()
                sign = self._take("+", "-")
                factor = self._power()
                factor = -factor if sign == "-" else factor
                value = _divide(value, factor) if token == "/" else _multiply(value, factor)
            elif token in ("(", "[", "{", "|") or token[0] == "\\" or token[0].isalpha():
                if token == "|" and self._tokens[: self._at].count("|") % 2:
                    break  # this one closes
                value = _multiply(value, self._power())
            else:
                break
        return value

    def _power(self) -> Number:
        base = self._atom()
        while True:
            if self._take("!"):
                base = _factorial(base)
            elif self._take("^"):
                return _power(base, self._exponent())
            else:
                return base

    def _exponent(self) -> Number:
        sign = self._take("-", "+")
        value = self._power()  # to the right: 2^3^2 is 2^9
        return -value if sign == "-" else value

    def _atom(self) -> Number:
        token = self._take()
        if token in _OPENING:
            value = self._sum()
            if not self._take(_OPENING[token]):
                raise NoExpressionError(f"'{token}' is never closed")
            return value
        if token == "|":
            value = self._sum()
            if not self._take("|"):
                raise NoExpressionError("'|' is never closed")
            return abs(value) if isinstance(value, Fraction) else complex(abs(value))
        if token[:1].isdigit() or token[:1] == ".":
            return _bounded(Fraction(token))
        name = token.lstrip("\\")
        if token in ("\\frac", "\\binom"):
            above, below = self._argument(), self._argument()
            return _divide(above, below) if token == "\\frac" else _binomial(above, below)
        if name == "sqrt":
            return self._root()
        if name in _FUNCTIONS and (token[0] == "\\" or self._next() in ("(", "{")):
            return self._function(name)
        return self._letter(token)

    def _argument(self) -> Number:
        r"""A group, a single digit as in `\frac43`, or a single letter or command."""
        token = self._next()
        if re.fullmatch(r"\d{2,}", token):
            self._tokens[self._at : self._at + 1] = [token[0], token[1:]]
        return self._atom()

    def _root(self) -> Number:
        degree = Fraction(2)
        if self._next() == "[":
            degree = _exact(self._atom())
        value = self._argument()
        return _power(value, _divide(Fraction(1), degree))

    def _function(self, name: str) -> Number:
        base: Number | None = None
        if name == "log" and self._take("_"):
            base = self._argument()
        exponent = self._argument() if self._take("^") else Fraction(1)
        bracketed = self._next() in _OPENING
        argument = self._power()
        while not bracketed and (self._next()[:1].isalpha() or self._next() == "\\pi"):  # \sin 2x
            argument = _multiply(argument, self._power())
        value: Number = _FUNCTIONS[name](_inexact(argument))
        if base is not None:
            value = _divide(value, cmath.log(_inexact(base)))
        return _power(value, exponent)

    def _letter(self, token: str) -> Number:
        name = token.lstrip("\\")
        if name in _CONSTANTS and (len(name) == 1 or token != name or name == "pi"):
            return _CONSTANTS[name]
        if token[:1] == "\\" and not _GREEK.fullmatch(name):
            raise NoExpressionError(f"'{token}' is unknown")
        if not name[:1].isalpha():
            raise NoExpressionError(f"'{token}' is no value")
        run = re.match(r"[A-Za-z]+", name)
        if token[:1] != "\\" and run and len(run[0]) > 1:
            if len(run[0]) > 4 or not run[0].islower():
                raise NoExpressionError(f"'{token}' is a word")
            self._tokens[self._at : self._at] = [*run[0][1:-1], run[0][-1] + name[run.end() :]]
            return self._letter(run[0][0])
        self.letters.add(name)
        # Between 1 and 3, so that roots and logarithms are real, and another one for each letter and point.
        seed = sum((place + 1) * ord(character) for place, character in enumerate(name))
        return Fraction(1009 + (seed * 7919 + self._point * 104_729) % 1_999, 997)


def _inexact(value: Number) -> complex:
    return complex(float(value)) if isinstance(value, Fraction) else value


def _exact(value: Number) -> Fraction:
    if not isinstance(value, Fraction):
        raise NoExpressionError("not a rational number")
    return value


def _bounded(value: Number) -> Number:
    if isinstance(value, Fraction):
        if value.numerator.bit_length() + value.denominator.bit_length() > MOST_BITS:
            raise NoExpressionError("too large")
    elif not cmath.isfinite(value):
        raise NoExpressionError("too large")
    return value


def _add(one: Number, other: Number) -> Number:
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return one + other
    return _inexact(one) + _inexact(other)


def _multiply(one: Number, other: Number) -> Number:
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return _bounded(one * other)
    return _bounded(_inexact(one) * _inexact(other))


def _divide(one: Number, other: Number) -> Number:
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return _bounded(one / other)
    return _bounded(_inexact(one) / _inexact(other))


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        if exponent.denominator == 1:
            bits = base.numerator.bit_length() + base.denominator.bit_length()
            if abs(exponent) * bits > MOST_BITS:
                raise NoExpressionError("too large")
            return Fraction(base**exponent.numerator)
        if (root := _rational_root(base, exponent.denominator)) is not None:
            return _power(root, Fraction(exponent.numerator))
        if base < 0 and exponent.denominator % 2:  # the real root, not the principal one
            return -_inexact(_power(-base, exponent)) if exponent.numerator % 2 else _power(-base, exponent)
    return _bounded(_inexact(base) ** _inexact(exponent))


def _rational_root(value: Fraction, degree: int) -> Fraction | None:
    """The root when it is rational."""
    if value < 0 and degree % 2:
        root = _rational_root(-value, degree)
        return None if root is None else -root
    if value < 0 or degree > 64 or max(value.numerator, value.denominator) > 10**30:
        return None
    above, below = (round(part ** (1 / degree)) for part in (value.numerator, value.denominator))
    root = Fraction(above, below or 1)
    return root if root**degree == value else None


def _factorial(value: Number) -> Number:
    whole = _exact(value)
    if whole.denominator != 1 or not 0 <= whole <= 2100:
        raise NoExpressionError("no factorial within reach")
    return _bounded(Fraction(math.factorial(whole.numerator)))


def _binomial(above: Number, below: Number) -> Number:
    n, k = _exact(above), _exact(below)
    if n.denominator != 1 or k.denominator != 1 or not 0 <= k <= n <= 2000:
        raise NoExpressionError("no binomial coefficient within reach")
    return Fraction(math.comb(n.numerator, k.numerator))
