r"""When two mathematical answers are the same: `\dfrac{9}{2}` is 4.5, (1, 2) is not [1, 2], 5 miles are not 5 km.

Numbers are compared exactly, expressions by their values, equations and inequalities side by side, tuples item by item,
lists and sets in any order, all else as text. What only one of the two says, a unit, a base, "mod 1000" or "x =", is
not held against it; what both say has to agree.
"""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction

from flex.benchmarks.mathematics.expression import Number, close, equal, letters, values
from flex.benchmarks.mathematics.typography import plain
from flex.benchmarks.mathematics.units import Measured, compatible, measured

ABOUT = re.compile(r"^\s*(?:\\approx|≈|~|about|approximately|approx\.?|around|roughly|exactly|circa)\s*", re.IGNORECASE)
_CURRENCY = re.compile(r"^(?:US\$?|USD|EUR|GBP|INR|Rs\.?|dollars?)\s*(?=[-\d.])", re.IGNORECASE)
_RELATION = re.compile(r"(<=|>=|!=|=>|->|<|>|=|\\approx|\\in(?![A-Za-z]))")
_TURNED = {">": "<", ">=": "<="}
_MATRIX = re.compile(r"\\begin\{([pbB]?|small)matrix\}(.*)\\end\{\w*matrix\}")
_MEMBER = re.compile(r"\s*(?:,\s*and\s|,\s*or\s|[,;]|\band\b|\bor\b)\s*")
_PAIRS = {"(": ")", "[": "]", "{": "}", "\\{": "\\}", "\\langle": "\\rangle"}
_BRACKET = re.compile(r"\\[{}]|\\[lr]angle|[()\[\]{}]")
_DIGIT_GROUPS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_NAME = re.compile(r"\\?[A-Za-z]\w*'*(?:_(?:\w|\{\w+\}))?(?:\([\w, ]+\))?|\([A-Za-z](?:_\w)?(?:, ?[A-Za-z](?:_\w)?)*\)")
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}")
_WORD = re.compile(r"(?<![\\A-Za-z])(?:[A-Z][a-z]{2,}|YES|NO|TRUE|FALSE|NONE|No)(?![A-Za-z])")
_CHOICE = re.compile(r"\(?([A-Za-z])\)?[.:]?")


_OPTION = re.compile(r"\(([A-J])\)\s*([^\s,;].*)")
_LABEL = re.compile(r"^[A-Za-z][A-Za-z ]{2,}: ")
_REMARK = re.compile(r"(?<=\S)\s\((?!\s*(?:mod|base|in base))[^()]*[A-Za-z]{3,}[^()]*(?:\([^()]*\)[^()]*)*\)$")
"""Words in brackets behind a value."""


def same(answer: str, target: str) -> bool:
    """Whether an answer, as it was written, is the target."""
    return _same(plain(answer), plain(target))


def exact(text: str) -> Fraction | None:
    """The rational number that an answer comes to, without a unit or the left side of an equation; None for others."""
    said = _said(_bare(plain(text)))
    number = _number(said.text) if said is not None else None
    return number if isinstance(number, Fraction) else None


def _same(mine: str, theirs: str) -> bool:
    if not mine or not theirs:
        return False
    if _letter_for_letter(mine) == _letter_for_letter(theirs):
        return True
    mine, theirs = (_LABEL.sub("", ABOUT.sub("", text)) for text in (mine, theirs))
    for one, other in ((mine, theirs), (theirs, mine)):  # "(C) 73" is C, and 73
        if (option := _OPTION.fullmatch(one)) and not _OPTION.fullmatch(other):
            return _same(option[1] if _CHOICE.fullmatch(other) else option[2], other)
    if not _RELATION.search(theirs) and _collection(mine)[0] != "list":
        mine = _bare(mine)
    if (listed := _as_lists(mine, theirs)) is not None:
        return listed
    if _RELATION.search(theirs):
        return _same_relation(mine, theirs)
    return _same_value(mine, theirs)


def _letter_for_letter(text: str) -> str:
    """A text to be compared as such; words, not letters, are the same in capitals."""
    choice = _CHOICE.fullmatch(text)
    text = _WORD.sub(lambda found: found[0].lower(), choice[1] if choice else text)
    return re.sub(r"(?<![A-Za-z]) | (?![A-Za-z])", "", text)


