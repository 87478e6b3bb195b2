"""Which molecules an answer names, however they are listed: "A.B", "A and B", bullets, JSON, a reaction, TeX."""

import re
from itertools import product, takewhile

from flex.chemistry.molecules import LONGEST, molecules

_FENCE = re.compile(r"```[ \t]*\w*[ \t]*\r?\n?(.*?)(?:```|$)", re.DOTALL)
_INVISIBLE = re.compile("[\u200b-\u200d\u2060\ufeff\u00ad\ufe0f]")
_WIDE = str.maketrans(
    {"。": ".", "．": ".", "，": ",", "、": ",", "；": ";", "（": "(", "）": ")", "＋": " + ", "：": ": "}
)
_TEX = re.compile(
    r"\\(?:boxed|fbox|text\w*|math\w*|ce|ensuremath|smiles|verb)\s*(?=\{)|[{}$]|\A\s*\\[\[(]|\\[\])]\s*\Z|\\\(|\\\)"
    r"|</?(?:smiles|reactants?|precursors?|molecules?|code|pre|b|i|em|strong|p|br|li|ul|answer)\s*/?>",
    re.IGNORECASE,
)
_EXTENSION = re.compile(r"\s\|[^|\n]*\|")
"""Of CXSMILES."""
_MAKES = re.compile(r"\s*(?:→|⟶|⟹|➔|➝|⇌|\s-+>\s|\\(?:long)?rightarrow|\\to\b)\s*")
_MADE_FROM = re.compile(r"\s*(?:←|⟵|⇒|\s<-+\s|\s=>\s|\s<<\s|\\(?:long)?leftarrow|\\Rightarrow)\s*")
_REACTION = re.compile(r"([^\s>]*)(?<!-)>([^\s>]*(?:->[^\s>]*)*)(?<!-)>(\S*)")
_NAMED = (
    r"(?:smiles|reactants?|reagents?|precursors?|answer|starting[ -]materials?|答案|反应物|edukte|reaktanden"
    r"|réactifs|reactivos)"
)
_LABEL = re.compile(
    rf"\A[\s*_#>]*(?:[^:=\n]{{0,60}}\b{_NAMED}\b[^:=\n]{{0,40}}?[*_]*(?:[:=]|\b(?:are|is)\b[:*_]*)"
    r"|[A-Za-z][\w ()-]{0,30}:(?=\s))[*_]*\s*",
    re.IGNORECASE,
)
_BULLET = re.compile(r"\A\s*(?:[-•*–]\s+|\(?\d{1,2}[.)]\s+)")
_LISTED = re.compile(r"\s*[,;]\s*|\s+(?:and|with|\+|&|\.|plus|und|et|y|e)\s+|\s*[和与及]\s*|(?<=[\])\w]) ?\+ (?=\S)")
_QUOTES = " \t\r\n`'\""
_SWALLOWED = {
    "\n": ("\\n", "\\12", "\\", ""), "\b": ("\\b", "\\10"), "\t": ("\\11",), "\x0b": ("\\13",), "\x0c": ("\\14",),
    **{chr(number): (f"\\{number}",) for number in range(1, 8)},
}  # fmt: skip
"""What a bond "\\" with an atom or ring behind it becomes in a string that is not raw."""


def reactants_in(said: str) -> str | None:
    """The SMILES that an answer gives, joined by "."; the answer as it is where it is ambiguous, None where empty.

    Prose behind the SMILES is dropped, of a reaction the side that something is made from counts. A second SMILES in
    the prose makes an answer ambiguous: it then scores nothing.
    """
    if len(said) > LONGEST:
        return None
    if restored := _restored(said):
        return restored
    bare = _bare(said)
    listed = listed_smiles(bare)
    if listed is not None:
        return listed
    first = bare.split()[0].rstrip(",;.").strip(_QUOTES) if bare.split() else ""
    ambiguous = any(_is_smiles(word.strip(_QUOTES + ",;()*")) for word in bare.split())
    return (bare if ambiguous else first) or None


