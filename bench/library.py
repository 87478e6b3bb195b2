"""Measure libraries of several sizes in both stores, and processes that write at once and are killed.

    python bench/library.py [--sizes 1000 10000] [--characters 2000] [--like LIBRARY] [--stores json db]
                            [--kills 30] [--keep FOLDER] [--out FILE]

Every step runs in a process of its own, which gives its peak memory. Entries are recombined (bench/recombined.py):
words made up, or sentences of the library given with --like. A question has 22 words of one entry, in any order; hit@10
is how often that entry is among ten. --keep keeps the libraries, so that the next run does not make them again.
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, replace
from multiprocessing.connection import Connection
from pathlib import Path

from recombined import Recombined, question
from targets import Column, Numbers, table, verdicts
from tqdm import tqdm
from writing import kill_round, problems, start_writers, told

from flex.explib import ExpLib
from flex.prompt import Prompts
from flex.testing import ScriptedModel
from flex.types import Experience, Hit
from flex.updater import Question, Updater

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["flex.explib", "flex.updater"])
WATCHED = 10
"""Inserts that another process waits for."""


def ingest(path: Path, made: Recombined, first: int, size: int) -> Numbers:
    """Add entries to an empty library, and save it."""
    path.unlink(missing_ok=True)
    library, took = ExpLib(), 0.0
    for start in tqdm(range(first, first + size, 1000), path.name, disable=None):
        entries = [made.entry(number) for number in range(start, min(start + 1000, first + size))]
        took += seconds(lambda entries=entries: [library.add(entry) for entry in entries])
    took += seconds(lambda: library.save(path))
    return {"ingest entries/s": size / took}


def index(path: Path) -> Numbers:
    """Make the index of a database from nothing; that of a JSON library is made whenever it is loaded."""
    with ExpLib(path) as library:
        return {"index entries/s": len(library) / seconds(lambda: library.search("anything"))}


def read(path: Path, made: Recombined, size: int, questions: int) -> Numbers:
    """Load and search; what the updater would be asked."""
    start, busy = time.perf_counter(), time.process_time()
    library = ExpLib(path)
    numbers = {"load s": time.perf_counter() - start, "load CPU s": time.process_time() - busy}
    library.search("anything")
    numbers |= {"load + index s": time.perf_counter() - start, "load + index CPU s": time.process_time() - busy}
    known = [made.entry(n * size // questions) for n in range(questions)]
    asked = {entry.id: question(entry) for entry in known}
    numbers |= searched("search", "hit@10", known, lambda one: library.search(asked[one.id], 10))
    numbers |= searched(
        "filtered",
        "filtered hit@10",
        known,
        lambda one: library.search(asked[one.id], 10, (one.zone,), categories=(one.problem_category,)),
    )
    prompts = [prompt_size(made.entry(10**9 + n), library) for n in range(5)]
    return {**numbers, "updater prompt, characters": statistics.median(prompts)}


def searched(row: str, hit: str, known: Sequence[Experience], search: Callable[[Experience], list[Hit]]) -> Numbers:
    """How long it took to ask for every known entry, and how often it was found."""
    hits: list[list[Hit]] = []
    numbers = timed(row, [lambda one=one: hits.append(search(one)) for one in known])
    found = sum(one.id in [hit.experience_id for hit in those] for one, those in zip(known, hits, strict=True))
    return {**numbers, hit: found / len(known)}


def prompt_size(experience: Experience, library: ExpLib) -> int:
    asked = Updater(ScriptedModel(), Prompts("aime")).question(experience, library)
    return len(asked.prompt) if isinstance(asked, Question) else 0


def change(path: Path, made: Recombined, inserts: int) -> Numbers:
    """Insert, search after each insert, save all of it elsewhere, and take the inserts back."""
    new = [made.entry(2 * 10**9 + n) for n in range(inserts)]
    last = [made.entry(3 * 10**9 + n) for n in range(inserts // 4)]
    with ExpLib(path) as library:
        library.search("anything")
        before = len(library.history())
        numbers = timed("insert", [lambda one=one: library.add(one) for one in new])
        numbers |= timed(
            "insert + search", [lambda one=one: (library.add(one), library.search("anything")) for one in last]
        )
        if path.suffix == ".db":
            numbers["fsync p50 ms"] = bare_fsync(path.with_name("fsync"))
            numbers["found elsewhere s"] = found_elsewhere(path, library, made)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            numbers["save s"] = seconds(lambda: library.save(Path(folder) / f"saved{path.suffix}"))
        changes = len(library.history()) - before
        numbers["rollback ms/change"] = 1000 * seconds(lambda: library.rollback(before)) / changes
    return numbers


def bare_fsync(path: Path) -> float:
    """Milliseconds to write 8 kB and have them on disk: what no insert can be quicker than."""
    with open(path, "wb", buffering=0) as file:
        waits = [seconds(lambda: (file.write(bytes(8192)), os.fsync(file.fileno()))) for _ in range(100)]
    path.unlink()
    return 1000 * statistics.median(waits)


def found_elsewhere(path: Path, library: ExpLib, made: Recombined) -> float:
    """The longest time from an insert until another process, which keeps searching, finds it."""
    ours, theirs = PROCESSES.Pipe()
    watcher = PROCESSES.Process(target=watch, args=(path, theirs))
    watcher.start()
    ours.recv()
    waits = []
    for n in range(WATCHED):
        one = replace(made.entry(4 * 10**9 + n), method=f"unheardof{n} word")
        ours.send((one.id, one.method))
        start = time.monotonic()
        library.add(one)
        waits.append(ours.recv() - start)
    ours.send(None)
    watcher.join()
    return max(waits)


def watch(path: Path, pipe: Connection) -> None:
    """Search for what is asked for until it is there, and say when that was."""
    with ExpLib(path) as library:
        library.search("anything")
        pipe.send("ready")
        for wanted, text in iter(pipe.recv, None):
            while wanted not in [hit.experience_id for hit in library.search(text)]:
                time.sleep(0.001)
            pipe.send(time.monotonic())


def merge(path: Path, other: Path) -> Numbers:
    """Make one library of two."""
    with ExpLib(path) as a, ExpLib(other) as b:
        return {"merge s": seconds(lambda: a.merge(b))}


def at_once(folder: Path, writers: int, wanted: float) -> Numbers:
    """Processes that change one library at once for a while: changes each second, the longest wait, who gave up."""
    path, names = ExpLib().save(folder / "together.db"), [f"together-{n}" for n in range(writers)]
    processes = start_writers(path, folder, names)
    while not all(told(folder / name) for name in names) and all(one.poll() is None for one in processes):
        time.sleep(0.02)
    before, start = sum(len(told(folder / name)) for name in names), time.perf_counter()
    time.sleep(wanted)
    done = sum(len(told(folder / name)) for name in names) - before
    rate, errors = done / (time.perf_counter() - start), sum(one.poll() is not None for one in processes)
    for one in processes:
        one.kill()
        one.wait()
    longest = max(wait for name in names for wait in told(folder / name).values())
    return {"changes/s": rate, "longest wait s": longest, "errors": errors}


def kill_often(folder: Path, writers: int, rounds: int, wanted: float) -> Numbers:
    """Kill all writers again and again; what they were told is written has to be there, and the history whole."""
    path, reasons, wrong = ExpLib().save(folder / "killed.db"), set[str](), list[str]()
    for number in tqdm(range(rounds), "kill -9", disable=None):
        names = [f"killed-{number}-{writer}" for writer in range(writers)]
        reasons |= kill_round(path, folder, names, wanted)
        wrong += problems(path, reasons)
    print("\n".join(wrong[:20]), file=sys.stderr)
    return {"kill -9, rounds": rounds, "acknowledged": len(reasons), "lost or unreadable": len(wrong)}


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def timed(row: str, works: Sequence[Callable[[], object]]) -> Numbers:
    """Median and 99th percentile of the wall clock, and the median of the CPU time, in milliseconds."""
    waits, busy = [], []
    for work in works:
        start, cpu = time.perf_counter(), time.process_time()
        work()
        waits.append(1000 * (time.perf_counter() - start))
        busy.append(1000 * (time.process_time() - cpu))
    p50, p99 = statistics.median(waits), sorted(waits)[int(len(waits) * 0.99)]
    return {f"{row} p50 ms": p50, f"{row} p99 ms": p99, f"{row} CPU p50 ms": statistics.median(busy)}


def apart(step: Callable[..., Numbers], *arguments: object) -> Numbers:
    """What a step measures in a process of its own, and the most memory that it had."""
    with ProcessPoolExecutor(1, PROCESSES) as pool:
        return pool.submit(_with_peak, step, *arguments).result()


def _with_peak(step: Callable[..., Numbers], *arguments: object) -> Numbers:
    numbers = step(*arguments)
    return {**numbers, f"peak MB: {step.__name__}": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def once(note: Path, step: Callable[..., Numbers], *arguments: object) -> Numbers:
    """What a step measures, now or when it was measured first."""
    if not note.exists():
        note.write_text(json.dumps(apart(step, *arguments)))
    numbers: Numbers = json.loads(note.read_text())
    return numbers


def measure(store: str, made: Recombined, size: int, folder: Path, options: argparse.Namespace) -> Numbers:
    """Everything about a library of one size in one store."""
    name = f"{made.like.stem if made.like else 'words'}-{made.characters}-{size}"
    path, other = folder / f"{name}.{store}", folder / f"{name}-other.{store}"
    numbers = once(folder / f"{path.name}.made", ingest, path, made, 0, size)
    if store == "db":
        numbers |= once(folder / f"{path.name}.indexed", index, path)
    numbers |= {"file MB": path.stat().st_size / 1e6, "index MB": size_of(folder / f"{path.name}.index")}
    numbers |= apart(read, path, made, size, min(options.questions, size))
    numbers |= apart(change, path, made, options.inserts)
    if size <= options.merge_up_to:
        once(folder / f"{other.name}.made", ingest, other, made, size // 2, size)
        numbers |= apart(merge, path, other)
    return numbers


def size_of(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*")) / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--characters", type=int, nargs="+", default=[2000], help="of an entry")
    parser.add_argument("--stores", nargs="+", choices=("json", "db"), default=["json", "db"])
    parser.add_argument("--like", type=Path, help="recombine the sentences of this library")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--inserts", type=int, default=200)
    parser.add_argument("--merge-up-to", type=int, default=100_000, help="entries; merging holds both in memory")
    parser.add_argument("--json-up-to", type=int, default=100_000, help="entries; a JSON library is not for more")
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--kills", type=int, default=0, help="rounds of kill -9; 0: no processes that write at once")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each such round")
    parser.add_argument("--keep", type=Path, help="a folder to keep the libraries in")
    parser.add_argument("--out", type=Path, help="a JSON file for the numbers, written as they come")
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    with nullcontext(options.keep) if options.keep else tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        run(Path(folder), options)
    return 0


def run(folder: Path, options: argparse.Namespace) -> None:
    columns: list[Column] = []
    runs = [(c, n, store) for c in options.characters for n in options.sizes for store in options.stores]
    for characters, size, store in tqdm(runs, "libraries", disable=None):
        if store == "db" or size <= options.json_up_to:
            numbers = measure(store, Recombined(characters, options.like), size, folder, options)
            columns.append(Column(f"{size:,} x {characters:,} .{store}", size, store, numbers))
            keep(columns, options.out)
    if options.kills:
        with tempfile.TemporaryDirectory(dir=folder) as inner:
            numbers = at_once(Path(inner), options.writers, 2 * options.seconds)
            numbers |= kill_often(Path(inner), options.writers, options.kills, options.seconds)
        columns.append(Column(f"{options.writers} writers", numbers=numbers))
        keep(columns, options.out)
    print(table(columns), *verdicts(columns), sep="\n")


def keep(columns: Sequence[Column], path: Path | None) -> None:
    if path:
        path.write_text(json.dumps([asdict(column) for column in columns], indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
