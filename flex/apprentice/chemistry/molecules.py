"""SMILES to molecules and back: one canonical spelling for each set of reactants."""

from functools import lru_cache

from rdkit import Chem

MAX_CHARACTERS = 2000
"""RDKit's time and memory grow with the square of the length; 50,000 letters C would take it minutes."""


@lru_cache(maxsize=8192)
def molecule(smiles: str) -> Chem.Mol | None:
    """The molecule without atom maps, None when the text is no SMILES."""
    if not 0 < len(smiles) <= MAX_CHARACTERS or any(character.isspace() for character in smiles):
        return None  # RDKit would read "CCO CCO" as CCO
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or not mol.GetNumAtoms():
        return None
    if ":" not in smiles:
        return mol
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(0)
    return Chem.MolFromSmiles(Chem.MolToSmiles(mol))


@lru_cache(maxsize=16384)
def canonical(smiles: str) -> str | None:
    """The canonical SMILES, its molecules sorted; None when the text is no SMILES."""
    mol = molecule(smiles)
    if mol is None:
        return None
    again = Chem.MolFromSmiles(Chem.MolToSmiles(mol))  # twice: the first pass is not always a fixed point
    return None if again is None else ".".join(sorted(Chem.MolToSmiles(again).split(".")))
