"""Search by structure: entries whose templates apply to the molecule of a query, or whose products resemble it.

`flex.chemistry.smiles` says which molecules count, in whatever notation; how much two resemble each other is the
Tanimoto coefficient T of their Morgan fingerprints. A template that applies says more than that: with n atoms in its
pattern an entry scores 1 - (1 - T) * 2 / (n + 1), one whose templates do not apply only T / 2, one without any T.
Nothing is computed, nor RDKit imported, before a query names a molecule.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from flex.chemistry.molecules import FINGERPRINT, fingerprint, molecules
from flex.chemistry.smiles import products_in
from flex.chemistry.templates import applying, product_patterns
from flex.search.bm25 import Array
from flex.search.lazy_index import LazyIndex
from flex.search.query import EVERYTHING, Filter, Match

LIMIT = 50
"""Molecules of an entry, or of a query, that are compared: the first ones."""
RESEMBLES = 0.99
"""The highest score of another molecule; 1 is the same. (Fingerprints do not tell stereoisomers apart.)"""

_ONES = np.array([byte.bit_count() for byte in range(256)], np.uint16)
"""How many bits are set in a byte, by byte."""
Fingerprints = dict[str, bytes]
"""Fingerprints by canonical SMILES."""


class StructureIndex(LazyIndex["_Structures", "_Table"]):
    """The products and templates of experiences; `put` adds and replaces, `search` ranks."""

    def search(self, query: str, top_k: int, wanted: Filter = EVERYTHING) -> list[Match]:
        """The wanted experiences that are most about a molecule of the query; score in (0, 1], 1: the same molecule."""
        products = products_in(query)
        sought = fingerprints(products) if products and self._experiences else {}
        if not sought:
            return []
        table = self._refreshed()
        return self._best(table.ids, table.scores(sought), top_k, wanted, "structure")

    def _values(self, texts: Sequence[str]) -> list["_Structures"]:
        return [_Structures(fingerprints(products_in(text)), product_patterns(text)) for text in texts]

    def _make_table(self, values: dict[str, "_Structures"]) -> "_Table":
        entries = {key: found for key, found in values.items() if found.products or found.patterns}
        columns = [(smiles, printed) for found in entries.values() for smiles, printed in found.products.items()]
        rows = np.frombuffer(b"".join(printed for _, printed in columns), np.uint8).reshape(-1, FINGERPRINT // 8)
        bits = np.ascontiguousarray(rows.T)
        counts = np.array([len(found.products) for found in entries.values()], np.int64)
        starts = (np.cumsum(counts) - counts)[counts > 0]
        return _Table(
            list(entries),
            np.flatnonzero(counts),
            starts,
            _places(enumerate(smiles for smiles, _ in columns)),
            bits,
            sum(_ONES.take(row) for row in bits),
            _places((row, pattern) for row, found in enumerate(entries.values()) for pattern in found.patterns),
        )


def fingerprints(products: Iterable[str]) -> Fingerprints:
    """The fingerprints of the first LIMIT of these SMILES; those that RDKit cannot read are passed over."""
    known = (molecules(smiles) for smiles in islice(products, LIMIT))
    return {".".join(parts): fingerprint(parts) for parts in known if parts}


def _places(pairs: Iterable[tuple[int, str]]) -> dict[str, list[int]]:
    """By name, the places that have it."""
    found: dict[str, list[int]] = {}
    for place, name in pairs:
        found.setdefault(name, []).append(place)
    return found


@dataclass(frozen=True, slots=True)
class _Structures:
    """What a text says of structures."""

    products: Fingerprints
    patterns: tuple[str, ...]
    """Of what its templates apply to."""


@dataclass(frozen=True, slots=True)
class _Table:
    """All fingerprints side by side; `bits` holds a row for each byte of them and a column for each molecule."""

    ids: Sequence[str]
    rows: Array
    """The entries that have molecules, by their place in `ids`."""
    starts: Array
    """By entry that has molecules, the column of the first one."""
    names: dict[str, list[int]]
    """By canonical SMILES, its columns."""
    bits: Array
    sizes: Array
    patterns: dict[str, list[int]]
    """By pattern, the entries in whose templates it is."""

    def scores(self, sought: Fingerprints) -> Array:
        """By entry, how much it is about the molecule of the query that it is most about."""
        if not self.ids:
            return np.zeros(0)
        best = np.zeros(len(self.ids))
        for smiles, printed in sought.items():
            np.maximum(best, self._with_templates(smiles, self._alike(smiles, printed)), out=best)
        return best

    def _alike(self, smiles: str, printed: bytes) -> Array:
        """By entry, how much its best product resembles a molecule."""
        wanted = np.frombuffer(printed, np.uint8)
        used = np.flatnonzero(wanted)  # about 40 of 128
        common = np.zeros(self.bits.shape[1], np.uint16)
        for byte in used:
            common += _ONES.take(self.bits[byte] & wanted[byte])
        alike = common / (self.sizes + int(_ONES.take(wanted).sum()) - common)
        alike = np.minimum(np.round(alike, 9), RESEMBLES)
        alike[self.names.get(smiles, [])] = 1
        found = np.zeros(len(self.ids))
        if len(self.starts):
            found[self.rows] = np.maximum.reduceat(alike, self.starts)
        return found

    def _with_templates(self, smiles: str, alike: Array) -> Array:
        """The same, with what the templates of each entry say about it; the same molecule stays the same."""
        atoms = np.full(len(self.ids), -1)
        for size, rows in zip(applying(list(self.patterns), smiles), self.patterns.values(), strict=True):
            atoms[rows] = np.maximum(atoms[rows], size)
        applied = np.minimum(1 - (1 - alike) * 2 / (np.maximum(atoms, 1) + 1), RESEMBLES)
        scored = np.where(atoms > 0, applied, np.where(atoms == 0, alike / 2, alike))
        return np.where(alike == 1, 1.0, scored)
