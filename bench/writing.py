"""Processes that write one library at once, killed at any moment: what they were told is written has to be there.

    python bench/writing.py [--rounds 30] [--writers 8] [--seconds 1]

Each round starts the writers, kills all of them with SIGKILL some time after the last has begun, and checks the
database: what `ExpLib` returned from is in the history, which has no gaps, and every entry is what its history says.
"""

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from flex.errors import LibraryError
from flex.explib import ExpLib
from flex.library.entry import entry_hash
from flex.library.history import count_revision
from flex.types import Experience, Rule, UpdateDecision


def write(path: Path, acknowledged: Path, name: str, count: int = 10**9) -> None:
    """Change the library `count` times: insert, merge, discard, remove, quarantine; what is done goes to a file.

    A line of `acknowledged` is [the change's reason, seconds it took]; the reason of every change is another.
    """
    rng = random.Random(name)
    mine: list[str] = []
    with ExpLib(path) as library, open(acknowledged, "ab", buffering=0) as file:
        for number in range(count):
            reason, start = f"{name}-{number}", time.perf_counter()
            _change(library, rng, mine, reason)
            file.write(json.dumps([reason, round(time.perf_counter() - start, 6)]).encode() + b"\n")


def told(acknowledged: Path) -> dict[str, float]:
    """The changes that a writer was told are written, with the seconds each took; a torn last line was not told."""
    lines = acknowledged.read_bytes().split(b"\n")[:-1] if acknowledged.exists() else []
    return dict(json.loads(line) for line in lines)


def problems(path: Path, reasons: set[str]) -> list[str]:
    """What is wrong with a library that should hold the changes with these reasons; nothing, if all is well."""
    try:
        with ExpLib(path) as library:
            history, entries = library.history(), {entry.id: entry for entry in library}
            counted = len(library)
            revisions = {entry: library.revision(entry) for entry in {change.entry for change in history}}
    except LibraryError as error:
        return [f"unreadable: {error}"]
    with closing(sqlite3.connect(path)) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    found += [f"lost: {reason}" for reason in sorted(reasons - {change.reason for change in history})]
    if [change.number for change in history] != list(range(1, len(history) + 1)):
        found.append("the history has gaps")
    said: dict[str, str | None] = {}
    expected: dict[str, int] = {}
    for change in history:
        if said.get(change.entry) != change.before_hash:
            found.append(f"change {change.number} does not follow on the one before it")
        said[change.entry] = change.after_hash
        count_revision(expected, change)
    if {entry: entry_hash(experience) for entry, experience in entries.items()} != {
        entry: after for entry, after in said.items() if after is not None
    }:
        found.append("the entries are not what the history says")
    if revisions != {entry: expected.get(entry, 1) for entry in revisions}:
        found.append("the revisions are not what the history says")
    if counted != len(entries):
        found.append(f"it says that it has {counted} entries, and has {len(entries)}")
    return found


def start_writers(path: Path, folder: Path, names: list[str], count: int = 10**9) -> list[subprocess.Popen[bytes]]:
    """Start a process for each name that writes until it is done or killed; see `write`."""
    return [
        subprocess.Popen([sys.executable, __file__, "--write", str(path), str(folder / name), name, str(count)])
        for name in names
    ]


def kill_round(path: Path, folder: Path, names: list[str], seconds: float) -> set[str]:
    """Kill writers some seconds after each has written something; what they were told. RuntimeError when one ends."""
    writers = start_writers(path, folder, names)
    try:
        while not all(told(folder / name) for name in names):
            if any(writer.poll() is not None for writer in writers):
                raise RuntimeError("a writer ended by itself")
            time.sleep(0.02)
        time.sleep(seconds)
    finally:
        for writer in writers:
            writer.kill()
        for writer in writers:
            writer.wait()
    return {reason for name in names for reason in told(folder / name)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--write", nargs=4, metavar=("PATH", "ACKNOWLEDGED", "NAME", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        path, acknowledged, name, count = options.write
        write(Path(path), Path(acknowledged), name, int(count))
        return 0
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        return _kill_often(Path(folder), options.rounds, options.writers, options.seconds)


def _kill_often(folder: Path, rounds: int, writers: int, seconds: float) -> int:
    path = ExpLib().save(folder / "killed.db")
    reasons: set[str] = set()
    wrong: list[str] = []
    for number in range(rounds):
        names = [f"{number}-{writer}" for writer in range(writers)]
        reasons |= kill_round(path, folder, names, seconds * (0.5 + random.random()))
        wrong += problems(path, reasons)
        print(f"round {number + 1}: {len(reasons)} changes acknowledged, {len(wrong)} problems", flush=True)
    waits = sorted(wait for file in folder.glob("*-*") if "." not in file.name for wait in told(file).values())
    print(f"a change took {1000 * waits[len(waits) // 2]:.1f} ms (median), {1000 * waits[-1]:.0f} ms (longest)")
    print("\n".join(wrong) or "nothing is lost")
    return len(wrong)


def _change(library: ExpLib, rng: random.Random, mine: list[str], reason: str) -> None:
    """One change, of an entry of its own where there is one."""
    new = Experience(f"method {reason}", (Rule(f"rule {reason}", ("an example",)),), "words " * rng.randint(1, 300))
    kind = rng.choices(["insert", "merge", "discard", "remove", "quarantine"], [6, 3, 1, 1, 1])[0]
    if not mine and kind != "quarantine":
        kind = "insert"
    if kind == "remove":
        return library.remove(mine.pop(rng.randrange(len(mine))), reason)
    if kind in ("insert", "quarantine"):
        kept = library.apply(new, UpdateDecision(kind, reason=reason))
        mine += [kept.id] if kept else []
    else:
        rules = (0,) if kind == "merge" else ()
        library.apply(new, UpdateDecision(kind, rng.choice(mine), rules, reason=reason))
    return None


if __name__ == "__main__":
    sys.exit(min(main(), 1))
