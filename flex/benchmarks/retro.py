"""Single-step retrosynthesis, USPTO50k in the paper: the answer is a set of molecules, compared by structure.

    {"question": "CC(=O)Oc1ccccc1", "answer": "CC(=O)Cl.Oc1ccccc1"}

The question is the product, the answer its reactants as SMILES joined by "."; order and notation do not matter.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar

from flex.benchmarks.base import Anchor, Benchmark
from flex.benchmarks.mathematics.reading import last_boxed
from flex.chemistry.molecules import Molecules, largest, molecules
from flex.chemistry.reactants import reactants_in, stated_reactants
from flex.chemistry.smiles import smiles_in
from flex.chemistry.tools import atom_balance, canonical_smiles, functional_groups
from flex.endpoint import chat_templates
from flex.replies import last_answer

_BETWEEN = re.compile(r"[\s,;+&\"'`*]*(?:and[\s\"'`*]+)?")
LISTED = 4
"""So many molecules one after the other are read as one set of reactants."""


class Retro(Benchmark):
    name: ClassVar[str] = "retro"
    folder: ClassVar[str] = "data/uspto50k"
    source: ClassVar[str] = "`flex download --only uspto50k` fetches data/uspto50k"
    icl_k: ClassVar[int] = 50
    scorer: ClassVar[str] = "2"
    vocabulary: ClassVar[str] = r"retrosynth|\breactants?\b|\bsmiles\b|retro_template"
    prompts: ClassVar[str] = "retro"
    anchors: ClassVar[Sequence[Anchor]] = (
        Anchor("<answer>c1ccccc1O.C(C)(=O)Cl</answer>", "CC(=O)Cl.Oc1ccccc1", 1.0),
        Anchor("<answer>CC(=O)O.Oc1ccccc1</answer>", "CC(=O)Cl.Oc1ccccc1", 0.0),
        Anchor("<answer>CC(=O)Cl</answer>", "CC(=O)Cl.Oc1ccccc1", 0.0),
        Anchor("From phenol and acetyl chloride.", "CC(=O)Cl.Oc1ccccc1", 0.0),
    )

    def extract(self, text: str) -> str | None:
        """The SMILES in the last `<answer>` tag or box, else the line of them that the reply states.

        Fences, quotes, labels and prose behind the SMILES are dropped; of a reaction `A.B>>P` the left side counts.
        """
        said = chat_templates.read(text)[0]
        marked = last_answer(said)
        marked = last_boxed(said) if marked is None else marked
        return stated_reactants(said) if marked is None else reactants_in(marked)

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

    def check_question(self, question: str) -> str | None:
        return None if molecules(question) else f"the question '{question[:60]}' is not the SMILES of a molecule"

    def check_target(self, target: str) -> str | None:
        return None if molecules(target) else f"'{target[:60]}' is not the SMILES of one or more molecules"

    def fingerprint(self, text: str) -> str:
        """The canonical SMILES of the molecules, sorted; of a text that is none, its words."""
        parts = molecules(text)
        return ".".join(parts) if parts else super().fingerprint(text)

    def quoted(self, text: str) -> Collection[str]:
        """Every SMILES in a text, and those that are listed one after the other ("A + B", "A, B and C") together."""
        found: set[str] = set()
        listed: list[Molecules] = []
        end = 0
        for start, stop, smiles in smiles_in(text):
            if parts := molecules(smiles):
                listed = [*listed[1 - LISTED :], parts] if _BETWEEN.fullmatch(text, end, start) else [parts]
                found |= {".".join(sorted(chain(*listed[-count:]))) for count in range(1, len(listed) + 1)}
                end = stop
        return found

    def tools(self) -> Sequence[Callable[..., Any]]:
        return canonical_smiles, functional_groups, atom_balance


benchmark = Retro()
