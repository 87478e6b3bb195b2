"""Assay tables: what is read, which mutants are shown, and one clear line for every table that is none."""

import logging
from pathlib import Path

import numpy as np
import pytest

from flex.errors import BenchmarkError
from flex.proteins.assays import LABELLED, load_assays
from flex.proteins.ranks import spearman
from flex.proteins.residues import DESCRIPTORS, described, wild_type
from tests.assay_tables import ROWS, table, write

HEADER = "mutant,mutated_sequence,DMS_score,DMS_score_bin,One,Two (x)"


def test_a_table_becomes_an_assay_with_descriptors_and_no_label_among_its_columns(tmp_path):
    (assay,) = load_assays(write(tmp_path))
    assert list(assay.columns) == ["One", "Two (x)", "hydropathy", "volume", "charge", "proline", "glycine"]
    assert (assay.id, assay.uniprot, assay.selection) == ("MADE_YEAST_Test", "MADE_YEAST", "")
    assert assay.sequence == "ACDEFGHIKLMNPQRSTVWY" * 2
    assert [name for name in assay.columns if name not in DESCRIPTORS] == ["One", "Two (x)"]
    assert (len(assay.learn), len(assay.test)) == (LABELLED, ROWS - LABELLED)
    assert not set(assay.learn) & set(assay.test)


