r"""Competition mathematics, AIME83-25 in the paper: the answer is a number, compared by value.

    {"question": "Find the sum of all positive integers $n$ for which ...", "answer": "38"}

Nothing is evaluated: what is not a plain number, fraction or power of ten is compared as normalised text.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar

from flex.benchmarks.base import Anchor, Benchmark
from flex.replies import last_tag

MAX_ANSWER = 400
"""Characters of an answer that can be right; no target is nearly as long."""
READ_CHARACTERS = 50_000
"""The end of a reply, in which an answer is looked for; some models repeat themselves for pages."""

_BRACES = re.compile(r"\\[{}]|\\f?boxed\s*\{|[{}]")
_SCALE = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_SCALES = "|".join(_SCALE)
_DECIMAL = r"(?:\d+(?:\.\d*)?|\.\d+)"
_FRAC = r"\\[dtc]?frac\s*(?:\{\s*(-?\d+)\s*\}|(\d))\s*(?:\{\s*(-?\d+)\s*\}|(\d))"
_IN_TEXT = re.compile(
    r"(?:(?<![\w)\]}.])[-+])?"  # the minus of "3-7" is no sign
    rf"(?:{_FRAC}|\d+ \d+/\d+|(?:(?:\d{{1,3}}(?:,\d{{3}})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)"
    rf"(?:\s*/\s*\d+|e[-+]?\d{{1,3}}\b|\s*(?:[*x]|\\times|\\cdot)\s*10\^\{{?[-+]?\d{{1,3}}\}}?|\s+(?:{_SCALES})\b)?)",
    re.IGNORECASE,
)
_HASHED = re.compile(r"####[ \t]*(\S.*)")
_HEADING = re.compile(r"[*_]*(?:[A-Za-z]{2,}|\d+[.)]\s+\D)")
"""What follows "####" in a heading of Markdown: words, or a number of a step."""

_STATED = re.compile(
    r"\banswer(?:\s+(?:to|of|for|the|this|problem|question|part|we seek))*\s*(?:is\b|:|=)[\s:*$]*(?=(.{1,200}))",
    re.IGNORECASE,
)
_STATEMENT_ENDS = re.compile(r"[.;!](?:\s|\*|$)|,\s|\s(?:because|since|as|which|where|so|for|when)\s", re.IGNORECASE)

_CHARACTERS = str.maketrans("−–⁄×·\u00a0\u202f\u2009", "--/**   ")
_DROPPED = re.compile(
    r"\\(?:left|right|displaystyle)(?![a-z])|\\[!,;:()\[\] ]|\{,\}|\\?[$%]"
    r"|\^?\s*\{?\s*\\(?:circ|degree)(?![a-z])\s*\}?|°|\bdegrees?\b"
)
_WRAPPED = re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")
_NO_UNIT = r"(?:pi|sqrt|or|and|to|mod|times|dozen|hundred|thousand|million|billion|half|[einktxyz])\b"
_UNIT = re.compile(rf"(?<=\d)(?:\s+(?!{_NO_UNIT})[a-z]+(?:\s*\^\{{?[23]\}}?|[23])?(?:/[a-z]+)?)+$", re.IGNORECASE)
_MIXED = re.compile(r"([-+]?)(\d+) (\d+)/(\d+)")
_RATIO = re.compile(rf"([-+]?{_DECIMAL})(?:/(-?{_DECIMAL}))?")
_POWER = re.compile(rf"(?:([-+]?{_DECIMAL})\s*(?:\*|x|\\times|\\cdot)\s*)?10\^\{{?([-+]?\d{{1,3}})\}}?")
_SCALED = re.compile(rf"([-+]?{_DECIMAL})\s+({_SCALES})(?:\s+[a-z]+)*", re.IGNORECASE)
_SCIENTIFIC = re.compile(rf"([-+]?{_DECIMAL})[eE]([-+]?\d{{1,3}})")


class Math(Benchmark):
    name: ClassVar[str] = "math"
    folder: ClassVar[str] = "data/AIME"
    source: ClassVar[str] = "`flex download --only aime` fetches data/AIME"
    scorer: ClassVar[str] = "2"
    prompts: ClassVar[str] = "aime"
    anchors: ClassVar[Sequence[Anchor]] = (
        Anchor("So the sum is \\boxed{070}.", "70", 1.0),
        Anchor("The answer is $\\frac{1}{2}$.", "0.5", 1.0),
        Anchor("It is not 70 but \\boxed{-70}.", "70", 0.0),
        Anchor("\\boxed{71}", "70", 0.0),
        Anchor("I cannot tell.", "70", 0.0),
    )

    def extract(self, text: str) -> str | None:
        r"""The last balanced `\boxed{}`, else `<answer>`, `####`, "answer is", else the last number."""
        # An agent that writes "\boxed" or "\frac" in a string that is not raw hands in control characters.
        text = text[-READ_CHARACTERS:].replace("\boxed", "\\boxed").replace("\frac", "\\frac")
        answer = _last_boxed(text) or last_tag(text, "answer") or _last_hashed(text)
        return answer or _last_stated(text) or _last_number(text)

    def score(self, answer: str | None, target: str) -> float:
        """1 when both are the same number, or the same text where one is no number."""
        if answer is None or len(answer) > MAX_ANSWER:
            return 0.0
        return float(value(answer) == value(target))

    def check_target(self, target: str) -> str | None:
        if len(target) > MAX_ANSWER or value(target) == "":
            return f"the answer '{target[:60]}' is nothing that can be compared"
        return None


def value(text: str) -> Fraction | str:
    """What an answer means: a number, or else the text without its typography."""
    plain = _plain(text)
    number = _number(plain)
    return number if number is not None else re.sub(r"\s", "", plain).casefold()


def _plain(text: str) -> str:
    text = _WRAPPED.sub(r" \1 ", text.translate(_CHARACTERS)).strip("*` \n\t")
    text = re.sub(_FRAC, lambda m: f" {m[1] or m[2]}/{m[3] or m[4]}", _DROPPED.sub("", text))
    if not re.search(r",(?!\d{3}(?!\d))", text):
        text = re.split(r"(?<![<>!])=", text)[-1]
    text = re.sub(r"^\s*[({]([^(){},]*)[)}]\s*$", r"\1", text.strip().rstrip("."))
    text = re.sub(r"\\[dtc]frac", r"\\frac", _UNIT.sub("", text.strip()))
    text = re.sub(r"\s*([/^])\s*", r"\1", " ".join(text.split()))
    return re.sub(r"^([-+]) ", r"\1", text)


def _number(plain: str) -> Fraction | None:
    if re.fullmatch(r"[-+]?\d{1,3}(?:[, ]\d{3})+(?:\.\d+)?", plain):
        plain = re.sub("[, ]", "", plain)
    if power := _POWER.fullmatch(plain) or _SCIENTIFIC.fullmatch(plain):
        return Fraction(power[1] or 1) * Fraction(10) ** int(power[2])
    if scaled := _SCALED.fullmatch(plain):
        return Fraction(scaled[1]) * _SCALE[scaled[2].casefold()]
    sign, whole, above, below = "", "0", "", "1"
    if mixed := _MIXED.fullmatch(plain):
        sign, whole, above, below = mixed.groups()
    elif ratio := _RATIO.fullmatch(plain):
        above, below = ratio[1], ratio[2] or "1"
    else:
        return None
    if Fraction(below) == 0:
        return None
    return (int(whole) + Fraction(above) / Fraction(below)) * (-1 if sign == "-" else 1)


def _last_boxed(text: str) -> str | None:
    """The content of the balanced box that opens last; one pass, since a model may repeat itself for pages."""
    opened: list[tuple[bool, int]] = []
    last = (-1, "")
    for brace in _BRACES.finditer(text):
        if brace[0] in ("\\{", "\\}"):
            continue
        if brace[0] != "}":
            opened.append((len(brace[0]) > 1, brace.end()))
        elif opened:
            boxed, start = opened.pop()
            if boxed and start > last[0] and text[start : brace.start()].strip():
                last = (start, text[start : brace.start()].strip())
    return last[1] or None


def _last_hashed(text: str) -> str | None:
    """What follows the last "####" that is no heading, without a remark behind it."""
    hashed = [line for line in _HASHED.findall(text) if not _HEADING.match(line)]
    return re.split(r"\s\(|,\s", hashed[-1])[0].strip() if hashed else None


def _last_stated(text: str) -> str | None:
    """The number in the last "answer is ..."; a chain of equations counts by its end."""
    for statement in reversed(_STATED.findall(text)):
        right_side = _STATEMENT_ENDS.split(statement)[0].rsplit("=", 1)[-1]
        if number := _last_number(right_side, first=True):
            return number
    return None


def _last_number(text: str, first: bool = False) -> str | None:
    found = [number[0] for number in _IN_TEXT.finditer(text.translate(_CHARACTERS).replace("{,}", ","))]
    return found[0 if first else -1] if found else None


benchmark = Math()
