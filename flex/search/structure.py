"""Search by structure: entries whose products resemble the molecule of a query, in whatever notation.

`flex.chemistry.smiles` says which molecules count; how much two resemble each other is the Tanimoto coefficient of
their Morgan fingerprints. Nothing is computed, nor RDKit imported, before a query names a molecule.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from flex.chemistry.molecules import FINGERPRINT, fingerprint, molecules
from flex.chemistry.smiles import products_in
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


class StructureIndex(LazyIndex[Fingerprints, "_Table"]):
    """The products of experiences; `put` adds and replaces, `search` ranks."""

    def search(self, query: str, top_k: int, wanted: Filter = EVERYTHING) -> list[Match]:
        """The wanted experiences with the products most like a molecule of the query; score in (0, 1], 1: the same."""
        products = products_in(query)
        sought = fingerprints(products) if products and self._experiences else {}
        if not sought:
            return []
        table = self._refreshed()
        return self._best(table.ids, table.scores(sought), top_k, wanted, "structure")

    def _values(self, texts: Sequence[str]) -> list[Fingerprints]:
        return [fingerprints(products_in(text)) for text in texts]

    def _make_table(self, values: dict[str, Fingerprints]) -> "_Table":
        entries = {key: found for key, found in values.items() if found}
        columns = [(smiles, printed) for found in entries.values() for smiles, printed in found.items()]
        names: dict[str, list[int]] = {}
        for column, (smiles, _) in enumerate(columns):
            names.setdefault(smiles, []).append(column)
        rows = np.frombuffer(b"".join(printed for _, printed in columns), np.uint8).reshape(-1, FINGERPRINT // 8)
        bits = np.ascontiguousarray(rows.T)
        starts = np.cumsum([0, *map(len, entries.values())])[:-1]
        return _Table(list(entries), starts, names, bits, sum(_ONES.take(row) for row in bits))


def fingerprints(products: Iterable[str]) -> Fingerprints:
    """The fingerprints of the first LIMIT of these SMILES; those that RDKit cannot read are passed over."""
    known = (molecules(smiles) for smiles in islice(products, LIMIT))
    return {".".join(parts): fingerprint(parts) for parts in known if parts}


@dataclass(frozen=True, slots=True)
class _Table:
    """All fingerprints side by side; `bits` holds a row for each byte of them and a column for each molecule."""

    ids: Sequence[str]
    starts: Array
    """By entry, the column of its first molecule."""
    names: dict[str, list[int]]
    """By canonical SMILES, its columns."""
    bits: Array
    sizes: Array

    def scores(self, sought: Fingerprints) -> Array:
        """By entry, how much its best product resembles the molecule that it resembles most."""
        if not self.ids:
            return np.zeros(0)
        best = np.zeros(self.bits.shape[1])
        for smiles, printed in sought.items():
            wanted = np.frombuffer(printed, np.uint8)
            used = np.flatnonzero(wanted)  # about 40 of 128
            common = np.zeros(len(best), np.uint16)
            for byte in used:
                common += _ONES.take(self.bits[byte] & wanted[byte])
            alike = common / (self.sizes + int(_ONES.take(wanted).sum()) - common)
            alike = np.minimum(np.round(alike, 9), RESEMBLES)
            alike[self.names.get(smiles, [])] = 1
            np.maximum(best, alike, out=best)
        found: Array = np.maximum.reduceat(best, self.starts)
        return found
