"""Which atom of a product comes from which atom of the reactants, found with RDKit alone.

Up to three product bonds are cut so that every fragment is a substructure of the reactants; of all placements of the
fragments the one with the fewest bond edits wins. The budget is a count, never a clock: the same on every machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass

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
    search = _Search(product, reactants)
    if not search.elements_suffice():
        return None
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
        self.ends = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in product.GetBonds()]
        self.bonds = {ordered(*e): b.GetBondType() for e, b in zip(self.ends, product.GetBonds(), strict=True)}
        self.reactant_bonds = {
            ordered(b.GetBeginAtomIdx(), b.GetEndAtomIdx()): b.GetBondType() for b in reactants.GetBonds()
        }

    def elements_suffice(self) -> bool:
        needed = [a.GetAtomicNum() for a in self.product.GetAtoms()]
        there = [a.GetAtomicNum() for a in self.reactants.GetAtoms()]
        return all(needed.count(z) <= there.count(z) for z in set(needed))

    def next_level(self, level: list[Cuts]) -> list[Cuts]:
        """Every cut set one larger that could work: a piece that fits nowhere has to lose one of its bonds."""
        following: dict[Cuts, None] = {}
        for cuts in level:
            for bond in self.misfit(cuts):
                following[cuts | {bond}] = None
        return list(following)

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
        failing = [piece for piece in self.components(cuts) if piece and not self.fit(piece)]
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
            if rest and self.connected(rest) and not self.fit(rest):
                piece = rest
        return sorted(piece)

    def connected(self, piece: frozenset[int]) -> bool:
        left = sorted(piece)
        reached = set(self.ends[left.pop()])
        while left:
            touching = [i for i in left if reached & set(self.ends[i])]
            if not touching:
                return False
            reached.update(end for i in touching for end in self.ends[i])
            left = [i for i in left if i not in touching]
        return True

    def fit(self, piece: frozenset[int]) -> bool:
        if piece not in self.fits:
            query = Chem.PathToSubmol(self.product, sorted(piece))
            self.fits[piece] = self.reactants.HasSubstructMatch(query)
        return self.fits[piece]

    def fragments(self, cuts: Cuts) -> list[list[int]]:
        """The atoms of the connected pieces, the largest first."""
        neighbours: list[list[int]] = [[] for _ in range(self.product.GetNumAtoms())]
        for bond, (a, b) in enumerate(self.ends):
            if bond not in cuts:
                neighbours[a].append(b)
                neighbours[b].append(a)
        pieces, seen = [], set[int]()
        for start in range(len(neighbours)):
            if start in seen:
                continue
            piece, stack = {start}, [start]
            while stack:
                fresh = [n for n in neighbours[stack.pop()] if n not in piece]
                piece.update(fresh)
                stack.extend(fresh)
            seen |= piece
            pieces.append(sorted(piece))
        return sorted(pieces, key=lambda piece: (-len(piece), piece))

    def components(self, cuts: Cuts) -> list[frozenset[int]]:
        return [
            frozenset(i for i, (a, b) in enumerate(self.ends) if i not in cuts and a in piece)
            for piece in self.fragments(cuts)
        ]

    def best_placement(self, cuts: Cuts) -> tuple[Cost, tuple[int, ...]] | None:
        """The cheapest way to place all fragments in the reactants without overlap."""
        pieces = self.fragments(cuts)
        if not all(self.fit(bonds) for bonds in self.components(cuts) if bonds):
            return None
        ends = {end for bond in cuts for end in self.ends[bond]}
        options = [self.matches(piece, cuts, ends) for piece in pieces]
        best = None
        for count, image in enumerate(_placements(options, {})):
            if count >= MAX_PLACEMENTS:
                break
            atoms = tuple(image[i] for i in range(len(image)))
            candidate = (self.cost(atoms), atoms)
            best = candidate if best is None else min(best, candidate)
        return best

    def matches(self, piece: list[int], cuts: Cuts, ends: set[int]) -> list[dict[int, int]]:
        """Where a fragment can lie; placements that differ only by symmetry away from the cuts count once."""
        bonds = [i for i, (a, b) in enumerate(self.ends) if i not in cuts and a in piece]
        if not bonds:
            number = self.product.GetAtomWithIdx(piece[0]).GetAtomicNum()
            return [{piece[0]: a.GetIdx()} for a in self.reactants.GetAtoms() if a.GetAtomicNum() == number]
        atoms: dict[int, int] = {}
        query = Chem.PathToSubmol(self.product, bonds, atomMap=atoms)
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


def ordered(a: int, b: int) -> Pair:
    """The two atoms of a bond, the lower number first."""
    return (a, b) if a < b else (b, a)
