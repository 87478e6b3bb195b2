"""ProteinGym's zero-shot score tables: one assay a file, 100 labelled mutants to learn from, the rest to be ranked.

mutant,mutated_sequence,DMS_score,DMS_score_bin,ESM-IF1,TranceptEVE_L
A11C,SSGGSSILDRCVIEHN...,0.004061,1,-1.660903,-0.061609
"""

import csv
import hashlib
import logging
import math
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flex.errors import BenchmarkError, ParseError
from flex.proteins.formula import parse_formula
from flex.proteins.ranks import Floats, spearman
from flex.proteins.residues import DESCRIPTORS, described, wild_type

LABELLED = 100
"""Mutants of an assay whose score may be learned from (paper, 4.1)."""
LEAST_TESTED = 3
"""A rank correlation of fewer mutants says nothing."""
SEED = "flex-protein-1"

_ODD = re.compile(r"[\"'`<>\n\r]")
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
    def digest(self) -> str:
        """Of all that the assay holds, wherever its file lies."""
        seen = hashlib.sha256("\n".join((self.id, self.uniprot, self.selection, *self.mutants)).encode())
        for name, values in (*self.columns.items(), ("DMS_score", self.scores)):
            seen.update(name.encode() + np.round(values, 6).astype("<f8").tobytes())
        return seen.hexdigest()[:10]


def load_assays(path: Path) -> list[Assay]:
    """The assays of a folder of tables, or of one table, by name; small and constant ones are left out with a warning.

    Raises BenchmarkError naming file, column and line.
    """
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    tables = [file for file in files if file.name not in _REFERENCES]
    if not tables:
        below = sorted(folder.name for folder in path.iterdir() if folder.is_dir() and any(folder.glob("*.csv")))
        hint = f"; did you mean {path / below[0]}?" if below else ": it has to hold one .csv file per assay"
        raise BenchmarkError(f"{path} holds no assay tables{hint}")
    reference = _reference(tables[0].parent)
    assays, unusable = [], []
    for file in tables:
        assay = _assay(file, reference)
        if problem := _problem(assay):
            unusable.append(f"{file.name} {problem}")
        else:
            assays.append(assay)
    if not assays:
        raise BenchmarkError(f"{path}: {unusable[0]}")
    for line in unusable:
        log.warning("left out: %s", line)
    return assays


def _problem(assay: Assay) -> str | None:
    """Why nothing can be learned or tested on an assay; None when it can."""
    if len(assay.test) < LEAST_TESTED:
        return (
            f"has {len(assay.scores)} labelled mutants, but {LABELLED} are to be learned from and at least "
            f"{LEAST_TESTED} to be tested on"
        )
    for rows, which in ((assay.learn, "to learn from"), (assay.test, "to be tested on")):
        if np.ptp(assay.scores[rows]) == 0:
            return f"has the same DMS_score for all {len(rows)} mutants {which}: there is nothing to rank"
    return None


def _assay(file: Path, reference: Mapping[str, Mapping[str, str]]) -> Assay:
    table = _table(file)
    models = {name: _filled(np.array(table.numbers[name])) for name in table.numbers if name != "DMS_score"}
    descriptors = np.array(table.descriptors, dtype=np.float64).reshape(-1, len(DESCRIPTORS))
    columns = models | dict(zip(DESCRIPTORS, descriptors.T, strict=True)) | models  # a table's own come first
    learn, test = _split(table.keys)
    entry = reference.get(file.stem, {})
    return Assay(
        id=file.stem,
        uniprot=entry.get("uniprot") or "_".join(file.stem.split("_")[:2]),
        selection=entry.get("selection", ""),
        sequence=table.sequence,
        mutants=tuple(table.mutants),
        columns={name: values for name, values in columns.items() if values is not None},
        scores=np.array(table.numbers["DMS_score"]),
        learn=learn,
        test=test,
    )


