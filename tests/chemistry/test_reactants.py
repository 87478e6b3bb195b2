"""Answers that name the same two reactants in all the ways in which models list them, and answers that do not."""

import pytest

from flex.benchmarks import get_benchmark

TARGET = "CC(=O)Cl.Nc1ccccc1"
RIGHT = [
    "<answer>CC(=O)Cl & Nc1ccccc1</answer>",
    "<answer>CC(=O)Cl; Nc1ccccc1</answer>",
    "<answer>1. CC(=O)Cl\n2. Nc1ccccc1</answer>",
    "<answer>* CC(=O)Cl\n* Nc1ccccc1</answer>",
    "<answer>• CC(=O)Cl\n• Nc1ccccc1</answer>",
    "<answer>CC(=O)Cl (acetyl chloride) and Nc1ccccc1 (aniline)</answer>",
    "<answer>CC(=O)Cl (acetyl chloride), Nc1ccccc1 (aniline)</answer>",
    "<answer>Reactant 1: CC(=O)Cl\nReactant 2: Nc1ccccc1</answer>",
    "<answer>Reactants: CC(=O)Cl and Nc1ccccc1</answer>",
    "<answer>['CC(=O)Cl', 'Nc1ccccc1']</answer>",
    '<answer>{"reactants": "CC(=O)Cl.Nc1ccccc1"}</answer>',
    '<answer>{"reactants": ["CC(=O)Cl", "Nc1ccccc1"]}</answer>',
    '<answer>"CC(=O)Cl"."Nc1ccccc1"</answer>',
    "<answer>$CC(=O)Cl.Nc1ccccc1$</answer>",
    r"<answer>\texttt{CC(=O)Cl.Nc1ccccc1}</answer>",
    r"<answer>\mathrm{CC(=O)Cl.Nc1ccccc1}</answer>",
    r"<answer>\(\text{CC(=O)Cl}\) and \(\text{Nc1ccccc1}\)</answer>",
    "<answer>CC(=O)Cl.Nc1ccccc1 -> CC(=O)Nc1ccccc1</answer>",
    "<answer>CC(=O)Cl + Nc1ccccc1 -> CC(=O)Nc1ccccc1</answer>",
    "<answer>CC(=O)Cl + Nc1ccccc1 → CC(=O)Nc1ccccc1</answer>",
    "<answer>CC(=O)Cl.Nc1ccccc1 >> CC(=O)Nc1ccccc1</answer>",
    "<answer>CC(=O)Nc1ccccc1 <- CC(=O)Cl.Nc1ccccc1</answer>",
    "<answer>CC(=O)Cl.Nc1ccccc1>CCN(CC)CC>CC(=O)Nc1ccccc1</answer>",
    r"\boxed{CC(=O)Cl.Nc1ccccc1}",
    r"$\boxed{\text{CC(=O)Cl.Nc1ccccc1}}$",
    "The answer is CC(=O)Cl.Nc1ccccc1",
    "Final answer: CC(=O)Cl.Nc1ccccc1",
    "Answer: `CC(=O)Cl.Nc1ccccc1`",
    "The reactants are CC(=O)Cl and Nc1ccccc1.",
    "Reactants: CC(=O)Cl, Nc1ccccc1",
    "```\nCC(=O)Cl.Nc1ccccc1\n```",
    "The product is cut at the amide.\n\n```smiles\nCC(=O)Cl.Nc1ccccc1\n```\n\nThis uses acetyl chloride.",
    "**Reactants:**\n- CC(=O)Cl\n- Nc1ccccc1",
    "**SMILES**: CC(=O)Cl.Nc1ccccc1",
    "<answer>\nCC(=O)Cl.Nc1ccccc1\n\nThis is an acylation.\n</answer>",
    "<answer>CC(=O)Cl.Nc1ccccc1, an acylation</answer>",
    "<answer>CC(=O)Cl . Nc1ccccc1</answer>",
    "<answer>CC(=O)Cl.\nNc1ccccc1</answer>",
    "<answer>CC(=O)Cl．Nc1ccccc1</answer>",
    "<answer>\ufeffCC(=O)Cl.Nc1ccccc1</answer>",
    "<answer>**CC(=O)Cl**.**Nc1ccccc1**</answer>",
    "<answer>**CC(=O)Cl** and **Nc1ccccc1**</answer>",
    "<answer><code>CC(=O)Cl.Nc1ccccc1</code></answer>",
    "<Answer>CC(=O)Cl.Nc1ccccc1</Answer>",
    "<answer>[CH3:1][C:2](=[O:3])Cl.[NH2:4]c1ccccc1</answer>",
    "答案：CC(=O)Cl.Nc1ccccc1",
    "<answer>CC(=O)Cl和Nc1ccccc1</answer>",
    "<answer>CC(=O)Cl und Nc1ccccc1</answer>",
    "<answer>CC(Cl)=O.c1ccc(N)cc1</answer>",
    "<answer>Nc1ccccc1 plus CC(=O)Cl</answer>",
    "<answer>CC(=O)Cl.Nc1ccccc1</answer>\n<answer>CC(=O)Cl.Nc1ccccc1</answer>",
]
WRONG = [
    "<answer>CC(=O)Cl or Nc1ccccc1</answer>",
    "<answer>CC(=O)Cl</answer>",
    "<answer>CC(=O)Cl.Nc1ccccc1.O</answer>",
    "<answer>CC(=O)Br.Nc1ccccc1</answer>",
    "<answer>CC(=O)Cl.NC1CCCCC1</answer>",
    "<answer>CC(=O)Nc1ccccc1</answer>",
    "I do not know.",
    "<answer>CC(=O)Cl.Nc1ccccc1 or CC(=O)O.Nc1ccccc1</answer>",
    "<answer>Option 1: CC(=O)Cl.Nc1ccccc1\nOption 2: CC(=O)O.Nc1ccccc1</answer>",
    "<answer>CC(=O)Cl.Nc1ccccc1\nCC(=O)O.Nc1ccccc1</answer>",
]
retro = get_benchmark("retro")


@pytest.mark.parametrize("reply", RIGHT)
def test_the_reactants_are_read_however_they_are_listed(reply):
    assert retro.score(retro.extract(reply), TARGET) == 1


@pytest.mark.parametrize("reply", WRONG)
def test_other_and_ambiguous_answers_score_nothing(reply):
    assert retro.score(retro.extract(reply), TARGET) == 0


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("F/C=C\nc1cccc1", "F/C=C\\nc1cccc1"),
        ("F/C=C\n1CCCC1", "F/C=C\\n1CCCC1"),
        ("F/C=C\x01CCCC1", "F/C=C\\1CCCC1"),
        ("CC(=O\n)OCC", "CC(=O)OCC"),
    ],
)
def test_a_bond_that_a_string_swallowed_is_put_back(said, meant):
    assert retro.score(retro.extract(f"<answer>{said}</answer>"), meant) == retro.score(meant, meant)
