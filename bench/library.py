"""Time the experience library: load, index, search, add and save, at several sizes.

    python bench/library.py [--sizes 50 1904 10000] [--characters 2000]

The entries are made up (words of a Zipf-like vocabulary, always the same); CPU seconds of this process.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from flex.explib import ExpLib, searchable
from flex.library_file import LibraryFile, write_library
from flex.types import Experience, Rule

VOCABULARY = 20_000


def made_up(count: int, characters: int, seed: int = 0) -> Iterator[Experience]:
    """`count` experiences of about so many characters."""
    rng = random.Random(seed)
    letters = [rng.choices("etaoinshrdlucmfwypvbgkjqxz", k=rng.randint(2, 10)) for _ in range(VOCABULARY)]
    words, weights = ["".join(word) for word in letters], [1 / (rank + 5) for rank in range(VOCABULARY)]
    for _ in range(count):
        text = " ".join(rng.choices(words, weights, k=characters // 6))
        tenth = len(text) // 10
        rules = tuple(Rule(text[n * tenth : (n + 1) * tenth], (text[-tenth // 2 :],)) for n in range(2))
        yield Experience(text[2 * tenth : 5 * tenth], rules, text[5 * tenth : 9 * tenth], created_at="2030-01-01")


def seconds(work: Callable[[], object], repeats: int = 1) -> float:
    """The median CPU time of `work`."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return sorted(times)[len(times) // 2]


def measure(size: int, characters: int, folder: Path) -> list[float]:
    """Seconds of everything the table shows, for one size."""
    path = folder / f"{size}.json"
    write_library(path, LibraryFile(tuple(made_up(size, characters))))
    loaded: list[ExpLib] = []
    load = seconds(lambda: loaded.append(ExpLib(path)))
    library = loaded[0]
    index = seconds(lambda: library.search("anything"))
    text = " ".join(searchable(experience) for experience in list(library)[:5])
    searches = [seconds(lambda n=n: library.search(text[:n]), repeats=15) for n in (200, 5000)]
    new = iter(made_up(50, characters, seed=1))

    def add_and_search() -> None:
        experience = library.add(next(new))
        library.search(experience.method)

    return [load, index, *searches, seconds(add_and_search, repeats=50), seconds(library.save)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 1904, 10_000])
    parser.add_argument("--characters", type=int, default=2000)
    options = parser.parse_args()
    print(" entries    load ms   index ms  find 200c  find 5000c  add+find       save   (CPU)")
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            columns = measure(size, options.characters, Path(folder))
            print(f"{size:8d}" + "".join(f"{1000 * column:11.1f}" for column in columns))


if __name__ == "__main__":
    main()
