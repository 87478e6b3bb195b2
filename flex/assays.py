"""ProteinGym's zero-shot score tables: one assay a file, 100 labelled mutants to learn from, the rest to be ranked.

mutant,mutated_sequence,DMS_score,DMS_score_bin,ESM-IF1,TranceptEVE_L
A11C,SSGGSSILDRCVIEHN...,0.004061,1,-1.660903,-0.061609
"""

import csv
import hashlib
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flex.errors import BenchmarkError, ParseError
from flex.formula import parse_formula
from flex.ranks import Floats, spearman
from flex.residues import DESCRIPTORS, described, wild_type

LABELLED = 100
"""Mutants of an assay whose score may be learned from (paper, 4.1)."""
LEAST_TESTED = 3
"""A rank correlation of fewer mutants says nothing."""
SEED = "flex-protein-1"

_NO_COLUMN = ("mutant", "mutated_sequence", "target_seq", "dms_id", "dms_score", "dms_score_bin", "")
"""Names, labels and numbers of rows: whatever else a table holds is the score of a model."""
_REFERENCES = ("reference.csv", "DMS_substitutions.csv")
_MISSING = ("", "nan", "na", "none", "null")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Assay:
    """One assay: what is known of all its mutants, and which of them may be learned from."""

    id: str
    uniprot: str
    selection: str
    """ProteinGym's coarse selection type; empty where no reference file tells."""
    sequence: str
    """The wild type."""
    mutants: tuple[str, ...]
    columns: Mapping[str, Floats]
    """By name, one number per mutant: the models' scores, then the descriptors."""
    scores: Floats
    """The measured DMS_score of every mutant."""
    learn: NDArray[np.int64]
    """Rows of the labelled mutants, the same on every machine."""
    test: NDArray[np.int64]
    """Rows of the mutants that only the final score knows."""

    def values(self, formula: str) -> Floats:
        """A formula on all mutants. Raises ParseError."""
        return parse_formula(formula, self.columns).values(self.columns)

    def learned(self, formula: str) -> float:
        """Spearman's correlation on the labelled mutants. Raises ParseError for a formula that ranks nothing."""
        values = self.values(formula)[self.learn]
        if np.ptp(values) == 0:
            raise ParseError("the formula is constant: it gives every labelled mutant the same value and ranks nothing")
        return spearman(values, self.scores[self.learn])

    def tested(self, formula: str) -> float:
        """Spearman's correlation on all other mutants; 0 for a constant. Raises ParseError."""
        return spearman(self.values(formula)[self.test], self.scores[self.test])

    @property
    def models(self) -> list[str]:
        """The columns that came with the table."""
        return [name for name in self.columns if name not in DESCRIPTORS]

    @property
    def digest(self) -> str:
        """Of all that the assay holds, wherever its file lies."""
        seen = hashlib.sha256("\n".join((self.id, self.uniprot, self.selection, *self.mutants)).encode())
        for name, values in (*self.columns.items(), ("DMS_score", self.scores)):
            seen.update(name.encode() + np.round(values, 6).astype("<f8").tobytes())
        return seen.hexdigest()[:10]


def load_assays(path: Path) -> list[Assay]:
    """The assays of a folder of tables, or of one table, by name; too small ones are left out with a warning.

    Raises BenchmarkError naming file, column and line.
    """
    if not path.exists():
        raise BenchmarkError(f"{path} does not exist")
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    tables = [file for file in files if file.name not in _REFERENCES]
    if not tables:
        below = sorted(folder.name for folder in path.iterdir() if folder.is_dir() and any(folder.glob("*.csv")))
        hint = f"; did you mean {path / below[0]}?" if below else ": it has to hold one .csv file per assay"
        raise BenchmarkError(f"{path} holds no assay tables{hint}")
    reference = _reference(tables[0].parent)
    assays, small = [], []
    for file in tables:
        assay = _assay(file, reference)
        if len(assay.test) >= LEAST_TESTED:
            assays.append(assay)
        else:
            small.append(f"{file.name} has {len(assay.scores)} labelled mutants, but {LABELLED} are to be learned from "
                         f"and at least {LEAST_TESTED} to be tested on")  # fmt: skip
    if not assays:
        raise BenchmarkError(f"{path}: {small[0]}")
    for line in small:
        log.warning("left out: %s", line)
    return assays


