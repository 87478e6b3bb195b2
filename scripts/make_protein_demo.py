"""Write the made-up assays again: python scripts/make_protein_demo.py [--out data/protein_demo].

No protein and no model is behind them. Fitness is what a buried place loses by another volume or hydropathy, what a
conserved place loses by any change, and what prolines and charges spoil; each "model" sees a part of it, with noise.
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from flex.proteins.residues import DESCRIPTORS, described

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
LENGTH, MUTANTS, DOUBLES = 56, 220, 0.25
SEED = 2511
ASSAYS = {
    "train": (("DEMOA_YEAST_Made_2026_stability", "Stability"), ("DEMOB_HUMAN_Made_2026_activity", "Activity"),
              ("DEMOC_ECOLI_Made_2026_growth", "OrganismalFitness")),
    "test": (("DEMOD_HUMAN_Made_2026_stability", "Stability"), ("DEMOE_MOUSE_Made_2026_activity", "Activity"),
             ("DEMOF_ECOLI_Made_2026_growth", "OrganismalFitness")),
}  # fmt: skip
STRUCTURE = {"Stability": 1.0, "Activity": 0.5, "OrganismalFitness": 0.6}
"""How much of what is measured is structure; the rest is function."""
HEADER = ["mutant", "mutated_sequence", "DMS_score", "DMS_score_bin", "Structure-IF", "Family_MSA", "Family_MSA_r2l",
          "Language (small)"]  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data/protein_demo"))
    args = parser.parse_args(argv)
    write_demo(args.out)
    print(f"wrote {sum(len(assays) for assays in ASSAYS.values())} made-up assays to {args.out}")
    return 0


def write_demo(folder: Path) -> None:
    """The two splits, and the reference file that says which protein an assay is of and what it selects for."""
    reference = [["DMS_id", "UniProt_ID", "coarse_selection_type"]]
    for split, assays in ASSAYS.items():
        for name, selection in assays:
            _write(folder / split / f"{name}.csv", [HEADER, *_rows(name, selection)])
            reference.append([name, "_".join(name.split("_")[:2]), selection])
    _write(folder / "reference.csv", reference)


def _write(file: Path, rows: Sequence[Sequence[object]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines, lineterminator="\n").writerows(rows)


def _rows(name: str, selection: str) -> Iterator[list[object]]:
    random = Random(f"{SEED} {name}")
    sequence = [_pick(random, LETTERS.replace("P", "")) for _ in range(LENGTH)]
    buried = [random.random() ** 2 for _ in range(LENGTH)]
    conserved = [random.random() ** 2 for _ in range(LENGTH)]
    mutants = sorted(_mutants(random, sequence))
    measured = []
    for places in mutants:
        changes = [_change(sequence[place], letter, buried[place], conserved[place]) for place, letter in places]
        structure, family, spoiled = (sum(part) for part in zip(*changes, strict=True))
        share = STRUCTURE[selection]
        fitness = share * structure + (1.3 - share) * family + spoiled + 0.35 * _normal(random)
        copy = family + 0.5 * _normal(random)
        language = 0.4 * family + 0.3 * structure + 1.0 * _normal(random)
        models = (structure + 0.6 * _normal(random), copy, copy + 0.25 * _normal(random), language)
        measured.append((places, fitness, models))
    middle = sorted(fitness for _, fitness, _ in measured)[len(measured) // 2]
    for places, fitness, models in measured:
        mutated = list(sequence)
        for place, letter in places:
            mutated[place] = letter
        mutant = ":".join(f"{sequence[place]}{place + 1}{letter}" for place, letter in places)
        numbers = [f"{value:.4f}" for value in models]
        yield [mutant, "".join(mutated), f"{fitness:.4f}", int(fitness > middle), *numbers]


def _mutants(random: Random, sequence: Sequence[str]) -> set[tuple[tuple[int, str], ...]]:
    found: set[tuple[tuple[int, str], ...]] = set()
    while len(found) < MUTANTS:
        count = 2 if random.random() < DOUBLES else 1
        places = sorted({int(random.random() * LENGTH) for _ in range(count)})
        found.add(tuple((place, _pick(random, LETTERS.replace(sequence[place], ""))) for place in places))
    return found


def _change(old: str, new: str, buried: float, conserved: float) -> tuple[float, float, float]:
    """What a substitution costs: seen by models of structure, by models of families, and by none of them."""
    found = dict(zip(DESCRIPTORS, described(f"{old}1{new}") or (), strict=True))
    structure = -buried * (abs(found["volume"]) / 40 + max(0.0, -found["hydropathy"]) / 3)
    spoiled = -1.2 * max(0.0, found["proline"]) - 0.5 * max(0.0, found["glycine"]) + 0.03 * found["hydropathy"]
    return structure, -2.5 * conserved, spoiled - 0.3 * found["charge"]


def _pick(random: Random, letters: str) -> str:
    return letters[int(random.random() * len(letters))]  # the same in every version of Python


def _normal(random: Random) -> float:
    return sum(random.random() for _ in range(12)) - 6


if __name__ == "__main__":
    raise SystemExit(main())
