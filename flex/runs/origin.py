"""Which benchmark a library was learned from: by the tasks its entries name, else by what they speak of."""

import re
from pathlib import Path

from flex.benchmarks import Benchmark, benchmark_names, get_benchmark
from flex.errors import SettingsError
from flex.explib import ExpLib
from flex.search.query import searchable

MOST = 0.5
"""Share of a library's entries that speak of a subject in a library about it."""


def check_origin(library: ExpLib, path: Path, benchmark: Benchmark, *, allow_other: bool) -> None:
    """Raises SettingsError for a library of another benchmark, unless `allow_other`."""
    if allow_other:
        return
    tasks = (str(task) for experience in library for task in experience.provenance.get("tasks") or ())
    origins = {task.split("-")[0] for task in tasks}
    if origins and benchmark.name not in origins:
        raise _refusal(path, f"was learned from {', '.join(sorted(origins))}", benchmark)
    if not origins and (subject := subject_of(library, benchmark)):
        raise _refusal(path, f"speaks of {subject}", benchmark)


def subject_of(library: ExpLib, benchmark: Benchmark) -> str:
    """The benchmarks that a library speaks of, when these are others; empty where its words do not tell."""
    texts = [searchable(experience) for experience in library]

    def share(vocabulary: str) -> float:
        return sum(bool(re.search(vocabulary, text, re.IGNORECASE)) for text in texts) / len(texts) if texts else 0.0

    if not benchmark.vocabulary:
        return ""
    shares = {
        name: share(get_benchmark(name).vocabulary) for name in benchmark_names() if get_benchmark(name).vocabulary
    }
    best = max(shares.values())
    if best < MOST or shares[benchmark.name] > best / 2:
        return ""
    return " or ".join(name for name, found in shares.items() if found == best)


def _refusal(path: Path, about: str, benchmark: Benchmark) -> SettingsError:
    way_out = "name another library, or add --allow_other_library to read it all the same"
    return SettingsError(f"{path} {about}, not {benchmark.name}: {way_out}")
