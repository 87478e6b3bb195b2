"""SMILES to molecules and back: one canonical spelling for each set of reactants."""

from functools import lru_cache

from rdkit import Chem

from flex.chemistry.molecules import LONGEST, molecules


@lru_cache(maxsize=8192)
def molecule(smiles: str) -> Chem.Mol | None:
    """The molecule without atom maps, None when the text is no SMILES."""
    if not 0 < len(smiles) <= LONGEST or any(character.isspace() for character in smiles):
        return None  # RDKit would read "CCO CCO" as CCO
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or not mol.GetNumAtoms():
        return None
    if ":" not in smiles:
        return mol
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(0)
    return Chem.MolFromSmiles(Chem.MolToSmiles(mol))


def canonical(smiles: str) -> str | None:
    """The canonical SMILES, its molecules sorted; None when the text is no SMILES."""
    parts = molecules(smiles)
    return ".".join(parts) if parts else None