def _assay(file: Path, reference: Mapping[str, Mapping[str, str]]) -> Assay:
    header, rows = _table(file)
    names = [name for name in header if name.strip().casefold() not in _NO_COLUMN and not name.startswith("Unnamed:")]
    scores = _numbers(file, "DMS_score", rows)
    rows = [row for row, score in zip(rows, scores, strict=True) if not math.isnan(score)]
    columns = _descriptors(file, rows)
    models = {name: _filled(_numbers(file, name, rows)) for name in names}
    columns = {name: values for name, values in (models | columns | models).items() if values is not None}
    learn, test = _split([row["mutated_sequence"] or row["mutant"] for _, row in rows])
    first = rows[0][1] if rows else {"mutant": "", "mutated_sequence": ""}
    entry = reference.get(file.stem, {})
    return Assay(
        id=file.stem,
        uniprot=entry.get("uniprot") or "_".join(file.stem.split("_")[:2]),
        selection=entry.get("selection", ""),
        sequence=wild_type(first["mutant"], first["mutated_sequence"]),
        mutants=tuple(row["mutant"] for _, row in rows),
        columns=columns,
        scores=scores[~np.isnan(scores)],
        learn=learn,
        test=test,
    )


Row = tuple[int, Mapping[str, str]]
"""A row of a table, with its line."""


def _table(file: Path) -> tuple[list[str], list[Row]]:
    """Header and rows. Raises BenchmarkError when it is not an assay's."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, restkey="", restval="")
            header = [name or "" for name in reader.fieldnames or ()]
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchmarkError(f"cannot read {file}: {error}") from error
    for needed in ("mutant", "DMS_score"):
        if needed not in header:
            shown = ", ".join(header[:8]) or "nothing"
            raise BenchmarkError(f"{file} has no column '{needed}', it has {shown}: it is no table of an assay")
    if twice := [name for name in header if name and header.count(name) > 1]:
        raise BenchmarkError(f"{file} has two columns '{twice[0]}'")
    return header, [(line, {"mutated_sequence": "", **row}) for line, row in rows]


def _numbers(file: Path, name: str, rows: Sequence[Row]) -> Floats:
    """A column; a missing number is NaN. Raises BenchmarkError for what is no number."""
    found = []
    for line, row in rows:
        said = row[name].strip()
        try:
            number = math.nan if said.casefold() in _MISSING else float(said)
        except ValueError:
            number = math.inf
        if math.isinf(number):
            raise BenchmarkError(f"{file}, line {line}: '{said[:40]}' in column '{name}' is no number")
        found.append(number)
    return np.array(found, dtype=np.float64)


def _filled(values: Floats) -> Floats | None:
    """The values, missing ones taken for the median; None when nothing is there."""
    there = values[~np.isnan(values)]
    return np.where(np.isnan(values), np.median(there), values) if len(there) else None


def _descriptors(file: Path, rows: Sequence[Row]) -> dict[str, Floats]:
    found = []
    for line, row in rows:
        if (descriptors := described(row["mutant"])) is None:
            raise BenchmarkError(f"{file}, line {line}: the mutant '{row['mutant'][:40]}' is not like A1C or A1C:D2E")
        found.append(descriptors)
    values = np.array(found, dtype=np.float64).reshape(-1, len(DESCRIPTORS))
    return {name: values[:, place] for place, name in enumerate(DESCRIPTORS)}


def _split(keys: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to learn from and rows to test on: by the hash of a mutant, whatever the order of rows or the file's name.

    So another assay of the same protein shows about the same mutants, and a mutant that stands twice is not on both
    sides.
    """
    order = sorted(range(len(keys)), key=lambda row: hashlib.sha256(f"{SEED}\n{keys[row]}".encode()).digest())
    learn = sorted(order[:LABELLED])
    shown = {keys[row] for row in learn}
    return np.array(learn, dtype=np.int64), np.array(
        [r for r, key in enumerate(keys) if key not in shown], dtype=np.int64
    )


def _reference(folder: Path) -> dict[str, dict[str, str]]:
    """UniProt id and selection type by assay, of a reference file in the folder or in the one above; else nothing."""
    candidates = [place / name for place in (folder, folder.absolute().parent) for name in _REFERENCES]
    if (file := next((file for file in candidates if file.is_file()), None)) is None:
        return {}
    return {id: {"uniprot": uniprot, "selection": selection} for id, uniprot, selection, _ in reference_rows(file)}


def reference_rows(file: Path) -> Iterator[tuple[str, str, str, Mapping[str, str]]]:
    """DMS id, UniProt id, selection type and the whole row, of ProteinGym's reference file or per-assay results.

    Raises BenchmarkError.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, restval="")
            header = [name or "" for name in reader.fieldnames or ()]
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchmarkError(f"cannot read {file}: {error}") from error
    spelled = {name.casefold().replace(" ", "_"): name for name in header}
    names = [next((spelled[name] for name in known if name in spelled), None) for known in
             (("dms_id",), ("uniprot_id",), ("coarse_selection_type", "selection_type"))]  # fmt: skip
    if None in names:
        raise BenchmarkError(f"{file} has no columns for the DMS id, the UniProt id and the selection type")
    for row in rows:
        yield row[str(names[0])], row[str(names[1])], row[str(names[2])], row
