"""Single-step retrosynthesis, USPTO50k in the paper: the answer is a set of molecules, compared by structure.

    {"question": "CC(=O)Oc1ccccc1", "answer": "CC(=O)Cl.Oc1ccccc1"}

The question is the product, the answer its reactants as SMILES joined by "."; order and notation do not matter.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from flex.benchmarks.base import Benchmark
from flex.chemistry import LONGEST, atom_balance, canonical_smiles, functional_groups, largest, molecules
from flex.parsing import last_tag

_LABEL = re.compile(r"\A(?:[A-Za-z ()]*\b(?:smiles|reactants?|precursors?|answer)\b[A-Za-z ()]*)[:=]\s*", re.IGNORECASE)
_FENCE = re.compile(r"```[ \t]*\w*[ \t]*\r?\n?(.*?)(?:```|$)", re.DOTALL)
_QUOTES = " \t\r\n`'\"*"


class Retro(Benchmark):
    name: ClassVar[str] = "retro"
    prompts: ClassVar[str] = "retro"

    def extract(self, text: str) -> str | None:
        """The SMILES in the last `<answer>` tag, or the whole text when it is one SMILES.

        Fences, quotes, labels and prose behind the SMILES are dropped; of a reaction `A.B>>P` the left side counts.
        """
        tagged = last_tag(text, "answer")
        if tagged is None and (unclosed := text.rpartition("<answer>"))[1]:  # a stop sequence took the closing tag
            tagged = unclosed[2]
        if len(text if tagged is None else tagged) > LONGEST:
            return None
        return _first_smiles(_unwrapped(tagged)) if tagged is not None else _whole(_unwrapped(text))

    def score(self, answer: str | None, target: str) -> float:
        """1 when the answer is the target's multiset of molecules."""
        mine = molecules(answer or "")
        return float(mine is not None and mine == molecules(target))

    def metrics(self, answer: str | None, target: str) -> Mapping[str, float]:
        """`valid`, `strict` (the same string), `exact_no_stereo` and `maxfrag` (the largest molecule is right)."""
        mine, theirs = molecules(answer or ""), molecules(target)
        if mine is None or theirs is None:
            return dict.fromkeys(("valid", "strict", "exact_no_stereo", "maxfrag"), 0.0)
        return {
            "valid": 1.0,
            "strict": float(answer == target),
            "exact_no_stereo": float(molecules(answer or "", stereo=False) == molecules(target, stereo=False)),
            "maxfrag": float(largest(mine) == largest(theirs)),
        }

    def check_target(self, target: str) -> str | None:
        return None if molecules(target) else f"'{target[:60]}' is not the SMILES of one or more molecules"

    def tools(self) -> Sequence[Callable[..., Any]]:
        return canonical_smiles, functional_groups, atom_balance


def _unwrapped(said: str) -> str:
    fenced = _FENCE.search(said)
    said = _LABEL.sub("", (fenced[1] if fenced else said).strip(_QUOTES)).strip(_QUOTES)
    return re.sub(r"\s+[+.]\s+", ".", said)


def _first_smiles(said: str) -> str | None:
    """What stands before the prose; a second SMILES is not prose, the answer is then ambiguous and scores nothing."""
    first, *rest = said.split() or [""]
    if rest and any(_is_smiles(word.strip(_QUOTES + ",;()")) for word in rest):
        return said
    smiles = first.rstrip(",;.").strip(_QUOTES)
    return (smiles.split(">")[0] if smiles.count(">") == 2 else smiles) or None


def _whole(said: str) -> str | None:
    """A text without a tag counts when it is nothing but one SMILES, as an agent may hand it in."""
    return said if _is_smiles(said) else None


def _is_smiles(word: str) -> bool:
    return molecules(word) is not None


benchmark = Retro()
