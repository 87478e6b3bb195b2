"""The three chemistry tools that agents get; their docstrings are what the agent reads of them."""

from collections import Counter
from functools import lru_cache
from typing import Any

from flex.chemistry.molecules import heavy_atoms, molecules, without_log

_GROUPS = {
    "carboxylic acid": "[CX3](=O)[OX2H1]",
    "carboxylate": "[CX3](=O)[O-]",
    "acid halide": "[CX3](=O)[F,Cl,Br,I]",
    "anhydride": "C(=O)[OX2]C=O",
    "ester or lactone": "[#6,#1][CX3;!$(C(=O)OC=O)](=O)[OX2;!$(OC(=O)[!#6])][#6;!$(C=O)]",
    "amide or lactam": "[#6,#1;!$([#8])][CX3](=O)[NX3]",
    "imide": "[CX3](=O)[NX3][CX3](=O)",
    "carbamate": "[NX3]C(=O)[OX2][#6]",
    "Boc group": "[CH3]C([CH3])([CH3])OC(=O)[#7]",
    "Cbz group": "c1ccccc1[CH2]OC(=O)[#7]",
    "urea": "[NX3]C(=O)[NX3]",
    "aldehyde": "[#6][CX3H1]=O",
    "ketone": "[#6][CX3](=O)[#6]",
    "acetal or ketal": "[CX4]([OX2][#6])[OX2][#6]",
    "imine": "[CX3]=[NX2;!$(N[#7,#8])][#6]",
    "oxime": "C=N[OX2]",
    "nitrile": "C#N",
    "isocyanate": "N=C=O",
    "nitro": "[N+](=O)[O-]",
    "azide": "N=[N+]=[N-]",
    "sulfonamide": "S(=O)(=O)[NX3]",
    "sulfonyl halide": "S(=O)(=O)[F,Cl,Br]",
    "sulfonate ester": "S(=O)(=O)[OX2][#6]",
    "sulfone": "[#6]S(=O)(=O)[#6]",
    "thiol": "[#6][SX2H1]",
    "thioether": "[#6][SX2;!$(S[#6]=O)][#6]",
    "alcohol": "[CX4;!$(C([OX2H1])[OX2])][OX2H1]",
    "phenol or hydroxyarene": "c[OX2H1]",
    "ether": "[#6;!$(C=[O,S])][OX2;!$(O[CX4][OX2])][#6;!$(C=[O,S])]",
    "silyl ether": "[Si][OX2][#6]",
    "primary amine": "[NX3H2][#6;!$(C=[O,S,N])]",
    "secondary amine": "[NX3H1]([#6;!$(C=[O,S,N])])[#6;!$(C=[O,S,N])]",
    "tertiary amine": "[NX3H0]([#6;!$(C=[O,S,N])])([#6;!$(C=[O,S,N])])[#6;!$(C=[O,S,N])]",
    "aryl fluoride": "cF",
    "aryl Cl/Br/I": "c[Cl,Br,I]",
    "alkyl Cl/Br/I": "[CX4][Cl,Br,I]",
    "boronic acid or ester": "[#6]B([OX2])[OX2]",
    "alkene": "[CX3]=[CX3]",
    "alkyne": "C#C",
    "biaryl bond": "c-!@c",
}


def canonical_smiles(smiles: str) -> str:
    """Check a SMILES and write it in canonical form; two SMILES are the same molecules if these forms are equal.

    Args:
        smiles: One molecule, or several joined by ".".

    Returns:
        The canonical SMILES, molecules in alphabetical order, or a text that begins with "invalid".
    """
    parts = molecules(smiles)
    return ".".join(parts) if parts else _invalid(smiles)


def functional_groups(smiles: str) -> str:
    """Name the functional groups, linkages and rings in a molecule, with how often each occurs.

    Args:
        smiles: One molecule, or several joined by ".".

    Returns:
        One line per molecule, "SMILES: group x count, ...", or a text that begins with "invalid".
    """
    return "\n".join(f"{part}: {_groups(part)}" for part in molecules(smiles) or ()) or _invalid(smiles)


def atom_balance(product: str, reactants: str) -> str:
    """Compare the heavy atoms of a product with those of proposed reactants.

    Args:
        product: SMILES of the product.
        reactants: SMILES of all reactants joined by ".".

    Returns:
        Which atoms of the product no reactant supplies, and which atoms of the reactants are left over.
    """
    sides = []
    for smiles in (product, reactants):
        if (parts := molecules(smiles)) is None:
            return _invalid(smiles)
        sides.append(sum((heavy_atoms(part) for part in parts), Counter[str]()))
    needed, given = sides
    missing, left = _formula(needed - given), _formula(given - needed)
    return f"missing for the product: {missing}; left over from the reactants: {left}"


@lru_cache(maxsize=10_000)
def _groups(smiles: str) -> str:
    from rdkit import Chem

    with without_log():
        molecule = Chem.MolFromSmiles(smiles)
        counts = {name: len(molecule.GetSubstructMatches(pattern)) for name, pattern in _patterns().items()}
        rings = molecule.GetRingInfo().AtomRings()
        aromatic = sum(all(molecule.GetAtomWithIdx(i).GetIsAromatic() for i in ring) for ring in rings)
    counts |= {"aromatic ring": aromatic, "other ring": len(rings) - aromatic}
    return ", ".join(f"{name} x {count}" for name, count in counts.items() if count) or "no functional group"


@lru_cache(maxsize=1)
def _patterns() -> dict[str, Any]:
    from rdkit import Chem

    return {name: Chem.MolFromSmarts(smarts) for name, smarts in _GROUPS.items()}


def _formula(atoms: Counter[str]) -> str:
    return " ".join(f"{symbol}{count}" for symbol, count in sorted(atoms.items())) or "none"


def _invalid(smiles: str) -> str:
    return f"invalid: '{smiles[:200]}' is not a valid SMILES"
