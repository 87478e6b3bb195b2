"""What RDKit, imported with the first molecule, knows: canonical multisets to compare answers by, and fingerprints."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

LONGEST = 2000
"""Characters of a SMILES that is read at all; RDKit's time grows faster than the length."""
Molecules = tuple[str, ...]
"""A multiset of molecules: their canonical SMILES, sorted."""

FINGERPRINT = 1024
"""Bits of a fingerprint; twice as many find no more in the published libraries."""

_lock = threading.Lock()
"""Switching RDKit's log off and on again around our calls concerns the whole process."""


@lru_cache(maxsize=50_000)
def molecules(smiles: str, stereo: bool = True) -> Molecules | None:
    """The multiset of molecules in a SMILES, without atom maps and, if asked, stereo; None when it is invalid.

    A SMILES with white space inside is invalid here: RDKit would read "CCO CCO" as CCO with a name.
    """
    from rdkit import Chem

    smiles = smiles.strip()
    if not smiles.isascii() or len(smiles) > LONGEST or smiles.split() != [smiles]:
        return None
    with without_log():
        if (whole := Chem.MolFromSmiles(smiles)) is None:
            return None
        for atom in whole.GetAtoms():
            atom.SetAtomMapNum(0)
        if not stereo:
            Chem.RemoveStereochemistry(whole)
        # Twice: the canonical form of what was written is not always that of its canonical form.
        parts = [Chem.MolFromSmiles(part) for part in Chem.MolToSmiles(whole).split(".")]
        return None if None in parts else tuple(sorted(Chem.MolToSmiles(part) for part in parts))


def largest(parts: Molecules) -> str:
    """The molecule with the most heavy atoms; of equals the last in order."""
    return max(parts, key=lambda part: (heavy_atoms(part).total(), part))


def fingerprint(parts: Molecules) -> bytes:
    """The Morgan fingerprint (radius 2) of some molecules together, `FINGERPRINT` bits packed into bytes."""
    import numpy as np
    from rdkit import Chem
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    with without_log():
        bits = GetMorganGenerator(radius=2, fpSize=FINGERPRINT).GetFingerprintAsNumPy(
            Chem.MolFromSmiles(".".join(parts))
        )
    return np.packbits(bits).tobytes()


@lru_cache(maxsize=50_000)
def heavy_atoms(smiles: str) -> Counter[str]:
    """How many atoms of each element a canonical SMILES has, without hydrogen."""
    from rdkit import Chem

    with without_log():
        return Counter(a.GetSymbol() for a in Chem.MolFromSmiles(smiles).GetAtoms() if a.GetAtomicNum() > 1)


@contextmanager
def without_log() -> Iterator[None]:
    """Let RDKit print nothing about what it is given."""
    from rdkit import rdBase

    with _lock, rdBase.BlockLogs():
        yield
