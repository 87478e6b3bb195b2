"""Retro-templates: the smallest pattern that turns a product back into its reactants, and how to apply one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rdkit import Chem
from rdkit.Chem import rdChemReactions

from flex.apprentice.chemistry.mapping import Mapping, Pair, map_reaction, ordered
from flex.apprentice.chemistry.molecules import canonical, molecule
from flex.apprentice.chemistry.smarts import Graph, bond_text, leaving_atom, pattern_atom, refined

MAX_OUTCOMES = 200
MAX_SHELLS = 3
MAX_ATOMS = 60
"""A template longer than this is a copy of a molecule, not a pattern."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Reactants a template proposes, and the product atoms it matched."""

    reactants: str
    centre: tuple[int, ...]


def extract(product: str, reactants: str) -> str | None:
    """The smallest retro-template that regenerates the reactants from the product, None when none does."""
    mol, expected = molecule(product), canonical(reactants)
    if mol is None or expected is None:
        return None
    mapping = map_reaction(mol, Chem.MolFromSmiles(expected))
    if mapping is None:
        return None
    for shells in range(MAX_SHELLS + 1):
        template = _template(mapping, shells)
        if template is not None and any(outcome.reactants == expected for outcome in apply(template, product)):
            return template
    return None


@lru_cache(maxsize=32768)
def apply(template: str, product: str) -> tuple[Outcome, ...]:
    """What the template proposes for the product, in a fixed order, without repeats; empty where it does not fit."""
    reaction, mol, unchanged = _reaction(template), molecule(product), canonical(product)
    if reaction is None or mol is None or unchanged is None:
        return ()
    run, separate = reaction
    found: dict[str, tuple[int, ...]] = {}
    for (raw,) in run.RunReactants((_with_free_hydrogens(mol),), maxProducts=MAX_OUTCOMES):
        reactants = _reactants(raw)
        if reactants is None or reactants == unchanged or reactants.count(".") + 1 < separate:
            continue
        atoms = sorted(a.GetIntProp("react_atom_idx") for a in raw.GetAtoms() if a.HasProp("old_mapno"))
        if not atoms:
            continue
        found[reactants] = min(found.get(reactants, tuple(atoms)), tuple(atoms))
    return tuple(Outcome(reactants, centre) for reactants, centre in sorted(found.items()))


@lru_cache(maxsize=4096)
def _reaction(template: str) -> tuple[rdChemReactions.ChemicalReaction, int] | None:
    """The template as one pattern to one set of molecules, and how many molecules it has to leave; None if broken."""
    left, arrow, right = template.partition(">>")
    if not arrow:
        return None
    try:
        reaction = rdChemReactions.ReactionFromSmarts(f"{_grouped(left)}>>{_grouped(right)}")
    except ValueError:
        return None
    if reaction is None or reaction.GetNumReactantTemplates() != 1 or reaction.GetNumProductTemplates() != 1:
        return None
    reaction.Initialize()
    if reaction.Validate(silent=True)[1]:
        return None
    return reaction, 1 if right.startswith("(") else right.count(".") + 1


def _grouped(side: str) -> str:
    return side if side.startswith("(") and side.endswith(")") else f"({side})"


@lru_cache(maxsize=256)
def _with_free_hydrogens(mol: Chem.Mol) -> Chem.Mol:
    """The product with hydrogens that follow the valence, so that a broken bond is refilled."""
    loose = Chem.Mol(mol)
    for atom in loose.GetAtoms():
        if not atom.GetIsAromatic() and not atom.GetNumRadicalElectrons():
            hydrogens = atom.GetTotalNumHs()
            atom.SetNoImplicit(False)
            atom.SetNumExplicitHs(0)
            atom.UpdatePropertyCache(strict=False)
            if atom.GetTotalNumHs() != hydrogens:  # a charge or metal the valence model does not know
                atom.SetNumExplicitHs(hydrogens)
                atom.SetNoImplicit(True)
    return loose


def _reactants(raw: Chem.Mol) -> str | None:
    """The canonical reactants of one raw outcome; a matched aromatic nitrogen may have lost or won its hydrogen."""
    nitrogens = [
        a.GetIdx() for a in raw.GetAtoms() if a.GetIsAromatic() and a.GetSymbol() == "N" and a.HasProp("old_mapno")
    ]
    for hydrogens in (None, 0, 1) if nitrogens else (None,):
        mol = Chem.Mol(raw)
        for atom in nitrogens if hydrogens is not None else ():
            mol.GetAtomWithIdx(atom).SetNumExplicitHs(hydrogens or 0)
        if Chem.SanitizeMol(mol, catchErrors=True) == Chem.SanitizeFlags.SANITIZE_NONE:
            Chem.AssignStereochemistry(mol, cleanIt=True, force=True)
            return canonical(Chem.MolToSmiles(mol))
    return None