def stated_reactants(text: str) -> str | None:
    """The SMILES in a reply without a tag: all of it, or the line that is called reactants, or is the only SMILES."""
    if len(text) <= LONGEST and (restored := _restored(text)):
        return restored
    fenced = _FENCE.findall(text)
    lines = [line for line in (fenced[-1] if fenced else text).split("\n") if line.strip() and len(line) <= LONGEST]
    found = [(_LABEL.match(line) is not None, listed_smiles(_bare(line), whole=True)) for line in lines]
    called = [smiles for label, smiles in found if smiles and label]
    alone = [smiles for _, smiles in found if smiles]
    if called or len(alone) == 1:
        return called[-1] if called else alone[0]
    labels = [number for number, (label, _) in enumerate(found) if label]
    below = takewhile(bool, (smiles for _, smiles in found[labels[-1] + 1 :])) if labels else ()
    return ".".join(filter(None, below)) or None


def listed_smiles(bare: str, whole: bool = False) -> str | None:
    """The molecules of a list, None where there is prose before or SMILES within the prose; `whole`: or any prose."""
    found: list[str] = []
    ended = False
    lines = [line for line in bare.split("\n") if line.strip(_QUOTES + ",[]")]
    if len(lines) > 1 and not all(listed_smiles(line, whole=True) for line in lines):
        lines = [" ".join(lines)]
    for part in (part for line in lines for part in _LISTED.split(_LABEL.sub("", _BULLET.sub("", line)))):
        first, *prose = _words(part) or [""]
        if not _is_smiles(first):
            prose, first = [first, *prose], ""
        if prose and prose[0] and (whole or any(_is_smiles(word) for word in prose)):
            return None
        if first and ended:
            return None
        found += [first] if first else []
        ended = ended or not first
        if not found and prose:
            return None
    return ".".join(found) or None


def _words(part: str) -> list[str]:
    """The words of a part; one that is a SMILES as it stands keeps its brackets and stars."""
    return [
        next((form for form in _forms(word) if _is_smiles(form)), word.strip(_QUOTES + "*,;()"))
        for word in part.split()
    ]


def _forms(word: str) -> list[str]:
    bare = word.strip(_QUOTES)
    if bare[:2] == bare[-2:] == "**":  # bold, although it could be four atoms of any kind
        bare = word = bare[2:-2].strip(_QUOTES)
    return [word, bare, bare.rstrip(",;.:"), bare.strip("*_").strip(_QUOTES).rstrip(",;."), bare.strip("[]\"',")]


def _bare(said: str) -> str:
    """An answer without fences, TeX, tags and labels, and of a reaction the side it begins with."""
    fenced = _FENCE.search(said)
    said = _INVISIBLE.sub("", fenced[1] if fenced else said).translate(_WIDE)
    said = _EXTENSION.sub("", _TEX.sub("", said))
    said = re.sub(r"([`'\"]|\*\*)\.\1", ".", re.sub(r"\s*>>\s*", ">>", said)).strip(_QUOTES)
    said = _LABEL.sub("", said).strip(_QUOTES)
    if reaction := _REACTION.search(said):
        said = f"{said[: reaction.start()]}{reaction[1]}{said[reaction.end() :]}"
    if len(sides := _MADE_FROM.split(said)) == 2:
        return sides[1]
    return _MAKES.split(said)[0].strip(_QUOTES)


def _restored(said: str) -> str | None:
    """A SMILES whose bonds a string that is not raw has swallowed: "C/C=C\\n1cccc1" with a line break within."""
    said = said.strip(" `")
    swallowed = [character for character in said if character in _SWALLOWED]
    if not 0 < len(swallowed) <= 4 or listed_smiles(said, whole=True):
        return None
    for backs in product(*(_SWALLOWED[character] for character in swallowed)):
        rest = iter(backs)
        candidate = "".join(next(rest) if character in _SWALLOWED else character for character in said)
        if _is_smiles(candidate):
            return candidate
    return None


def _is_smiles(word: str) -> bool:
    return bool(word) and molecules(word) is not None
