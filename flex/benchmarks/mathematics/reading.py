r"""Where the answer stands in a reply: in a box, a tag, behind "####", under a heading, in a sentence; else last."""

import re
import unicodedata

from flex.benchmarks.mathematics.answers import exact
from flex.benchmarks.mathematics.typography import plain
from flex.replies import last_tag

READ_CHARACTERS = 50_000
"""The end of a reply, in which an answer is looked for; some models repeat themselves for pages."""

_BRACES = re.compile(r"\\[{}]|\\f?boxed\s*\{|[{}]")
_UNBRACED = re.compile(
    r"\\f?boxed\s*(?:(-?\\?[\w.,/]+)(?=\s*(?:\$|\\[)\]]|[.,]?\s*$))|\{\s*([^\s{}$]+)\s*(?:\$|\\[)\]]))", re.MULTILINE
)
r"""`\boxed 73` and `\boxed{73$`, where the brace is forgotten."""
_SCALES = "hundred|thousand|million|billion|trillion"
_FRAC = r"\\[dtc]?frac\s*(?:\{\s*(-?\d+)\s*\}|(\d))\s*(?:\{\s*(-?\d+)\s*\}|(\d))"
_IN_TEXT = re.compile(
    r"(?:(?<![\w)\]}.])[-+])?"  # the minus of "3-7" is no sign
    rf"(?:{_FRAC}|\d+ \d+/\d+"
    r"|(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)|\d+)(?:\.\d+)?|\.\d+)"
    rf"(?:\s*/\s*\d+|e[-+]?\d{{1,3}}\b|\s*(?:[*x]|\\times|\\cdot)\s*10\^\{{?[-+]?\d{{1,3}}\}}?|\s+(?:{_SCALES})\b)?)",
    re.IGNORECASE,
)
_HASHED = re.compile(r"####[ \t]*(\S.*)")
_HEADING = re.compile(r"[*_]*(?:[A-Za-z]{2,}|\d+[.)]\s+\D)")
"""What follows "####" in a heading of Markdown: words, or a number of a step."""

_ANSWER = (
    r"\banswer|\bsolution|\b(?:correct|right) (?:option|choice)|答案|答え|答|정답|답은|답|\brespuesta"
    r"|\bréponse|\breponse|\bantwort|\bergebnis|\bresposta"
    r"|\brisposta|\bantwoord|\bответ|\bодговор|\bodpowiedź|\bcevap|\bjawaban|उत्तर|الجواب|الإجابة"
)
_IS = (
    r"\s*(?:(?:is|are|should be|would be|will be|must be|equals|becomes|comes out (?:to be|as)|turns out to be"
    r"|ist|lautet|beträgt|es|est|é|è|sería|是|为|為|は|은|는|は、|є|это|jest|adalah|है|هو|هي)(?![A-Za-z])|[:=：])"
)
_STATED = re.compile(
    rf"(?:{_ANSWER})(?:\s+(?:to|of|for|the|this|problem|question|part|we seek|final|final is|finale|finale è|correcta"
    rf"|correcte|final es))*{_IS}[\s:：*]*(?=((?s:.{{1,200}})))",
    re.IGNORECASE,
)
_STATEMENT_ENDS = re.compile(
    r"\n|[.;!](?:\s|\*|$|\\\))|,\s|[。，；！]|\s(?:because|since|as|which|where|so|for|when)\s|\s\(", re.IGNORECASE
)
_HEADED = re.compile(
    r"^[ \t#>*_✅\W]*(?:the\s+)?(?:final\s+|correct\s+)?(?:answer|result|solution)\s*[:：]?[\s*_]*$",
    re.IGNORECASE | re.MULTILINE,
)
"""A heading that is nothing but "Final Answer"."""
_REMARK = re.compile(
    r"[\s*_>~-]*(?:\(|\[|this\b|these\b|that\b|check|verif|note\b|we can (?:check|verify)|let me know|i hope|hope\b"
    r"|i (?:used|took|am)|confidence|time\b|which\b|✓|✅|indeed\b|done\b)",
    re.IGNORECASE,
)
"""How a paragraph begins that says something about the answer."""
_HEDGED = re.compile(
    r"\b(?:not|no|neither|never|isn't|unknown|unclear|between|least|most|less|fewer|than|or|over|under)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\banswer is(?:n't| not)\b[^.\n]*", re.IGNORECASE)
