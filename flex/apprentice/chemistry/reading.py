"""What the apprentice reads in a prompt: SMILES, and the templates in past experience."""

import re
from collections.abc import Sequence

from flex.apprentice.chemistry.molecules import canonical, molecule
from flex.apprentice.chemistry.ranking import Lesson, Precedent, merged
from flex.apprentice.text import without_avoided

_SMARTS = r"[A-Za-z0-9@+\-\[\]()=#:~.,;!$&*%/]+"
_TEMPLATE = re.compile(rf"RETRO_TEMPLATE:\s*`?({_SMARTS}>>{_SMARTS})`?(?:\s*\(([^()\n\\]{{1,300}})\))?")
_SMILES = r"[A-Za-z0-9@+\-\[\]()=#:.%/\\*$]+"
_EXAMPLE = re.compile(rf"EXAMPLE:\s*`?({_SMILES})`?\s*(?:<-|←)\s*`?({_SMILES})")
_TOKEN = re.compile(rf"(?<![A-Za-z0-9])(?:\[|[A-Za-z(]){_SMILES}")
_STRUCTURED = re.compile(r"[()=#\[\]]|[cnos]\d")


def smiles_in(text: str | None) -> str | None:
    """The molecule a text is about: the text itself, or the longest SMILES in its last line that has one."""
    if not text:
        return None
    if molecule(text.strip()) is not None:
        return text.strip()
    for line in reversed(text.splitlines()):
        if "RETRO_TEMPLATE" not in line and "EXAMPLE:" not in line:
            words = (word.rstrip(".,;:") for word in _TOKEN.findall(line))
            if known := [word for word in words if _looks_chemical(word)]:
                return str(max(known, key=len))
    return None


def _looks_chemical(word: str) -> bool:
    if len(word) < 4 or (not _STRUCTURED.search(word) and len(word) < 6):
        return False
    mol = molecule(word) or molecule(word.replace("\\\\", "\\"))
    return mol is not None and mol.GetNumAtoms() >= 3 and any(atom.GetSymbol() == "C" for atom in mol.GetAtoms())


def lessons_in(texts: Sequence[str]) -> list[Lesson]:
    """Every template in the texts with the examples that follow it, but for those that are to be avoided."""
    found: list[Lesson] = []
    for text in map(_unescaped, map(without_avoided, texts)):
        _, *pieces = _TEMPLATE.split(text)
        for template, name, rest in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
            examples = (_precedent(*example) for example in _EXAMPLE.findall(rest))
            precedents = tuple(precedent for precedent in examples if precedent)
            found.append(Lesson(template.rstrip(".,;"), precedents, (name or "").partition(";")[0]))
    return merged(found)


def _unescaped(text: str) -> str:
    for escaped, plain in (("&gt;", ">"), ("&lt;", "<"), ("\\u003e", ">"), ("\\u003c", "<")):
        text = text.replace(escaped, plain)
    return text


def _precedent(product: str, reactants: str) -> Precedent | None:
    left, right = _unescaped_smiles(product), _unescaped_smiles(reactants)
    return Precedent(left, right) if left and right else None


def _unescaped_smiles(word: str) -> str | None:
    """The SMILES in a word that may carry JSON's escapes, or a line break written as two characters."""
    for spelled in (word, word.replace("\\\\", "\\"), word.partition("\\n")[0], word.rstrip(".,;\\")):
        if canonical(spelled) is not None:
            return canonical(spelled)
    return None
