"""Which atom of a product comes from which atom of the reactants, found with RDKit alone.

Up to three product bonds are cut so that every fragment is a substructure of the reactants; of all placements of the
fragments the one with the fewest bond edits wins. The budget is a count, never a clock: the same on every machine.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from rdkit import Chem

MAX_CUTS = 3
MAX_NODES = 600
"""Cut sets looked at for one reaction."""
MAX_PLACEMENTS = 2000
"""Placements of fragments looked at for one cut set."""
MAX_MATCHES = 1000

Cuts = frozenset[int]
Pair = tuple[int, int]
Cost = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Mapping:
    """`image[i]` is the reactant atom that product atom i comes from."""

    product: Chem.Mol
    reactants: Chem.Mol
    image: tuple[int, ...]


def map_reaction(product: Chem.Mol, reactants: Chem.Mol) -> Mapping | None:
    """The mapping with the fewest cuts, then the fewest bond edits; None when three cuts are not enough."""
    if not _elements(product) <= _elements(reactants):
        return None
    search = _Search(product, reactants)
    level: list[Cuts] = [frozenset()]
    for _ in range(MAX_CUTS + 1):
        found = [best for cuts in level if (best := search.best_placement(cuts)) is not None]
        if found:
            return Mapping(product, reactants, min(found)[1])
        level = search.next_level(level)
    return None


class _Search:
    def __init__(self, product: Chem.Mol, reactants: Chem.Mol) -> None:
        self.product, self.reactants = product, reactants
        self.nodes = 0
        self.fits: dict[frozenset[int], bool] = {}
        self.bonds, self.reactant_bonds = _bonds(product), _bonds(reactants)
        self.ends = list(self.bonds)

    def next_level(self, level: list[Cuts]) -> list[Cuts]:
        """Every cut set one larger that could work: a piece that fits nowhere has to lose one of its bonds."""
        return list(dict.fromkeys(cuts | {bond} for cuts in level for bond in self.misfit(cuts)))

    def misfit(self, cuts: Cuts) -> list[int]:
        """The bonds of a small piece of the product that is in no reactant; empty when the budget is spent."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            return []
        kept = [i for i in range(len(self.ends)) if i not in cuts]
        for radius in (1, 2, 3):
            pieces = [self.ball(atom, radius, kept) for atom in range(self.product.GetNumAtoms())]
            failing = [piece for piece in pieces if piece and not self.fit(piece)]
            if failing:
                return self.shrunk(min(failing, key=lambda piece: (len(piece), sorted(piece))))
        failing = [bonds for _, bonds in self.pieces(cuts) if bonds and not self.fit(bonds)]
        # Each piece fits, but not all at once: any bond may have to go.
        return self.shrunk(min(failing, key=len)) if failing else kept

    def ball(self, atom: int, radius: int, kept: list[int]) -> frozenset[int]:
        inside, piece = {atom}, frozenset[int]()
        for _ in range(radius):
            piece = frozenset(i for i in kept if self.ends[i][0] in inside or self.ends[i][1] in inside)
            inside.update(end for i in piece for end in self.ends[i])
        return piece

    def shrunk(self, piece: frozenset[int]) -> list[int]:
        """Drop bonds while the rest is connected and still fits nowhere."""
        for bond in sorted(piece, reverse=True):
            rest = piece - {bond}
            if rest and len(Chem.GetMolFrags(self.submol(rest))) == 1 and not self.fit(rest):
                piece = rest
        return sorted(piece)

    def fit(self, piece: frozenset[int]) -> bool:
        if piece not in self.fits:
            self.fits[piece] = self.reactants.HasSubstructMatch(self.submol(piece))
        return self.fits[piece]

    def submol(self, piece: frozenset[int]) -> Chem.Mol:
        return Chem.PathToSubmol(self.product, sorted(piece))

    def pieces(self, cuts: Cuts) -> list[tuple[list[int], frozenset[int]]]:
        """Atoms and bonds of the connected pieces, the largest first."""
        cut = Chem.RWMol(self.product)
        for bond in cuts:
            cut.RemoveBond(*self.ends[bond])
        fragments = sorted(map(sorted, Chem.GetMolFrags(cut)), key=lambda atoms: (-len(atoms), atoms))
        kept = [(bond, ends[0]) for bond, ends in enumerate(self.ends) if bond not in cuts]
        return [(atoms, frozenset(bond for bond, end in kept if end in atoms)) for atoms in fragments]

    def best_placement(self, cuts: Cuts) -> tuple[Cost, tuple[int, ...]] | None:
        """The cheapest way to place all fragments in the reactants without overlap."""
        pieces = self.pieces(cuts)
        if not all(self.fit(bonds) for _, bonds in pieces if bonds):
            return None
        ends = {end for bond in cuts for end in self.ends[bond]}
        options = [self.matches(atoms, bonds, ends) for atoms, bonds in pieces]
        placed = islice(_placements(options, {}), MAX_PLACEMENTS)
        images = (tuple(image[atom] for atom in range(len(image))) for image in placed)
        return min(((self.cost(image), image) for image in images), default=None)

    def matches(self, piece: list[int], bonds: frozenset[int], ends: set[int]) -> list[dict[int, int]]:
        """Where a fragment can lie; placements that differ only by symmetry away from the cuts count once."""
        if not bonds:
            number = self.product.GetAtomWithIdx(piece[0]).GetAtomicNum()
            return [{piece[0]: a.GetIdx()} for a in self.reactants.GetAtoms() if a.GetAtomicNum() == number]
        atoms: dict[int, int] = {}
        query = Chem.PathToSubmol(self.product, sorted(bonds), atomMap=atoms)
        found: dict[tuple[frozenset[int], tuple[int, ...]], dict[int, int]] = {}
        for match in self.reactants.GetSubstructMatches(query, uniquify=False, maxMatches=MAX_MATCHES):
            image = {atom: match[position] for atom, position in sorted(atoms.items())}
            found.setdefault((frozenset(match), tuple(image[a] for a in piece if a in ends)), image)
        return list(found.values())

    def cost(self, image: tuple[int, ...]) -> Cost:
        """Bonds that differ, atoms at them, changes of charge, and how unlikely the new bonds are: less is better."""
        mapped = set(image)
        expected = {ordered(image[a], image[b]): kind for (a, b), kind in self.bonds.items()}
        differing = [pair for pair, kind in expected.items() if self.reactant_bonds.get(pair) != kind]
        differing += [pair for pair in self.reactant_bonds if pair not in expected and not mapped.isdisjoint(pair)]
        charges = sum(
            atom.GetFormalCharge() != self.reactants.GetAtomWithIdx(image[atom.GetIdx()]).GetFormalCharge()
            for atom in self.product.GetAtoms()
        )
        unlikely = sum(
            self.reluctance(a) + self.reluctance(b)
            for a, b in self.bonds
            if ordered(image[a], image[b]) not in self.reactant_bonds
        )
        return len(differing), len({atom for pair in differing for atom in pair} & mapped), charges, unlikely

    def reluctance(self, atom: int) -> int:
        """How unlikely a bond at this atom is to be the one that forms: acyl before alkyl before aryl."""
        carbon = self.product.GetAtomWithIdx(atom)
        if carbon.GetAtomicNum() != 6:
            return 0
        if carbon.GetIsAromatic():
            return 2
        return 0 if any(b.GetBondType() == Chem.BondType.DOUBLE for b in carbon.GetBonds()) else 1


def _placements(options: list[list[dict[int, int]]], placed: dict[int, int]) -> Iterator[dict[int, int]]:
    if not options:
        yield placed
        return
    taken = set(placed.values())
    for image in options[0]:
        if taken.isdisjoint(image.values()):
            yield from _placements(options[1:], placed | image)


def _elements(mol: Chem.Mol) -> Counter[int]:
    return Counter(atom.GetAtomicNum() for atom in mol.GetAtoms())


def _bonds(mol: Chem.Mol) -> dict[Pair, Chem.BondType]:
    return {ordered(b.GetBeginAtomIdx(), b.GetEndAtomIdx()): b.GetBondType() for b in mol.GetBonds()}


def ordered(a: int, b: int) -> Pair:
    """The two atoms of a bond, the lower number first."""
    return (a, b) if a < b else (b, a)
