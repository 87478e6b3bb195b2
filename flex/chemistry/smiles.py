"""SMILES in a text: every word that is spelled like one, and the products among those that can be nothing else.

A product has at least LEAST atoms, CARBONS of them carbon, and a bond, ring or branch to show for it; words ("CO",
"IN"), mathematics ("C(n,2)") and sum formulas have not. Templates (atom maps, wildcards) do not count, nor does what an
ellipsis cuts off. All this is found by spelling, without RDKit.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from flex.chemistry.molecules import LONGEST

LEAST, CARBONS = 5, 3
PLAIN = 6
"""Atoms of a chain without branch, bond or ring: it has no other mark than its length."""
READ = 1000
"""SMILES of a text that are looked at, from its beginning."""
_TOKEN = re.compile(r"[A-Za-z0-9@+\-\[\]()=#:.%/\\]+")
_BOND = r"[-=#/\\.()%\d]"
_ELEMENT = "Br|Cl|[BCNOPSFIbcnops]"
_SPELLED = re.compile(rf"(?:\[[^\[\]]+\]|{_ELEMENT}|{_BOND}|:)+")
_ATOM = rf"\[\d*(?:[A-Z][a-z]?|[a-z]{{1,2}})@{{0,2}}(?:H\d*)?(?:\++|-+|[+-]\d+)?\]|{_ELEMENT}"
_ATOMS = re.compile(_ATOM)
_UNMAPPED = re.compile(rf"(?:{_ATOM}|{_BOND})+")
"""Without atom maps."""
_MARKED = re.compile(r"[()=#\[]|[A-Za-z]\d")
_MADE_FROM = re.compile(r"[\s`'\"*]*(?:<-|<<|←|&lt;-|&lt;&lt;)")
_REACTION = re.compile(r"[\s`'\"*]*(?:>>|&gt;&gt;)[\s`'\"*]*")
_CALLED = re.compile(
    r"\b(?:products?|targets?)(?:[\s_-]+(?:molecule|compound|smiles|structure|is|was))*[\s:=`'\"*(<>]*\Z", re.IGNORECASE
)
_CALLING = 60
"""Characters before a SMILES in which it may be called a product."""


Span = tuple[int, int, str]
"""Where a word begins and ends in a text, and the SMILES it is."""


def smiles_in(text: str) -> Iterator[Span]:
    """The words of a text that are spelled like SMILES, without the punctuation around them; RDKit may refuse them."""
    for word in _TOKEN.finditer(text):
        if word.end() - word.start() <= LONGEST and _SPELLED.fullmatch(word[0]):
            smiles = word[0].replace("\\\\", "\\").lstrip("(.:").rstrip(".:")  # JSON doubles backslashes
            while smiles.endswith(")") and smiles.count(")") > smiles.count("("):
                smiles = smiles[:-1]
            yield word.start(), word.end(), smiles


def products_in(text: str) -> list[str]:
    """The products among the SMILES of a text, each once; all of them when none is marked as a product.

    Marked are `P <- A.B`, `P << A.B`, the side of `P>>A.B` or `A.B>>P` with fewer molecules (of equals the left, as in
    a template for going backwards), and "product" or "target" right before it. `A.B` is one structure.
    """
    molecules = (span for span in smiles_in(text) if _is_molecule(span[2]) and not text.endswith("..", 0, span[1]))
    found = list(islice(molecules, READ))
    marked = [smiles for number, (_, _, smiles) in enumerate(found) if _is_product(text, found, number)]
    return list(dict.fromkeys(marked or [smiles for _, _, smiles in found]))


def _is_product(text: str, found: Sequence[Span], number: int) -> bool:
    start, end, smiles = found[number]
    if _MADE_FROM.match(text, end) or _CALLED.search(text[max(0, start - _CALLING) : start]):
        return True
    if number + 1 < len(found) and _REACTION.fullmatch(text, end, found[number + 1][0]):
        return smiles.count(".") <= found[number + 1][2].count(".")
    if number and _REACTION.fullmatch(text, found[number - 1][1], start):
        return smiles.count(".") < found[number - 1][2].count(".")
    return False


def _is_molecule(smiles: str) -> bool:
    if not _UNMAPPED.fullmatch(smiles):
        return False
    atoms = _ATOMS.findall(smiles)
    carbons = sum(atom in ("C", "c") or atom.strip("[]0123456789")[:1] in ("C", "c") for atom in atoms if atom != "Cl")
    marked = _MARKED.search(smiles) or ("CC" in smiles and len(atoms) >= PLAIN)
    return bool(marked) and len(atoms) >= LEAST and carbons >= CARBONS
