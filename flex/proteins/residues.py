"""What a substitution changes: cheap columns that follow from the names of the amino acids alone."""

import re
from collections.abc import Mapping

_SUBSTITUTION = re.compile(r"([A-Z])(-?\d+)([A-Z])")
WILD_TYPE = frozenset({"", "wt", "_wt", "wild_type", "wildtype"})
"""How tables name the protein without a substitution."""

# Kyte & Doolittle 1982, J. Mol. Biol. 157:105
_HYDROPATHY = {
    "A": 1.8, "R": -4.5, "N": -3.5, "D": -3.5, "C": 2.5, "Q": -3.5, "E": -3.5, "G": -0.4, "H": -3.2, "I": 4.5,
    "L": 3.8, "K": -3.9, "M": 1.9, "F": 2.8, "P": -1.6, "S": -0.8, "T": -0.7, "W": -0.9, "Y": -1.3, "V": 4.2,
}  # fmt: skip
# cubic angstroms; Zamyatnin 1972, Prog. Biophys. Mol. Biol. 24:107
_VOLUME = {
    "A": 88.6, "R": 173.4, "N": 114.1, "D": 111.1, "C": 108.5, "Q": 143.8, "E": 138.4, "G": 60.1, "H": 153.2,
    "I": 166.7, "L": 166.7, "K": 168.6, "M": 162.9, "F": 189.9, "P": 112.7, "S": 89.0, "T": 116.1, "W": 227.8,
    "Y": 193.6, "V": 140.0,
}  # fmt: skip
_CHARGE = {"K": 1.0, "R": 1.0, "D": -1.0, "E": -1.0}

DESCRIPTORS: Mapping[str, str] = {
    "hydropathy": "change of hydropathy (Kyte-Doolittle)",
    "volume": "change of volume, cubic angstroms",
    "charge": "change of charge",
    "proline": "prolines put in, minus those taken out",
    "glycine": "glycines put in, minus those taken out",
}
"""The columns, each the sum over the substitutions of a mutant, and what they are."""
_SCALES: tuple[Mapping[str, float], ...] = (_HYDROPATHY, _VOLUME, _CHARGE, {"P": 1.0}, {"G": 1.0})


def described(mutant: str) -> tuple[float, ...] | None:
    """The descriptors of a mutant such as `A1C` or `A1C:D2E`; None when it is not written like that."""
    if mutant.strip().casefold() in WILD_TYPE:
        return (0.0,) * len(_SCALES)
    substitutions = [_SUBSTITUTION.fullmatch(part) for part in mutant.strip().split(":")]
    pairs = [(found[1], found[3]) for found in substitutions if found]
    if len(pairs) < len(substitutions) or not all(letter in _VOLUME for pair in pairs for letter in pair):
        return None
    return tuple(sum(scale.get(new, 0.0) - scale.get(old, 0.0) for old, new in pairs) for scale in _SCALES)


def wild_type(mutant: str, sequence: str) -> str:
    """The sequence before the substitutions, where the numbering fits; else the mutant's sequence itself."""
    residues = list(sequence)
    for part in mutant.strip().split(":"):
        found = _SUBSTITUTION.fullmatch(part)
        place = int(found[2]) - 1 if found else -1
        if found is None or not 0 <= place < len(residues) or residues[place] != found[3]:
            return sequence
        residues[place] = found[1]
    return "".join(residues)
