"""ProteinGym's averages: over the assays of a protein, its proteins, and the selection types."""

import subprocess
import sys
from pathlib import Path

import pytest

from flex.errors import BenchmarkError
from flex.proteins.proteingym import AssayScore, by_selection, proteingym_average
from scripts.proteingym_average import published_scores

SCORES = [
    AssayScore("BLAT", "Fitness", 0.2),
    AssayScore("BLAT", "Fitness", 0.4),
    AssayScore("BLAT", "Fitness", 0.6),
    AssayScore("BLAT", "Stability", 0.9),
    AssayScore("P53", "Fitness", 0.8),
    AssayScore("GB1", "Binding", 0.1),
]
TABLE = """DMS ID,Model A,Model B,Number of Mutants,Selection Type,UniProt ID,Taxon
BLAT_1,0.2,-0.1,10,Fitness,BLAT,Virus
BLAT_2,0.4,0.1,99,Fitness,BLAT,Virus
P53_1,0.8,,5,Stability,P53,Human
"""


def test_a_protein_counts_once_for_each_selection_type_and_every_type_counts_the_same():
    assert by_selection(SCORES) == pytest.approx({"Binding": 0.1, "Fitness": 0.6, "Stability": 0.9})
    assert proteingym_average(SCORES) == pytest.approx((0.1 + 0.6 + 0.9) / 3)


def test_the_average_is_neither_that_of_assays_nor_that_of_proteins():
    assert proteingym_average(SCORES) != pytest.approx(sum(score.score for score in SCORES) / 6, abs=0.01)


def test_the_average_of_nothing_is_zero():
    assert proteingym_average([]) == 0.0


def test_a_published_table_is_read_by_its_own_headings(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    scores = published_scores(tmp_path / "t.csv", "Model A")
    assert scores[0] == AssayScore("BLAT", "Fitness", 0.2)
    assert proteingym_average(scores) == pytest.approx((0.3 + 0.8) / 2)


@pytest.mark.parametrize(
    ("column", "message"),
    [("Model C", "no column 'Model C'; there is DMS ID, Model A"), ("Model B", "'' of P53_1 in column 'Model B'")],
)
def test_a_column_that_is_not_there_or_no_number_is_named(tmp_path, column, message):
    (tmp_path / "t.csv").write_text(TABLE)
    with pytest.raises(BenchmarkError, match=message):
        published_scores(tmp_path / "t.csv", column)


def test_a_table_of_something_else_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("name,score\na,1\n")
    with pytest.raises(BenchmarkError, match="no columns for the DMS id, the UniProt id and the selection type"):
        published_scores(tmp_path / "t.csv", "score")


def test_the_script_prints_every_model_that_has_numbers(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    script = Path(__file__).parents[2] / "scripts" / "proteingym_average.py"
    done = subprocess.run([sys.executable, script, tmp_path / "t.csv"], capture_output=True, text=True)
    assert done.stdout == "Model A: 0.550 (Fitness 0.300, Stability 0.800); plain mean of assays 0.467\n"
    wrong = subprocess.run([sys.executable, script, tmp_path / "nowhere.csv"], capture_output=True, text=True)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "cannot read" in wrong.stderr
