"""How well the apprentice's chemistry learns: python bench/apprentice.py --train F [--test F] [--folds K] [--placebo].

Without --test (or with --folds) the training file is split: K folds, K = 0 means leave one out. Templates are taken
from the training rows directly; no library, no retrieval, no endpoint. Real data is not part of this repository.
"""

import argparse
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path

from rdkit import rdBase

from flex.apprentice.chemistry.molecules import canonical
from flex.apprentice.chemistry.ranking import Lesson, Precedent, propose
from flex.apprentice.chemistry.templates import extract

Row = tuple[str, str]


def read(path: Path) -> list[Row]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [(row["question"], row["answer"]) for row in rows]


def learned(rows: Sequence[Row]) -> list[Lesson]:
    lessons = [(extract(product, reactants), Precedent(product, reactants)) for product, reactants in rows]
    return [Lesson(template, (precedent,)) for template, precedent in lessons if template]


def ranks(lessons: Sequence[Lesson], rows: Sequence[Row]) -> list[int | None]:
    """The place of the right reactants among the proposals, from 1; None when they are not among them."""
    found = []
    for product, reactants in rows:
        proposed = [candidate.reactants for candidate in propose(product, lessons)]
        wanted = canonical(reactants)
        found.append(proposed.index(wanted) + 1 if wanted in proposed else None)
    return found


def report(name: str, places: Sequence[int | None], seconds: float) -> None:
    n = len(places)
    top = {k: 100 * sum(p is not None and p <= k for p in places) / n for k in (1, 5, 1000)}
    each = 1000 * seconds / n
    print(f"{name:28} n={n:4} top-1 {top[1]:5.1f}  top-5 {top[5]:5.1f}  any {top[1000]:5.1f}  {each:6.1f} ms each")


def folds(rows: Sequence[Row], k: int, shuffle: random.Random | None = None) -> list[int | None]:
    k = k or len(rows)
    places: list[int | None] = []
    for fold in range(k):
        places += ranks(learned(corrupted([r for i, r in enumerate(rows) if i % k != fold], shuffle)), rows[fold::k])
    return places


def corrupted(rows: Sequence[Row], shuffle: random.Random | None) -> list[Row]:
    if shuffle is None:
        return list(rows)
    mixed = list(rows)
    shuffle.shuffle(mixed)  # each row gets the answer of the next one in a random order: never its own
    return [(row[0], other[1]) for row, other in zip(mixed, mixed[1:] + mixed[:1], strict=True)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--folds", type=int, help="0 leaves one out")
    parser.add_argument("--placebo", action="store_true", help="shuffle the training answers first (three seeds)")
    parser.add_argument("--sizes", type=int, nargs="*", default=[], help="learn only from so many rows")
    args = parser.parse_args()
    train = read(args.train)
    start = time.perf_counter()
    lessons = learned(train)
    templates = {lesson.template for lesson in lessons}
    seconds = time.perf_counter() - start
    print(f"{len(lessons)} of {len(train)} training rows regenerate; {len(templates)} templates; {seconds:.2f} s")
    for seed in range(3) if args.placebo else [None]:
        shuffle = None if seed is None else random.Random(seed)
        suffix = "" if seed is None else f" (placebo {seed})"
        if args.test:
            test = read(args.test)
            for size in [*args.sizes, len(train)]:
                start = time.perf_counter()
                places = ranks(learned(corrupted(train[:size], shuffle)), test)
                report(f"test, {size} learned{suffix}", places, time.perf_counter() - start)
        if args.folds is not None or not args.test:
            start = time.perf_counter()
            places = folds(train, args.folds or 0, shuffle)
            report(f"folds={args.folds or len(train)}{suffix}", places, time.perf_counter() - start)
    return 0


if __name__ == "__main__":
    with rdBase.BlockLogs():
        raise SystemExit(main())
