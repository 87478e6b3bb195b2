"""Texts: as words, on one line, as a terminal may be given them, and as UTF-8 can hold them."""

import re
import unicodedata
from functools import lru_cache

MARKUP = "$\\{}_^"
"""Characters of TeX that 4-grams leave out, as they do white space."""
_TOKEN = re.compile(r"\\[a-zA-Z]+|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d*\.?\d+|[^\W\d_]+")
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_NUMBER_WORDS = {
    word: number
    for number, written in {
        "0": "zero", "2": "two twice double", "3": "three thrice triple", "4": "four", "5": "five", "6": "six",
        "7": "seven", "8": "eight", "9": "nine", "10": "ten", "11": "eleven", "12": "twelve dozen", "15": "fifteen",
        "20": "twenty", "30": "thirty", "40": "forty", "50": "fifty", "60": "sixty", "100": "hundred",
        "1000": "thousand", ".5": "half",
    }.items()
    for word in written.split()
}  # fmt: skip
"""Without "one", which mostly is no number."""


def one_line(text: str, limit: int) -> str:
    """The text on one line of at most `limit` characters, `...` where it is cut; nothing a terminal would obey."""
    line = " ".join(text.split())
    line = line if len(line) <= limit else f"{line[: limit - 3]}..."
    return "".join(character if character.isprintable() else " " for character in line)


def for_terminal(text: str) -> str:
    """The text without what a terminal would obey: escape sequences, other control characters, changes of direction.

    They are shown as escapes; lines and tabs stay.
    """
    return _OBEYED.sub(lambda found: _escape(ord(found[0])), text)


def _escape(number: int) -> str:
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def valid_utf8(text: str) -> str:
    """The text as UTF-8 can hold it: pairs of surrogates become the character they mean, a lone half becomes U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def words(text: str) -> list[str]:
    """The words and numbers of a text; case, white space, punctuation and TeX commands folded away.

    A number is the same in digits and words, with and without thousands separators ("1,000", "1000"; "two", "2").
    """
    tokens = _TOKEN.findall(unicodedata.normalize("NFKC", text))
    return [_folded(token) for token in tokens if not token.startswith("\\")]


def is_number(word: str) -> bool:
    """Whether a word of `words` is a number."""
    return word[0].isdigit() or word[0] == "."


@lru_cache(maxsize=100_000)
def _folded(token: str) -> str:
    if not is_number(token):
        word = token.casefold()
        return _NUMBER_WORDS.get(word, word)
    number = token.replace(",", "")
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return number.lstrip("0") or "0"
