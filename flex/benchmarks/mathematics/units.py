"""What stands behind a value: a unit, "percent", the base of its digits, "mod 1000", a.m. or p.m."""

import re
from dataclasses import dataclass

_ALIASES = {
    alias: unit
    for unit, aliases in {
        "mm": "millimeter millimetre", "cm": "centimeter centimetre", "m": "meter metre", "km": "kilometer kilometre",
        "in": "inch inche", "ft": "foot feet", "yd": "yard", "mi": "mile", "s": "second sec", "min": "minute",
        "h": "hour hr", "d": "day", "wk": "week", "mo": "month", "yr": "year", "mg": "milligram", "g": "gram",
        "kg": "kilogram", "lb": "pound lbs", "oz": "ounce", "l": "liter litre L", "ml": "milliliter millilitre mL",
        "gal": "gallon", "mph": "", "kmh": "kph", "cent": "¢", "dollar": "USD usd buck", "euro": "EUR", "rad": "radian",
        "J": "joule", "N": "newton", "W": "watt", "V": "volt", "A": "ampere amp", "Hz": "hertz", "K": "kelvin",
        "C": "celsius", "F": "fahrenheit", "mol": "mole", "Pa": "pascal", "percent": "",
    }.items()
    for alias in (unit, *aliases.split())
}  # fmt: skip
"""How a unit of measurement is written, without the s of a plural; each is another one."""
_KNOWN = frozenset(_ALIASES.values())
_NO_UNIT = r"pi|sqrt|or|and|to|mod|times|dozen|half|base|sin|cos|tan|log|ln|exp|if|for|where|is|not|th"
_WORD = rf"(?!(?:{_NO_UNIT})\b)(?:[A-Za-zµ¢]{{2,}}\.?|[msghlLJNWVACFK](?![A-Za-z(]))"
_UNIT = re.compile(
    rf"(?<=[\d)}}])\s*({_WORD}(?:\^\{{?-?\d\}}?|[23](?!\d))?(?:[\s/*.-]+(?:{_WORD})(?:\^\{{?-?\d\}}?|[23](?!\d))?)*)$"
)
_BASE = re.compile(
    r"\(?(-?\d[\dA-Fa-f]*(?:\.\d+)?)\)?(?:_\{?\s*(?:base\s*)?(\w+)\s*\}?|\s*\(?\s*(?:in\s+)?base\s+(\w+)\)?)"
)
_MODULUS = re.compile(r"(.*\S)\s+mod\s+(\w+)")
_CLOCK = re.compile(r"(\d{1,2}:\d\d)\s*([ap])\.?\s*m\.?", re.IGNORECASE)
_NUMERALS = {
    word: str(number)
    for number, word in enumerate(["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], 2)
}


@dataclass(frozen=True, slots=True)
class Measured:
    """A value and what qualifies it; empty where nothing does."""

    text: str
    unit: str = ""


def measured(text: str) -> Measured:
    """Part a plain answer into its value and its unit."""
    if clock := _CLOCK.fullmatch(text):
        return Measured(clock[1], f"{clock[2].lower()}m")
    if base := _BASE.fullmatch(text):
        digits = base[2] or base[3]
        return Measured(base[1], f"base-{_NUMERALS.get(digits, digits)}")
    if modulus := _MODULUS.fullmatch(text):
        return Measured(modulus[1], f"mod-{modulus[2]}")
    if unit := _UNIT.search(text):
        return Measured(text[: unit.start()].strip(), " ".join(map(_unit, re.split(r"[\s*.]+", unit[1].strip(" .")))))
    return Measured(text)


def compatible(one: Measured, other: Measured) -> bool:
    """Whether two units do not contradict each other: one is missing, one says more, or they share a word."""
    if not one.unit or not other.unit or one.unit == other.unit:
        return True
    mine, theirs = set(one.unit.split()), set(other.unit.split())
    return mine <= theirs or theirs <= mine or bool(mine & theirs and not (mine ^ theirs) & _KNOWN)


def _unit(word: str) -> str:
    word = re.sub(r"\^\{?(-?\d)\}?", r"\1", word)
    parts = [_singular(part) for part in word.split("/")]
    return "/".join(parts)


def _singular(word: str) -> str:
    stem = re.sub(r"-?\d$", "", word)
    single = stem.removesuffix("s") if len(stem) > 2 and not stem.endswith("ss") else stem
    unit = next((_ALIASES[form] for form in (stem, single, single.lower()) if form in _ALIASES), single.lower())
    return unit + word[len(stem) :]