def _template(mapping: Mapping, shells: int) -> str | None:
    """The template with so many shells of neighbours around the reaction centre and what is multiply bonded to it."""
    product, reactants, image = mapping.product, mapping.reactants, mapping.image
    core = _core(mapping, shells)
    source = {image[atom]: atom for atom in core}
    added = sorted(set(range(reactants.GetNumAtoms())) - set(image))
    if len(core) + len(added) > MAX_ATOMS:
        return None
    written = {*source, *added}
    before = {pair: text for pair, text in _bonds(reactants).items() if written.issuperset(pair)}
    after = {pair: text for pair, text in _bonds(product, image).items() if source.keys() >= set(pair)}
    ranks = _ranks(mapping, source, added, before, after)
    number = {atom: place for place, atom in enumerate(sorted(source, key=ranks.__getitem__), 1)}
    left, right = Graph(), Graph()
    for atom, at in source.items():
        left.add_atom(atom, pattern_atom(product.GetAtomWithIdx(at), number[atom]), ranks[atom])
        right.add_atom(atom, pattern_atom(reactants.GetAtomWithIdx(atom), number[atom]), ranks[atom])
    for atom in added:
        right.add_atom(atom, leaving_atom(reactants.GetAtomWithIdx(atom)), ranks[atom])
    for (a, b), text in after.items():
        left.add_bond(a, b, text)
    for (a, b), text in before.items():
        known = a in source and b in source
        right.add_bond(a, b, text if known or text not in "-:" else "")
    home = {atom: place for place, fragment in enumerate(Chem.GetMolFrags(reactants)) for atom in fragment}
    return f"{_side(left, dict.fromkeys(source, 0))}>>{_side(right, home)}"


def _side(graph: Graph, home: dict[int, int]) -> str:
    """Molecules apart are written apart; pieces of one molecule are held together by brackets."""
    pieces = graph.write()
    homes = {home[min(atoms)] for _, atoms in pieces}
    text = ".".join(text for text, _ in pieces)
    return f"({text})" if len(homes) < len(pieces) else text


def _core(mapping: Mapping, shells: int) -> set[int]:
    core = set(_changed_atoms(mapping))
    for _ in range(shells):
        core |= {n.GetIdx() for atom in core for n in mapping.product.GetAtomWithIdx(atom).GetNeighbors()}
    multiple = (Chem.BondType.DOUBLE, Chem.BondType.TRIPLE)
    bonds = ((atom, bond) for atom in core for bond in mapping.product.GetAtomWithIdx(atom).GetBonds())
    return core | {bond.GetOtherAtomIdx(atom) for atom, bond in bonds if bond.GetBondType() in multiple}


def _changed_atoms(mapping: Mapping) -> list[int]:
    """The product atoms with a bond, a charge or an aromaticity that differs, or with a neighbour that left."""
    product, reactants, image = mapping.product, mapping.reactants, mapping.image
    differing = {end for pair, _ in _bonds(product, image).items() ^ _bonds(reactants).items() for end in pair}

    def kind(atom: Chem.Atom) -> tuple[int, bool]:
        return atom.GetFormalCharge(), atom.GetIsAromatic()

    return [
        atom
        for atom, origin in enumerate(image)
        if origin in differing or kind(product.GetAtomWithIdx(atom)) != kind(reactants.GetAtomWithIdx(origin))
    ]


def _bonds(mol: Chem.Mol, image: Sequence[int] | None = None) -> dict[Pair, str]:
    """The texts of the bonds by their atoms, or by what `image` makes of these."""
    numbers = image or range(mol.GetNumAtoms())
    ends = ((bond, bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds())
    return {ordered(numbers[a], numbers[b]): bond_text(bond) for bond, a, b in ends}


def _ranks(
    mapping: Mapping, source: dict[int, int], added: list[int], before: dict[Pair, str], after: dict[Pair, str]
) -> dict[int, int]:
    colours = {
        atom: pattern_atom(mapping.product.GetAtomWithIdx(at), 0)
        + pattern_atom(mapping.reactants.GetAtomWithIdx(atom), 0)
        for atom, at in source.items()
    }
    colours |= {atom: f"~{leaving_atom(mapping.reactants.GetAtomWithIdx(atom))}" for atom in added}
    bonds: dict[int, dict[int, str]] = {}
    for a, b in before | after:
        bond = f"{after.get((a, b), '')}>{before.get((a, b), '')}"
        bonds.setdefault(a, {})[b] = bonds.setdefault(b, {})[a] = bond
    return refined(colours, bonds)