def test_the_labelled_mutants_are_the_same_whatever_the_order_of_rows_and_the_name_of_the_file(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    (a,), (b,) = load_assays(write(one)), load_assays(write(other, name="RENAMED", lines=list(reversed(table()))))
    labelled = {a.mutants[row] for row in a.learn}
    assert labelled == {b.mutants[row] for row in b.learn}
    assert labelled == {a.mutants[row] for row in load_assays(write(one))[0].learn}
    assert sorted(a.mutants[row] for row in a.test)[:4] == ["A1W", "C2W", "D23C", "D23W"]


def test_a_mutant_that_stands_twice_is_on_one_side_only(tmp_path):
    (assay,) = load_assays(write(tmp_path, lines=[*table(), *table()]))
    shown = {assay.mutants[row] for row in assay.learn}
    assert not shown & {assay.mutants[row] for row in assay.test}


def test_the_digest_is_of_the_content_not_of_the_place(tmp_path):
    (a,), (b,) = load_assays(write(tmp_path / "one")), load_assays(write(tmp_path / "two"))
    assert a.digest == b.digest
    (c,) = load_assays(write(tmp_path / "three", lines=[table()[0].replace("0.0,", "9.0,"), *table()[1:]]))
    assert c.digest != a.digest


def test_a_missing_number_is_the_median_and_a_row_without_a_score_is_left_out(tmp_path):
    lines = table()
    lines[0] = lines[0].rsplit(",", 2)[0] + ",,nan"
    lines[1] = lines[1].replace(",1.0,", ",,", 1)
    (assay,) = load_assays(write(tmp_path, lines=lines))
    assert len(assay.scores) == ROWS - 1
    assert assay.columns["One"][0] == np.median(assay.columns["One"][1:])


def test_a_reference_file_tells_protein_and_selection_type(tmp_path):
    write(tmp_path / "tables")
    (tmp_path / "DMS_substitutions.csv").write_text(
        "DMS_id,DMS_filename,UniProt_ID,coarse_selection_type\nMADE_YEAST_Test,x.csv,MADE_ELSE,Stability\n"
    )
    (assay,) = load_assays(tmp_path / "tables")
    assert (assay.uniprot, assay.selection) == ("MADE_ELSE", "Stability")


def test_a_reference_file_among_the_tables_is_no_table(tmp_path):
    write(tmp_path)
    (tmp_path / "reference.csv").write_text("DMS_id,UniProt_ID,coarse_selection_type\nOTHER,O,Binding\n")
    assert [assay.selection for assay in load_assays(tmp_path)] == [""]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"mutant,mutated_sequence,score\nA1C,C,1\n", "no column 'DMS_score', it has mutant, mutated_sequence, score"),
        (b"DMS_score,One\n1,2\n", "no column 'mutant'"),
        (b"", "no column 'mutant', it has nothing"),
        (f"{HEADER}\nA1C,C,0.5,1,high,2\n".encode(), "line 2: 'high' in column 'One' is no number"),
        (f"{HEADER}\nA1C,C,0.5,1,inf,2\n".encode(), "line 2: 'inf' in column 'One' is no number"),
        (f"{HEADER}\nA1C,C,good,1,1,2\n".encode(), "line 2: 'good' in column 'DMS_score' is no number"),
        (f"{HEADER}\nA1C,C,0.5,1,1,2\nAla1Cys,C,0.5,1,1,2\n".encode(), "line 3: the mutant 'Ala1Cys' is not like A1C"),
        (f"{HEADER}\nA1B,C,0.5,1,1,2\n".encode(), "line 2: the mutant 'A1B' is not like A1C or A1C:D2E"),
        (f"{HEADER},One\nA1C,C,0.5,1,1,2,3\n".encode(), "two columns 'One'"),
        (f"{HEADER}\n".encode(), "has 0 labelled mutants, but 100 are to be learned from"),
        (f"{HEADER}\nA1C,C,0.5,1,1,2\n".encode(), "has 1 labelled mutants, but 100 are to be learned from"),
        (f"{HEADER}\nA1C,C,0.5,1,1,2\n".encode("utf-16"), "cannot read .*codec can't decode"),
        (b"\xff\xfe\x00", "cannot read .*codec can't decode"),
        (b"\x00\x01\x02", "no column 'mutant'"),
    ],
    ids=range(14),
)
def test_a_table_that_is_none_is_refused_in_one_line(tmp_path, content, message):
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(BenchmarkError, match=rf"bad\.csv.*{message}|{message}") as refused:
        load_assays(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_small_table_beside_others_is_left_out_with_a_warning(tmp_path, caplog):
    write(tmp_path)
    write(tmp_path, name="SMALL", lines=table()[:63])
    with caplog.at_level(logging.WARNING, "flex.proteins.assays"):
        assert [assay.id for assay in load_assays(tmp_path)] == ["MADE_YEAST_Test"]
    assert "left out: SMALL.csv has 63 labelled mutants" in caplog.text


def test_a_constant_assay_is_left_out_with_a_warning_and_refused_alone(tmp_path, caplog):
    place = HEADER.split(",").index("DMS_score")
    constant = [",".join([*row.split(",")[:place], "1.5", *row.split(",")[place + 1 :]]) for row in table()]
    write(tmp_path, name="FLAT", lines=constant)
    with pytest.raises(BenchmarkError, match=r"FLAT\.csv has the same DMS_score for all 100 mutants to learn from"):
        load_assays(tmp_path)
    write(tmp_path)
    with caplog.at_level(logging.WARNING, "flex.proteins.assays"):
        assert [assay.id for assay in load_assays(tmp_path)] == ["MADE_YEAST_Test"]
    assert "left out: FLAT.csv has the same DMS_score" in caplog.text


def test_a_folder_without_tables_says_what_is_missing_or_where_they_are(tmp_path):
    with pytest.raises(BenchmarkError, match=r"holds no assay tables: it has to hold one \.csv file per assay"):
        load_assays(tmp_path)
    write(tmp_path / "train")
    with pytest.raises(BenchmarkError, match=r"holds no assay tables; did you mean .*train\?"):
        load_assays(tmp_path)
    with pytest.raises(BenchmarkError, match=r"cannot read .*nowhere"):
        load_assays(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("mutant", "expected"),
    [
        ("A1C", (0.7, 19.9, 0, 0, 0)),
        ("K5E", (0.4, -30.2, -2, 0, 0)),
        ("G7P", (-1.2, 52.6, 0, 1, -1)),
        ("A1C:C1A", (0, 0, 0, 0, 0)),
        ("A1P:L2P:D3G", (-5.7, -80.9, 1, 2, 1)),
        ("WT", (0, 0, 0, 0, 0)),
        ("A1X", None),
        ("1C", None),
        ("A1C:", None),
        ("a1c", None),
        ("A1C,D2E", None),
    ],
)
def test_descriptors_are_summed_over_the_substitutions(mutant, expected):
    assert described(mutant) == (None if expected is None else pytest.approx(expected, abs=1e-9))


def test_the_wild_type_is_the_sequence_before_the_substitutions():
    assert wild_type("A1C:D3E", "CCEF") == "ACDF"
    assert wild_type("A9C", "CCEF") == "CCEF"


def test_real_assays_are_read_and_the_one_that_is_too_small_is_not(shared: Path):
    assays = load_assays(shared / "data" / "proteingym")
    assert [len(assay.scores) for assay in assays] == [3295, 2264, 1960, 5725, 1058]
    # As in ProteinGym's per-assay table of Spearman correlations.
    published = ((0.653, 0.53), (0.779, 0.787), (0.828, 0.735), (0.496, 0.565), (0.774, 0.695))
    for assay, (structure, family) in zip(assays, published, strict=True):
        assert round(spearman(assay.columns["ESM-IF1"], assay.scores), 3) == structure
        assert round(spearman(assay.columns["TranceptEVE_L"], assay.scores), 3) == family
        assert assay.learned("volume") == pytest.approx(assay.tested("volume"), abs=0.25)
