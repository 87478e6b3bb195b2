"""A pattern written down in one canonical way, so that identical chemistry is identical text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rdkit import Chem

_SYMBOL = {
    Chem.BondType.SINGLE: "-",
    Chem.BondType.DOUBLE: "=",
    Chem.BondType.TRIPLE: "#",
    Chem.BondType.AROMATIC: ":",
}
_ORGANIC = {"B", "C", "N", "O", "P", "S", "F", "Cl", "Br", "I"}
_CLOSURES = [*"123456789", *(f"%{n}" for n in range(10, 100))]


@dataclass(slots=True)
class Graph:
    """Atoms with a text and a rank, bonds with a text; the ranks decide the order of writing."""

    text: dict[int, str] = field(default_factory=dict)
    rank: dict[int, int] = field(default_factory=dict)
    bonds: dict[int, dict[int, str]] = field(default_factory=dict)

    def add_atom(self, atom: int, text: str, rank: int) -> None:
        self.text[atom], self.rank[atom] = text, rank
        self.bonds.setdefault(atom, {})

    def add_bond(self, a: int, b: int, text: str) -> None:
        self.bonds[a][b] = self.bonds[b][a] = text

    def write(self) -> list[tuple[str, frozenset[int]]]:
        """One (text, atoms) for each connected piece, by rank of its first atom."""
        pieces, seen = [], set[int]()
        for start in sorted(self.text, key=self.rank.__getitem__):
            if start not in seen:
                writer = _Writer(self)
                writer.visit(start, None)
                pieces.append((writer.text(start), frozenset(writer.order)))
                seen |= writer.order.keys()
        return pieces


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.order: dict[int, int] = {}
        self.children: dict[int, list[int]] = {}
        self.closures: dict[int, list[str]] = {}
        self.marks = iter(_CLOSURES)

    def visit(self, atom: int, parent: int | None) -> None:
        self.order[atom] = len(self.order)
        self.children[atom] = []
        self.closures.setdefault(atom, [])
        for other in sorted(self.graph.bonds[atom], key=self.graph.rank.__getitem__):
            if other == parent:
                continue
            if other not in self.order:
                self.children[atom].append(other)
                self.visit(other, atom)
            elif self.order[other] < self.order[atom]:
                mark = next(self.marks)
                self.closures[other].append(mark)
                self.closures[atom].append(self.graph.bonds[atom][other] + mark)

    def text(self, atom: int) -> str:
        branches = [self.graph.bonds[atom][child] + self.text(child) for child in self.children[atom]]
        side = "".join(f"({branch})" for branch in branches[:-1])
        return self.graph.text[atom] + "".join(self.closures[atom]) + side + "".join(branches[-1:])


def pattern_atom(atom: Chem.Atom, number: int) -> str:
    """An atom that both sides know: element, aromaticity, charge, map number; no H or degree constraint."""
    symbol = atom.GetSymbol().lower() if atom.GetIsAromatic() else atom.GetSymbol()
    return f"[{symbol}{_charge(atom)}:{number}]"


def leaving_atom(atom: Chem.Atom) -> str:
    """An atom that only the reactants have."""
    symbol = atom.GetSymbol().lower() if atom.GetIsAromatic() else atom.GetSymbol()
    hydrogens = "H" if atom.GetIsAromatic() and atom.GetSymbol() == "N" and atom.GetTotalNumHs() else ""
    charge = _charge(atom)
    if not charge and not hydrogens and atom.GetSymbol() in _ORGANIC:
        return symbol
    return f"[{symbol}{hydrogens}{charge}]"


def bond_text(bond: Chem.Bond) -> str:
    return _SYMBOL.get(bond.GetBondType(), "~")


def refined(colours: Mapping[int, str], bonds: Mapping[int, Mapping[int, str]]) -> dict[int, int]:
    """A rank for every atom that depends on the graph only; what is left equal is symmetric, and the index decides."""
    rank = _ranked(colours)
    while len(set(rank.values())) < len(rank):
        around = {
            atom: sorted(f"{text}{rank[other]:06d}" for other, text in bonds.get(atom, {}).items()) for atom in rank
        }
        finer = _ranked({atom: (rank[atom], *around[atom]) for atom in rank})
        if len(set(finer.values())) == len(set(rank.values())):
            tied = min(r for r in finer.values() if list(finer.values()).count(r) > 1)
            first = min(atom for atom, r in finer.items() if r == tied)
            finer = _ranked({atom: (r, atom != first and r == tied) for atom, r in finer.items()})
        rank = finer
    return rank


def _ranked(colours: Mapping[int, Any]) -> dict[int, int]:
    order = {colour: place for place, colour in enumerate(sorted(set(colours.values())))}
    return {atom: order[colour] for atom, colour in colours.items()}


def _charge(atom: Chem.Atom) -> str:
    charge = atom.GetFormalCharge()
    return "" if not charge else f"{'+' if charge > 0 else '-'}{abs(charge) if abs(charge) > 1 else ''}"