# Tuples, sets, lists, unions and matrices


def _as_lists(mine: str, theirs: str) -> bool | None:
    """Whether two collections are the same; None when neither is one."""
    kind, items = _collection(theirs)
    my_kind, my_items = _collection(mine)
    if not kind and not my_kind:
        return None
    for grouped, other in ((mine, kind), (theirs, my_kind)):  # "1,000" is a number, unless the other is a list
        if _DIGIT_GROUPS.fullmatch(grouped) and not other:
            return None
    if "list" in (kind, my_kind):
        kind, my_kind = kind or "list", my_kind or "list"
    if kind != my_kind or len(items) != len(my_items):
        return False
    if kind in ("list", "\\cup"):
        return _same_in_any_order(my_items, items)
    return all(map(_same, my_items, items))


def _collection(text: str) -> tuple[str, Sequence[str]]:
    """What kind of collection a text is, by its brackets, and its items; ("", (text,)) for a single value."""
    if matrix := _MATRIX.fullmatch(text):
        rows = [row for row in matrix[2].split("\\\\") if row.strip()]
        return f"matrix {len(rows)}", [cell.strip() for row in rows for cell in row.split("&")]
    if len(parts := _split(text, re.compile(r"\\cup"))) > 1:
        return "\\cup", parts
    around = _brackets_around(text)
    if around:
        inner = text[len(around[0]) : -len(around[1])].strip()
        items = _split(inner, _MEMBER)
        if around[0] == "\\{":
            return "list", items
        return ("".join(around), items) if len(items) > 1 else ("", (text,))
    if "\\pm" in text:
        return "list", [item for sign in "+-" for item in [text.replace("\\pm", sign).strip().removeprefix("+")]]
    items = _split(text, _MEMBER)
    if len(items) > 1 and not _relations_chain(items):
        return "list", items
    return "", (text,)


def _relations_chain(items: Sequence[str]) -> bool:
    """Whether what looks like a list is prose around one equation: "1 hour and 13 minutes = 73 minutes"."""
    return len(items) == 2 and "=" in items[1] and "=" not in items[0] and bool(_PROSE.search(items[1].split("=")[0]))


def _brackets_around(text: str) -> tuple[str, str] | None:
    """The brackets that open at the beginning and close at the end, half-open ones included."""
    found = list(_BRACKET.finditer(text))
    if len(found) < 2 or found[0].start() != 0 or found[-1].end() != len(text):
        return None
    depth = 0
    for bracket in found[:-1]:
        depth += 1 if bracket[0] in _PAIRS else -1
        if depth <= 0:
            return None
    return (found[0][0], found[-1][0]) if found[0][0] in _PAIRS and found[-1][0] not in _PAIRS else None


def _split(text: str, separator: re.Pattern[str]) -> list[str]:
    """The parts between separators that stand outside of all brackets."""
    depths, depth = [], 0
    brackets = {bracket.start(): 1 if bracket[0] in _PAIRS else -1 for bracket in _BRACKET.finditer(text)}
    for place in range(len(text)):
        depth += brackets.get(place, 0)
        depths.append(depth)
    parts, start = [], 0
    for found in separator.finditer(text):
        if found.end() < len(text) and depths[found.start()] == 0:
            parts.append(text[start : found.start()].strip())
            start = found.end()
    return [part for part in (*parts, text[start:].strip()) if part]


def _same_in_any_order(mine: Sequence[str], theirs: Sequence[str]) -> bool:
    left = list(theirs)
    for item in mine:
        twin = next((other for other in left if _same(item, other)), None)
        if twin is None:
            return False
        left.remove(twin)
    return True


# Equations and inequalities


def _same_relation(mine: str, theirs: str) -> bool:
    """Against a target with a relation: the same one, or the value of its left side where that is a single name."""
    sides, signs = _relation(theirs)
    my_sides, my_signs = _relation(mine)
    if not my_signs:
        return signs in (["="], ["\\in"]) and bool(_NAME.fullmatch(sides[0])) and _same(mine, sides[1])
    if my_signs == signs and len(sides) == len(my_sides) and all(map(_same, my_sides, sides)):
        return True
    return my_signs == signs == ["="] and _same_equation(my_sides, sides)


