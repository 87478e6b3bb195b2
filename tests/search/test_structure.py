"""Structure: which words of a text are molecules, whose products resemble the query's, and how that meets text."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from rdkit import Chem, rdBase

from flex.chemistry.smiles import products_in
from flex.explib import ExpLib
from flex.search import structure
from flex.search.fusion import fused, reciprocal
from flex.search.query import Filter, Match
from flex.search.structure import StructureIndex
from flex.types import Experience

BENZAMIDE, ASPIRIN, BOC = "CC(=O)Nc1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "CC(C)(C)OC(=O)N1CCCC1"


def entry(experience_id: str, text: str, **fields) -> Experience:
    return Experience(text, id=experience_id, **fields)


def index(**texts: str) -> StructureIndex:
    new = StructureIndex()
    new.put(entry(key, text) for key, text in texts.items())
    return new


def ids(found: list[Match]) -> list[str]:
    return [each.id for each in found]


def respelled(smiles: str, seed: int = 1) -> str:
    return Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(smiles), 1, randomSeed=seed)[0]


def test_importing_and_asking_without_a_molecule_loads_no_chemistry():
    program = (
        "import sys; from flex.search.structure import StructureIndex; from flex.types import Experience;"
        f"i = StructureIndex(); i.put([Experience('{BOC}', id='a')]); assert i.search('Find $C(n,2)$.', 5) == [];"
        "print('rdkit' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip() == "False"


def test_the_same_molecule_scores_one_in_any_spelling():
    searched = index(a=f"P: {BENZAMIDE}", b=f"P: {ASPIRIN}", c="no molecule")
    for seed in range(1, 6):
        [first, second] = searched.search(f"How is {respelled(ASPIRIN, seed)} made?", 5)
        assert (first, second.id) == (Match("b", 1.0, "structure"), "a")
        assert 0 < second.score < structure.RESEMBLES


def test_a_stereoisomer_is_nearly_the_same():
    searched = index(left="C[C@H](N)C(=O)NCc1ccccc1", right="C[C@@H](N)C(=O)NCc1ccccc1")
    found = searched.search("C[C@H](N)C(=O)NCc1ccccc1", 5)
    assert [(each.id, each.score) for each in found] == [("left", 1.0), ("right", structure.RESEMBLES)]


def test_the_score_is_the_tanimoto_coefficient():
    from rdkit.Chem import rdFingerprintGenerator
    from rdkit.DataStructs import TanimotoSimilarity

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=structure.FINGERPRINT)
    one, other = (generator.GetFingerprint(Chem.MolFromSmiles(smiles)) for smiles in (BENZAMIDE, ASPIRIN))
    [found] = index(a=BENZAMIDE).search(ASPIRIN, 1)
    assert found.score == pytest.approx(TanimotoSimilarity(one, other), abs=1e-8)


def test_the_best_product_of_an_entry_counts():
    searched = index(a=f"{BENZAMIDE} <- CCCCCN\n{BOC} <- CCCCCN", b=f"{ASPIRIN} <- CCCCCN")
    assert [searched.search(smiles, 1)[0].id for smiles in (BENZAMIDE, BOC, ASPIRIN)] == ["a", "a", "b"]
    assert searched.search("CCCCCN", 1)[0].score < 1


def test_equal_scores_come_by_id_and_filters_hold():
    searched = StructureIndex()
    searched.put(
        [
            entry("c", BOC, zone="warning", priority=5),
            entry("a", BOC, problem_category="amide"),
            entry("b", BOC, zone="mixed"),
        ]
    )
    found = {
        (): ["a", "b", "c"],
        ("zones", ("warning", "mixed")): ["b", "c"],
        ("categories", ("amide",)): ["a"],
        ("min_priority", 2): ["c"],
        ("hidden", ("a", "c", "unknown")): ["b"],
    }
    for wanted, expected in found.items():
        assert ids(searched.search(BOC, 5, Filter(**dict([wanted] if wanted else [])))) == expected
    assert ids(searched.search(BOC, 2)) == ["a", "b"]
    assert searched.search(BOC, 0) == []


def test_filters_reach_behind_many_better_ones():
    searched = StructureIndex()
    searched.put([entry(f"{n:04}", BOC) for n in range(500)] + [entry("last", ASPIRIN, zone="warning")])
    assert ids(searched.search(BOC, 5, Filter(zones=["warning"]))) == ["last"]


def test_a_copy_stays_as_it_was():
    original = index(a=BOC, b=ASPIRIN)
    original.search(BOC, 1)
    copy = original.copy()
    original.put([entry("a", ASPIRIN), entry("c", BOC)])
    original.remove(["b", "unknown"])
    assert [(each.id, each.score) for each in copy.search(BOC, 1)] == [("a", 1.0)]
    assert ids(copy.search(ASPIRIN, 5)) == ["b", "a"]
    assert ids(original.search(BOC, 5)) == ["c", "a"]


def test_results_do_not_depend_on_the_order_of_updates():
    rng = random.Random(3)
    texts = [BOC, ASPIRIN, BENZAMIDE, "no molecule", respelled(BOC)]
    for _ in range(20):
        grown, now = StructureIndex(), {}
        for _ in range(12):
            key, text = rng.choice("abcdef"), rng.choice([*texts, ""])
            if text:
                grown.put([entry(key, text)])
                now[key] = text
            else:
                grown.remove([key])
                now.pop(key, None)
            query = rng.choice(texts)
            assert grown.search(query, 10) == index(**now).search(query, 10)


def test_only_what_changed_is_read_again(monkeypatch: pytest.MonkeyPatch):
    read = []
    monkeypatch.setattr(structure, "products_in", lambda text: read.append(text) or products_in(text))
    searched = index(a=BOC, b=ASPIRIN)
    searched.search(BENZAMIDE, 1)
    searched.put([entry("a", BOC, usage_count=7), entry("c", BENZAMIDE)])
    read.clear()
    searched.copy().search(BENZAMIDE, 1)
    searched.search(BENZAMIDE, 1)
    assert [text.strip() for text in read if text != BENZAMIDE] == [BENZAMIDE]


def test_a_long_training_forgets_old_texts():
    searched = StructureIndex()
    for number in range(50):
        searched.put([entry("a", f"{BOC} {number}")])
        assert ids(searched.search(BOC, 1)) == ["a"]
    assert len(searched._known) <= 2


def test_molecules_of_an_entry_are_bounded_and_nonsense_is_passed_over(capfd: pytest.CaptureFixture[str]):
    rdBase.LogToCppStreams()  # where RDKit would complain
    nonsense = "c1ccccc(C)(C)(C)(C) C1CC(C)C CC(C)(C)(C)(C)C"
    chains = " ".join("C" * n + "Br" for n in range(6, 6 + 2 * structure.LIMIT))
    searched = index(a=f"{nonsense} {chains} {ASPIRIN}", b=nonsense)
    assert searched.search("CCCCCCCCBr", 5)[0] == Match("a", 1.0, "structure")
    assert searched.search(ASPIRIN, 1)[0].score < 0.5
    assert searched.search("c1ccccc(C)(C)(C)(C)", 5) == []
    assert index(b=nonsense).search(BOC, 5) == []
    assert "".join(capfd.readouterr()) == ""


AMIDE = "RETRO_TEMPLATE: [C:1](-[N:2])=[O:3]>>[C:1](=[O:3])O.[N:2]"
AMINE = "RETRO_TEMPLATE: [C:1]-[N:2]>>[C:1]Br.[N:2]"
UREA = "RETRO_TEMPLATE: [N:1]-[C:2](=[O:3])-[N:4]>>[N:1]=[C:2]=[O:3].[N:4]"


def test_a_template_that_applies_says_more_than_a_molecule_that_resembles():
    searched = index(
        urea=f"{UREA} O=C(Nc1ccccc1)Nc1ccccc1 <- O=C=Nc1ccccc1.Nc1ccccc1",
        amide=f"{AMIDE} CCCCC(=O)N1CCCC1 <- CCCCC(=O)O.C1CCNC1",
        amine=f"{AMINE} CCCCCN1CCCC1 <- CCCCCBr.C1CCNC1",
        bare="O=C(Nc1ccccc1)Nc1ccccc1 was found; of templates nothing is known",
    )
    found = {each.id: each.score for each in searched.search("O=C(Nc1ccccc1)c1ccccc1", 5)}
    assert list(found) == ["bare", "amide", "amine", "urea"]
    assert found["urea"] == pytest.approx(found["bare"] / 2, abs=1e-8)
    assert found["amide"] > 0.5 > found["amine"]


def test_the_same_molecule_stays_first_and_a_template_needs_no_example():
    searched = index(same=f"{UREA} {BENZAMIDE} <- CC(=O)Cl.Nc1ccccc1", amide=AMIDE)
    assert [(each.id, each.score) for each in searched.search(BENZAMIDE, 5)] == [("same", 1.0), ("amide", 0.5)]
    assert ids(searched.search("CCCCCC", 5)) == ["same"]


def ranking(why: str, **scores: float) -> list[Match]:
    return [Match(key, score, why) for key, score in scores.items()]


def test_the_same_molecule_comes_first_whatever_the_text_says():
    text = ranking("words", a=1.0, b=0.9, c=0.8)
    same = ranking("structure", d=1.0, c=1.0, a=0.99, b=0.1)
    assert [each.id for each in fused(text, same, 5)] == ["c", "d", "a", "b"]


def test_the_best_text_is_fourth_at_the_latest():
    resembling = ranking("structure", b=0.6, c=0.5, d=0.4, e=0.3)
    found = fused(ranking("words, 4-grams", a=1.0), resembling, 4)
    assert ids(found) == ["b", "c", "a", "d"] or ids(found) == ["b", "c", "d", "a"]
    assert {each.id: each.why for each in found}["a"] == "words, 4-grams"


def test_text_alone_stands_as_it_is():
    text = ranking("words", a=1.0, b=0.3)
    assert fused(text, [], 5) == text
    assert fused(text, [], 1) == text[:1]
    assert fused([], [], 5) == []


def test_what_leads_everywhere_scores_one_and_says_why():
    found = reciprocal([(ranking("words", a=0.7, b=0.2), 1), (ranking("vectors", a=0.4, c=0.3), 1)], 5)
    assert found[0] == Match("a", 1.0, "words, vectors")
    assert ids(found) == ["a", "b", "c"]
    assert found[1].score == found[2].score == pytest.approx(61 / 62 / 2, abs=1e-8)


USPTO = [index for index in range(50) if index != 20]
"""The training product of each entry of retro_gpt.json: it quotes that problem's answer."""


def found_at_once(library: ExpLib, products: list[str]) -> list[bool]:
    """Whether each product's own entry, in the library's order, is found first by text and structure."""
    searched = StructureIndex()
    searched.put(library)
    hits = []
    for product, own in zip(products, library, strict=True):
        text = [Match(hit.experience_id, hit.score, "words") for hit in library.search(product, 20)]
        hits.append(fused(text, searched.search(product, 20), 5)[0].id == own.id)
    return hits


def test_the_product_finds_the_entry_it_led_to_in_any_spelling(shared: Path):
    library = ExpLib(shared / "exps" / "retro_gpt.json")
    lines = (shared / "data" / "uspto50k" / "train.jsonl").read_text("utf-8").splitlines()
    products = [json.loads(lines[number])["question"] for number in USPTO]
    for spelled in (products, [respelled(product, 5) for product in products]):
        assert sum(found_at_once(library, spelled)) / len(spelled) >= 0.95