@dataclass(slots=True)
class _Table:
    """The labelled rows of a table as it is read: numbers by column, since some tables have half a million rows."""

    numbers: "dict[str, array[float]]"
    mutants: list[str] = field(default_factory=list)
    descriptors: list[tuple[float, ...]] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    """What decides on which side a mutant is."""
    sequence: str = ""


def _table(file: Path) -> _Table:
    """Raises BenchmarkError when it is not an assay's, naming column and line."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, restval="")
            table = _Table({name: array("d") for name in _numeric(file, reader.fieldnames or ())})
            for row in reader:
                _add(table, f"{file}, line {reader.line_num}", row)
            return table
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchmarkError(f"cannot read {file}: {error}") from error


def _numeric(file: Path, header: Sequence[str]) -> list[str]:
    """DMS_score, then the names of the models. Raises BenchmarkError for a header that is not an assay's."""
    for needed in ("mutant", "DMS_score"):
        if needed not in header:
            there = ", ".join(header[:8]) or "nothing"
            raise BenchmarkError(f"{file} has no column '{needed}', it has {there}: it is no table of an assay")
    if twice := [name for name in header if name and header.count(name) > 1]:
        raise BenchmarkError(f"{file} has two columns '{twice[0]}'")
    if odd := [name for name in header if _ODD.search(name)]:
        raise BenchmarkError(
            f"{file} has a column {odd[0][:40]!r}: a name cannot have quotes, brackets < > or line breaks"
        )
    models = [name for name in header if name.strip().casefold() not in _NO_COLUMN and not name.startswith("Unnamed:")]
    return ["DMS_score", *models]


def _add(table: _Table, where: str, row: Mapping[str, str]) -> None:
    """A row, unless it has no score."""
    if math.isnan(_number(where, "DMS_score", row["DMS_score"])):
        return
    mutant, sequence = row["mutant"], row.get("mutated_sequence", "")
    if (descriptors := described(mutant)) is None:
        raise BenchmarkError(f"{where}: the mutant '{mutant[:40]}' is not like A1C or A1C:D2E")
    for numbers, value in zip(table.numbers.values(), _values(where, row, table.numbers), strict=True):
        numbers.append(value)
    table.sequence = table.sequence or wild_type(mutant, sequence)
    table.mutants.append(mutant)
    table.descriptors.append(descriptors)
    table.keys.append(hashlib.sha256(f"{SEED}\n{sequence or mutant}".encode()).digest())


def _values(where: str, row: Mapping[str, str], names: Iterable[str]) -> list[float]:
    """The numbers of a row, one by one only where something is missing or wrong."""
    with suppress(ValueError):
        values = [float(row[name]) for name in names]
        if all(map(math.isfinite, values)):
            return values
    return [_number(where, name, row[name]) for name in names]


def _number(where: str, name: str, text: str) -> float:
    """A missing one is NaN. Raises BenchmarkError for what is no number."""
    try:
        number = math.nan if text.strip().casefold() in _MISSING else float(text)
    except ValueError:
        number = math.inf
    if math.isinf(number):
        raise BenchmarkError(f"{where}: '{text.strip()[:40]}' in column '{name}' is no number")
    return number


def _filled(values: Floats) -> Floats | None:
    """The values, missing ones taken for the median; None when nothing is there."""
    there = values[~np.isnan(values)]
    return np.where(np.isnan(values), np.median(there), values) if len(there) else None


def _split(keys: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to learn from and rows to test on: by the hash of a mutant, whatever the order of rows or the file's name.

    So another assay of the same protein shows about the same mutants, and a mutant that stands twice is not on both
    sides.
    """
    learn = sorted(sorted(range(len(keys)), key=keys.__getitem__)[:LABELLED])
    labelled = {keys[row] for row in learn}
    test = [row for row, key in enumerate(keys) if key not in labelled]
    return np.array(learn, dtype=np.int64), np.array(test, dtype=np.int64)


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