def _relation(text: str) -> tuple[list[str], list[str]]:
    """The sides and the signs between them, turned so that the smaller side comes first."""
    parts = [part.strip() for part in _RELATION.split(text)]
    sides, signs = parts[::2], parts[1::2]
    if signs and all(sign in _TURNED for sign in signs):
        return sides[::-1], [_TURNED[sign] for sign in signs[::-1]]
    return sides, ["=" if sign == "\\approx" else sign for sign in signs]


def _same_equation(mine: Sequence[str], theirs: Sequence[str]) -> bool:
    """Whether one equation is a multiple of the other: 3x + 4y + 14 = 0 and 3x + 4y = -14."""
    (my_left, my_right), (left, right) = mine, theirs
    names = letters(left) | letters(right)
    if not names or names != letters(my_left) | letters(my_right):
        return False
    one, other = values(f"({my_left})-({my_right})"), values(f"({left})-({right})")
    if one is None or other is None or len(one) != len(other):
        return False
    ratios = [complex(a) / complex(b) for a, b in zip(one, other, strict=True) if b]
    return len(ratios) == len(one) and all(close(ratio, ratios[0]) for ratio in ratios)


def _bare(text: str) -> str:
    """The side of an equation that is the answer: `m+n = 5+7 = 12`, `12 = m+n`; the text itself if there is no such."""
    sides, signs = _relation(ABOUT.sub("", text))
    if not signs or any(sign not in ("=", "\\in", "->", "=>") for sign in signs):
        return ABOUT.sub("", text)
    last, first = sides[-1], sides[0]
    if all(_is_left_side(side, last) for side in sides[:-1]):
        return last
    return first if all(_is_left_side(side, first) for side in sides[1:]) else text


def _is_left_side(side: str, value: str) -> bool:
    """Whether a side only names what the other is: a symbol, a sum or product of them, words, or the same number."""
    if not side or _NAME.fullmatch(side) or _PROSE.search(side):
        return True
    if number := values(side):
        names = letters(side)
        if not names:
            return _same_value(side, value)
        return bool(re.search(r"(?<=.)[-+]", side)) or not re.search(r"(?<![_\w{])\d", side)
    return bool(re.fullmatch(r"\|?(?:\\angle|\\triangle|\\overline)?\s*\{?[A-Z]{1,4}\}?\|?", side)) or bool(number)


# Values


def _same_value(mine: str, theirs: str) -> bool:
    """Two answers without a relation in the target: their numbers or expressions, and what both say of units."""
    if "\\approx" in mine and any(_same_value(side, theirs) for side in _relation(mine)[0] if side):
        return True
    me, they = _said(_bare(mine)), _said(theirs)
    if me is None or they is None or not compatible(me, they):
        return False
    if _letter_for_letter(me.text) == _letter_for_letter(they.text):
        return bool(me.text)
    one, other = values(me.text), values(they.text)
    if one is None or other is None:
        return False
    points = max(len(one), len(other))  # a single value is one everywhere: sin^2 x + cos^2 x is 1
    if all(map(_decimals_are_exact(me.text, they.text), one * (points // len(one)), other * (points // len(other)))):
        return True
    percent = [said.unit == "percent" for said in (me, they)]
    if sum(percent) == 1 and len(one) == 1:  # 10 % is 10, as some ask, and 0.1
        one_hundredth = (one[0] / 100, other[0]) if percent[0] else (one[0], other[0] / 100)
        return equal(*one_hundredth)
    return False


def _decimals_are_exact(mine: str, theirs: str) -> Callable[[Number, Number], bool]:
    """How to compare: 1.41 is not the root of two, however many decimals it has."""
    decimal = re.search(r"\d\.\d", mine + " " + theirs)

    def agree(one: Number, other: Number) -> bool:
        return equal(one, other) and not (decimal and isinstance(one, Fraction) != isinstance(other, Fraction))

    return agree


def _said(text: str) -> Measured | None:
    """A value and its unit; None when it is only an unfinished relation."""
    text = _REMARK.sub("", _CURRENCY.sub("", ABOUT.sub("", _LABEL.sub("", text))))
    if _DIGIT_GROUPS.match(text):
        text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    return measured(text) if text else None


def _number(text: str) -> Number | None:
    found = values(text)
    return found[0] if found is not None and len(found) == 1 else None
