"""Reaction templates in a text (`[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])O.[N:2]`), and whether one applies to a product.

A template applies when the pattern of its product side is found in the product. Patterns are strangers' work: one that
cannot be read, or could take long to look for, is passed over.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from flex.chemistry.molecules import without_log

LONGEST_TEMPLATE = 600
TEMPLATES = 20
"""Of one text: the first ones."""
MOST_ATOMS, MOST_LOOSE = 30, 6
"""Atoms of a pattern, and those among them that match nearly any atom: only such patterns take long."""
LARGEST_PRODUCT = 200
"""Atoms of a product in which patterns are looked for."""
_TEMPLATE = re.compile(r"[^\s`\"'<>|]+>>[^\s`\"'<>|]+")
_LOOSE = re.compile(r"\*|\[(?:!|[Aa*](?![lrsugtmc])|[DXRrvhHx+-]|#0)|(?<![A-Za-z\[])[Aa](?![a-z])|\$")


def product_patterns(text: str) -> tuple[str, ...]:
    """The product sides of the templates in a text, each once, as SMARTS; by spelling alone.

    The product is the side with fewer molecules; of equals the left, as in a template for going backwards.
    """
    found = (match[0].strip(".,;:()") for match in _TEMPLATE.finditer(text))
    sides = (template.split(">>") for template in found if len(template) <= LONGEST_TEMPLATE)
    products = (left if left.count(".") <= right.count(".") else right for left, right in sides)
    return tuple(islice(dict.fromkeys(products), TEMPLATES))


def applying(patterns: Sequence[str], product: str) -> list[int]:
    """For each pattern how many atoms of it the product holds: all, or 0 where it does not apply or cannot be read."""
    molecule = _molecule(product)
    if molecule is None:
        return [0] * len(patterns)
    read = map(_pattern, patterns)
    return [one.GetNumAtoms() if one is not None and molecule.HasSubstructMatch(one) else 0 for one in read]


@lru_cache(maxsize=1000)
def _molecule(smiles: str) -> Any:
    from rdkit import Chem

    with without_log():
        molecule = Chem.MolFromSmiles(smiles)
    return molecule if molecule is not None and molecule.GetNumAtoms() <= LARGEST_PRODUCT else None


@lru_cache(maxsize=20_000)
def _pattern(smarts: str) -> Any:
    from rdkit import Chem

    if len(_LOOSE.findall(smarts)) > MOST_LOOSE:
        return None
    with without_log():
        pattern = Chem.MolFromSmarts(smarts)
    return pattern if pattern is not None and 0 < pattern.GetNumAtoms() <= MOST_ATOMS else None
