"""Write the demo data again: python scripts/make_retro_demo.py [--out data/retro_demo] [--train 50] [--test 100].

Data of our own making: textbook reactions on hand-written building blocks, the same rows on every machine. Half of the
products take two steps (the row is the last one). A product is kept only if the blocks and the reactions lead to it in
exactly one way, so that there is one right answer.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import permutations
from itertools import product as product_of
from pathlib import Path
from random import Random
from typing import TypeVar

from rdkit import Chem, rdBase
from rdkit.Chem import rdChemReactions
from retro_demo_blocks import BLOCKS, REACTIONS, REAGENTS, Reaction

from flex.apprentice.chemistry.molecules import canonical, molecule
from flex.apprentice.chemistry.templates import apply

TRAIN, TEST = 50, 100
SEED = 2511
MAX_ATOMS = 45
DRAWS = 40

Row = tuple[str, str]
T = TypeVar("T")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data/retro_demo"))
    parser.add_argument("--train", type=int, default=TRAIN)
    parser.add_argument("--test", type=int, default=TEST)
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args(argv)
    write_demo(args.out, train=args.train, test=args.test, seed=args.seed)
    print(f"wrote {args.train} training and {args.test} test rows to {args.out}")
    return 0


def write_demo(folder: Path, *, train: int, test: int, seed: int) -> None:
    """Write `train.jsonl` and `test.jsonl` into the folder, one `{"question", "answer"}` row a line."""
    with rdBase.BlockLogs():
        rows = demo_rows(train + test, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", rows[:train]), ("test", rows[train:])):
        lines = [json.dumps({"question": product, "answer": reactants}) for product, reactants in part]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def demo_rows(count: int, *, seed: int) -> list[Row]:
    """So many different (product, reactants), one and two steps alternating."""
    maker = _Maker(seed)
    rows: dict[str, str] = {}
    while len(rows) < count:
        row = maker.one_step() if len(rows) % 2 == 0 else maker.two_steps()
        if row is not None and row[0] not in rows:
            rows[row[0]] = row[1]
    return list(rows.items())


class _Maker:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.pools = _one_step_rows()

    def pick(self, things: Sequence[T]) -> T:
        return things[int(self.random.random() * len(things))]  # the same in every version of Python

    def one_step(self) -> Row | None:
        return self.kept(self.pick(self.pick(self.pools)))

    def two_steps(self) -> Row | None:
        reaction = self.pick(REACTIONS)
        for _ in range(DRAWS):
            first = self.pick(self.pick(self.pools))[0]
            slots = [slot for slot in range(_slots(reaction)) if _fits(reaction, slot, first)]
            if slots:
                chosen = self.pick(slots)
                others = [s for s in range(_slots(reaction)) if s != chosen]
                partners = {chosen: first} | {slot: self.pick(_fitting(reaction, slot)) for slot in others}
                return self.made(reaction, tuple(partners[slot] for slot in sorted(partners)))
        return None

    def made(self, reaction: Reaction, reactants: tuple[str, ...]) -> Row | None:
        product = _product(reaction, reactants)
        return self.kept((product, ".".join(sorted(reactants)))) if product else None

    def kept(self, row: Row) -> Row | None:
        """The row in canonical form if it is the only way to a product of a sensible size that is no building block."""
        product, reactants = canonical(row[0]), canonical(row[1])
        if product is None or reactants is None or product in _blocks() or _atoms(product) > MAX_ATOMS:
            return None
        return (product, reactants) if _ways(product) == (reactants,) else None


@lru_cache(maxsize=1)
def _blocks() -> tuple[str, ...]:
    """The building blocks as canonical SMILES, in the order in which they are written down."""
    spelled = (canonical(handle + fragment) for handle, fragments in BLOCKS.items() for fragment in fragments)
    return tuple(dict.fromkeys(smiles for smiles in spelled if smiles))


@lru_cache(maxsize=1)
def _one_step_rows() -> tuple[tuple[Row, ...], ...]:
    """For each reaction everything it makes of the building blocks."""
    return tuple(tuple(_rows_of(reaction)) for reaction in REACTIONS)


def _rows_of(reaction: Reaction) -> Iterator[Row]:
    for reactants in product_of(*(_fitting(reaction, slot) for slot in range(_slots(reaction)))):
        if made := _product(reaction, reactants):
            yield made, ".".join(sorted(reactants))


@lru_cache(maxsize=1)
def _at_hand() -> frozenset[str]:
    """The building blocks and everything one step makes of them."""
    return frozenset(_blocks()).union(made for rows in _one_step_rows() for made, _ in rows)


def _atoms(smiles: str) -> int:
    return sum(character.isalpha() and character != "H" for character in smiles)


@lru_cache(maxsize=65536)
def _ways(product: str) -> tuple[str, ...]:
    """The last steps that lead to the product from what is at hand."""
    ways: set[str] = set()
    for reaction in REACTIONS:
        for outcome in apply(reaction.retro, product):
            parts = outcome.reactants.split(".")
            if len(parts) == _slots(reaction) and all(part in _at_hand() for part in parts):
                ways.update(
                    outcome.reactants
                    for order in permutations(parts)
                    if canonical(_product(reaction, order) or "") == product
                )
    return tuple(sorted(ways))


def _product(reaction: Reaction, reactants: tuple[str, ...]) -> str | None:
    """The one product of the reaction, None when something else would react as well."""
    if any(not _fits(reaction, slot, smiles) for slot, smiles in enumerate(reactants)):
        return None
    if len(reactants) == 2 and (_count(reaction, 0, reactants[1]) or _count(reaction, 1, reactants[0])):
        return None
    products = set()
    for (mol,) in _forward(reaction).RunReactants(tuple(_parsed(smiles) for smiles in reactants)):
        if Chem.SanitizeMol(mol, catchErrors=True) == Chem.SanitizeFlags.SANITIZE_NONE:
            products.add(Chem.MolToSmiles(mol))
    return products.pop() if len(products) == 1 else None


@lru_cache(maxsize=64)
def _forward(reaction: Reaction) -> rdChemReactions.ChemicalReaction:
    run = rdChemReactions.ReactionFromSmarts(reaction.forward)
    run.Initialize()
    return run


def _slots(reaction: Reaction) -> int:
    return _forward(reaction).GetNumReactantTemplates()


@lru_cache(maxsize=256)
def _fitting(reaction: Reaction, slot: int) -> tuple[str, ...]:
    return tuple(block for block in _blocks() if _fits(reaction, slot, block))


@lru_cache(maxsize=262144)
def _fits(reaction: Reaction, slot: int, smiles: str) -> bool:
    """Whether the molecule has the group that reacts exactly once and none that would spoil it."""
    if _count(reaction, slot, smiles) != 1:
        return False
    spoils = [*reaction.spoils, *(reagent for reagent in REAGENTS if reagent != reaction.uses)]
    return not any(_parsed(smiles).HasSubstructMatch(_pattern(spoil)) for spoil in spoils)


def _parsed(smiles: str) -> Chem.Mol:
    mol = molecule(smiles)
    if mol is None:
        raise ValueError(f"'{smiles}' among the building blocks is not a SMILES")
    return mol


@lru_cache(maxsize=65536)
def _count(reaction: Reaction, slot: int, smiles: str) -> int:
    return len(_parsed(smiles).GetSubstructMatches(_forward(reaction).GetReactantTemplate(slot)))


@lru_cache(maxsize=256)
def _pattern(smarts: str) -> Chem.Mol:
    return Chem.MolFromSmarts(smarts)


if __name__ == "__main__":
    raise SystemExit(main())
