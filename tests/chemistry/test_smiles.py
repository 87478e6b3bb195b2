"""Which words of a text are molecules, and which of them products."""

from pathlib import Path

import pytest

from flex.chemistry.molecules import LONGEST
from flex.chemistry.smiles import products_in, smiles_in
from flex.explib import ExpLib

BENZAMIDE, ASPIRIN, BOC = "CC(=O)Nc1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "CC(C)(C)OC(=O)N1CCCC1"


@pytest.mark.parametrize("text", ["CO", "(CO).", "**CO**", "$CO$", "`CO`, two atoms", "made from CO..."])
def test_a_word_spelled_like_smiles_is_found_without_what_is_around_it(text: str):
    assert "CO" in [smiles for _, _, smiles in smiles_in(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ASPIRIN, [ASPIRIN]),
        (f"How is {BENZAMIDE} made?", [BENZAMIDE]),
        (f"It is ({BENZAMIDE}).", [BENZAMIDE]),
        (f"**{BENZAMIDE}**, `{BOC}`", [BENZAMIDE, BOC]),
        (f"{BENZAMIDE}; again {BENZAMIDE}", [BENZAMIDE]),
        ("C[C@H](N)C(=O)N/N=C/c1ccc[nH]1", ["C[C@H](N)C(=O)N/N=C/c1ccc[nH]1"]),
        ("F/C(C)=C\\\\CC", ["F/C(C)=C\\CC"]),
        ("CCCCCBr and CCOCC", ["CCCCCBr"]),
        (f"<answer>{BENZAMIDE}.CCCN</answer>", [f"{BENZAMIDE}.CCCN"]),
    ],
)
def test_a_smiles_in_a_text_is_a_molecule(text: str, expected: list[str]):
    assert products_in(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CO IN NO COIN SCION OCCIPUT",
        "How is carbonyl-nitrogen made? Product with carbonyl-nitrogen",
        "There are $C(n,2) = \\binom{n}{2}$ pairs, P(B) = N(C)/N(S) and BC=CO.",
        "[ABC] = [BOC] + [COPS(5)]",
        "C8H10N4O2, NaOH, Boc2O, Pd(PPh3)4, SO2Cl2, C6H5-COOH",
        "RETRO_TEMPLATE: [C:1](-[N:2])=[O:3]>>[C:1](=[O:3])OC(OC(C)(C)C)=O.[N:2]",
        "[CX3](=O)[OX2H1] and [#6][CX3](=O)[#6]",
        "the fragment -C(=O)NR2, or COc1ccc(C(O)Cc2c(Cl)...",
        "C" * (LONGEST + 1),
        "C" + ")" * 1_000_000,
        "\udc80²→",
    ],
)
def test_words_mathematics_formulas_and_templates_are_no_molecules(text: str):
    assert products_in(text) == []


def test_no_question_about_numbers_names_a_molecule(shared: Path):
    for name in ("AIME/train.jsonl", "gsm8k/train_500.jsonl"):
        assert products_in((shared / "data" / name).read_text("utf-8")) == []
    assert not any(products_in(e.method + e.revised_trajectory) for e in ExpLib(shared / "exps" / "aime_claude.json"))


@pytest.mark.parametrize(
    "text",
    [
        "EXAMPLE: § <- CCCCO.CCCCCN",
        "§ << CCCCO.CCCCCN",
        "§<-CCCCCN",
        "`§` ← `CCCCCN`",
        "§>>CCCCO.CCCCCN",
        "CCCCCO.CCCCCN>>§",
        "§ >> CCCCCN",
        "The product is §. An attempt found these reactants: CCCCCO.CCCCCN",
        "**Target SMILES:** `§`; CCCCCO and CCCCCN",
        "<product>§</product> <answer>CCCCCO.CCCCCN</answer>",
    ],
)
def test_where_a_product_is_marked_reactants_do_not_count(text: str):
    assert products_in(text.replace("§", BOC)) == [BOC]
