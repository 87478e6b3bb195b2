"""Molecules that a text names: SMILES between words, mathematics and templates, found without a chemist.

A molecule here has at least LEAST atoms, CARBONS of them carbon, and a bond, ring or branch to show for it; words
("CO", "IN"), mathematics ("C(n,2)") and sum formulas have not. Templates (atom maps, wildcards) are none, nor is what
an ellipsis cuts off.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

LEAST, CARBONS = 5, 3
PLAIN = 6
"""Atoms of a chain without branch, bond or ring: it has no other mark than its length."""
LONGEST = 2000
"""Characters of a SMILES; a longer one is passed over."""
READ = 1000
"""SMILES of a text that are looked at, from its beginning."""
_TOKEN = re.compile(r"[A-Za-z0-9@+\-\[\]()=#:.%/\\]{5,}")
_ATOM = r"\[\d*(?:[A-Z][a-z]?|[a-z]{1,2})@{0,2}(?:H\d*)?(?:\++|-+|[+-]\d+)?\]|Br|Cl|[BCNOPSFIbcnops]"
_ATOMS = re.compile(_ATOM)
_SMILES = re.compile(rf"(?:{_ATOM}|[-=#/\\.()%\d])+")
_MARKED = re.compile(r"[()=#\[]|[A-Za-z]\d")
_MADE_FROM = re.compile(r"[\s`'\"*]*(?:<-|<<|←|&lt;-|&lt;&lt;)")
_REACTION = re.compile(r"[\s`'\"*]*(?:>>|&gt;&gt;)[\s`'\"*]*")
_CALLED = re.compile(
    r"\b(?:products?|targets?)(?:[\s_-]+(?:molecule|compound|smiles|structure|is|was))*[\s:=`'\"*(<>]*\Z", re.IGNORECASE
)
_CALLING = 60
"""Characters before a SMILES in which it may be called a product."""


Span = tuple[int, int, str]


def products_in(text: str) -> list[str]:
    """The products among the SMILES of a text, each once; all of them when none is marked as a product.

    Marked are `P <- A.B`, `P << A.B`, the side of `P>>A.B` or `A.B>>P` with fewer molecules (of equals the left, as in
    a template for going backwards), and "product" or "target" right before it. `A.B` is one structure.
    """
    found = list(islice(_written(text), READ))
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


def _written(text: str) -> Iterator[Span]:
    """Where in the text a SMILES begins and ends, and the SMILES."""
    for token in _TOKEN.finditer(text):
        smiles = _bare(token[0])
        if _is_molecule(smiles):
            yield token.start(), token.end(), smiles


def _bare(token: str) -> str:
    """A token without the punctuation of the sentence around it."""
    if token.endswith("..") or len(token) > LONGEST:
        return ""
    smiles = token.replace("\\\\", "\\").lstrip("(.:").rstrip(".:")  # JSON doubles backslashes
    while smiles.endswith(")") and smiles.count(")") > smiles.count("("):
        smiles = smiles[:-1]
    return smiles


def _is_molecule(smiles: str) -> bool:
    if not _SMILES.fullmatch(smiles):
        return False
    atoms = _ATOMS.findall(smiles)
    carbons = sum(atom in ("C", "c") or atom.strip("[]0123456789")[:1] in ("C", "c") for atom in atoms if atom != "Cl")
    marked = _MARKED.search(smiles) or ("CC" in smiles and len(atoms) >= PLAIN)
    return bool(marked) and len(atoms) >= LEAST and carbons >= CARBONS