_WORDS = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}(?![A-Za-z])")
_MATHEMATICS = re.compile(
    r"\A\s*(?:\$\$?((?:(?!\s[A-Za-z]{2,}\s)(?:\\\$|[^$\n]))+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\])", re.DOTALL
)
_LETTER = re.compile(r"\A[\s*(]*([A-Z])[)*]*(?:[.\s]|\Z)")
_CHARACTERS = str.maketrans("−–⁄×·\u00a0\u202f\u2009﹣－", "--/**   --")


def find_answer(text: str) -> str | None:
    r"""The last balanced `\boxed{}`, else `<answer>`, `####`, "Final Answer", "the answer is", or the last number."""
    # An agent that writes "\boxed" or "\frac" in a string that is not raw hands in control characters.
    text = text[-READ_CHARACTERS:].replace("\boxed", "\\boxed").replace("\frac", "\\frac")
    tagged = last_tag(text, "answer") or last_tag(text, "final_answer")
    marked = last_boxed(text) or tagged or _last_unbraced(text) or _last_hashed(text)
    if marked:
        return _within(marked)
    return _last_headed(text) or _last_stated(text) or _last_number(_without_remarks(text))


def _within(marked: str) -> str:
    """What was marked as the answer; of a sentence the number that it is about."""
    said = plain(marked)
    if exact(marked) is not None or len(_WORDS.findall(said)) < 2 or _HEDGED.search(said):
        return marked
    if stated := _last_stated(marked):
        return stated
    found = [number[0] for number in _IN_TEXT.finditer(said.rsplit("=", 1)[-1])]
    return found[0] if len(found) == 1 or ("=" in said and found) else marked


def last_boxed(text: str) -> str | None:
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


def _last_unbraced(text: str) -> str | None:
    found = _UNBRACED.findall(text)
    return "".join(found[-1]).rstrip(".,") if found else None


def _last_hashed(text: str) -> str | None:
    """What follows the last "####" that is no heading, without a remark behind it."""
    hashed = [line for line in _HASHED.findall(text) if not _HEADING.match(line)]
    return re.split(r"\s\(|,\s", hashed[-1])[0].strip() if hashed else None


def _last_headed(text: str) -> str | None:
    """What stands in the first paragraph under the last heading "Final Answer"."""
    headings = list(_HEADED.finditer(text))
    if not headings:
        return None
    paragraph = re.split(r"\n\s*\n", text[headings[-1].end() :].strip(), maxsplit=1)[0]
    line = paragraph.split("\n")[0]
    if exact(line) is not None or not _WORDS.search(plain(line)):
        return _statement(line) or plain(line) or None
    return _last_stated(paragraph) or _last_number(paragraph)


def _last_stated(text: str) -> str | None:
    """What the last "answer is ..." says that says something."""
    return next((said for statement in reversed(_STATED.findall(text)) if (said := _statement(statement))), None)


def _statement(text: str) -> str | None:
    """The mathematics or the number a statement begins with; a chain of equations counts by its end."""
    if _DENIED.match(f"answer is {text}"):
        return None
    if mathematics := _MATHEMATICS.match(text):
        return next(group for group in mathematics.groups() if group is not None).strip()
    said = _STATEMENT_ENDS.split(unicodedata.normalize("NFKC", text))[0]
    if letter := _LETTER.match(said):
        return letter[1]
    sides = [number for side in said.split("=") if (number := _last_number(side, first=True))]
    if not sides:
        return None
    # "73 = 8*9 + 1" begins with the answer, "8*9 + 1 = 73" ends with it.
    return sides[0] if exact(said) is not None and exact(sides[0]) == exact(said) else sides[-1]


def _without_remarks(text: str) -> str:
    """A reply without what it says about its answer in the end."""
    paragraphs = re.split(r"\n\s*\n", _DENIED.sub("", text).strip())
    while len(paragraphs) > 1 and _REMARK.match(paragraphs[-1]) and _last_number("\n".join(paragraphs[:-1])):
        paragraphs.pop()
    return "\n\n".join(paragraphs)


def _last_number(text: str, first: bool = False) -> str | None:
    found = [number[0] for number in _IN_TEXT.finditer(text.translate(_CHARACTERS).replace("{,}", ","))]
    return found[0 if first else -1] if found else None
