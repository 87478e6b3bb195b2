"""A library of another benchmark is refused, whether or not its entries say from which tasks they come."""

from pathlib import Path

import pytest

from flex.benchmarks import benchmark_names, get_benchmark
from flex.errors import SettingsError
from flex.explib import ExpLib
from flex.runs.origin import check_origin
from flex.types import Experience, Rule


def library(*texts: str, **fields) -> ExpLib:
    made = ExpLib()
    for text in texts:
        made.add(Experience(text, (Rule(text),), **fields))
    return made


CHEMISTRY = library(
    "Retrosynthesis of an amide: the reactants are an acid and an amine.", "Look for the ester's SMILES."
)
MATHEMATICS = library("Solve the equation modulo 7.", "Count the integers by inclusion and exclusion.")
PROTEINS = library("Rank mutants by ESM-IF1 and check Spearman on the labelled ones.", "Mutations to proline hurt.")
PLAIN = library("Look twice.", "Mind the ring.")


@pytest.mark.parametrize(
    ("entries", "own"),
    [(CHEMISTRY, ("retro",)), (MATHEMATICS, ("math", "gsm8k", "units")), (PROTEINS, ("protein",))],
    ids=["chemistry", "mathematics", "proteins"],
)
@pytest.mark.parametrize("name", benchmark_names())
def test_without_provenance_its_words_tell_what_a_library_is_about(entries, own, name):
    benchmark = get_benchmark(name)
    check_origin(PLAIN, Path("lib.json"), benchmark, allow_other=False)
    check_origin(entries, Path("lib.json"), benchmark, allow_other=True)
    if name in own:
        check_origin(entries, Path("lib.json"), benchmark, allow_other=False)
    else:
        with pytest.raises(SettingsError, match=rf"lib.json speaks of .*, not {name}: .*--allow_other_library"):
            check_origin(entries, Path("lib.json"), benchmark, allow_other=False)


def test_provenance_counts_more_than_words():
    learned = library("Look for the ester's SMILES.", provenance={"tasks": ["math-1"]})
    check_origin(learned, Path("lib.json"), get_benchmark("math"), allow_other=False)
    with pytest.raises(SettingsError, match="was learned from math, not retro"):
        check_origin(learned, Path("lib.json"), get_benchmark("retro"), allow_other=False)


@pytest.mark.parametrize(("file", "own"), [("aime_claude", "math"), ("retro_claude", "retro"), ("retro_gpt", "retro")])
def test_a_published_library_is_read_by_its_own_benchmark_only(shared: Path, file, own):
    path = shared / "exps" / f"{file}.json"
    for name in ("math", "retro", "protein"):
        if name == own:
            check_origin(ExpLib(path), path, get_benchmark(name), allow_other=False)
        else:
            with pytest.raises(SettingsError, match="speaks of"):
                check_origin(ExpLib(path), path, get_benchmark(name), allow_other=False)
