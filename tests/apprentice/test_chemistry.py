"""The apprentice's chemistry: from a reaction to a template, and back to reactants."""

import json
from pathlib import Path

import pytest

from flex.apprentice.chemistry.mapping import map_reaction
from flex.apprentice.chemistry.molecules import canonical, molecule
from flex.apprentice.chemistry.ranking import Lesson, Precedent, propose
from flex.apprentice.chemistry.templates import apply, extract
from flex.apprentice.chemistry.wording import NAMES, TEXTBOOK, named, product_sites, template_sites

REACTIONS = [
    ("CC(=O)Nc1ccccc1", "CC(=O)O.Nc1ccccc1", "[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])O.[N:2]"),
    ("CC(=O)Nc1ccccc1", "CC(=O)Cl.Nc1ccccc1", "[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])Cl.[N:2]"),
    ("CCOC(=O)CC", "CCO.CCC(=O)O", "[C:1](-[O:2])=[O:3]>>[C:1](=[O:3])O.[O:2]"),
    ("c1ccc(-c2ccncc2)cc1", "OB(O)c1ccccc1.Brc1ccncc1", "[c:1]-[c:2]>>[c:1]B(O)O.[c:2]Br"),
    ("CC(O)c1ccccc1", "CC(=O)c1ccccc1", "[C:1]-[O:2]>>[C:1]=[O:2]"),
    ("C1CCNCC1", "CC(C)(C)OC(=O)N1CCCCC1", "[N:1]>>[N:1]C(OC(C)(C)C)=O"),
    ("CCNC(=O)Nc1ccccc1", "CCN.O=C=Nc1ccccc1", "[C:1](-[N:2])(-[N:3])=[O:4]>>[C:1](=[N:3])=[O:4].[N:2]"),
    ("Nc1ccccc1", "O=[N+]([O-])c1ccccc1", "[N:1]>>[N+:1](=O)[O-]"),
    ("c1ccc(-c2c[nH]cn2)cc1", "c1ccc(-c2cn(Cc3ccccc3)cn2)cc1", "[n:1]>>[n:1]Cc1ccccc1"),
]


@pytest.mark.parametrize(("product", "reactants", "template"), REACTIONS)
def test_the_smallest_template_regenerates_the_reactants(product, reactants, template):
    assert extract(product, reactants) == template
    assert canonical(reactants) in [outcome.reactants for outcome in apply(template, product)]


@pytest.mark.parametrize(("product", "reactants", "template"), REACTIONS)
def test_identical_chemistry_is_identical_text_however_the_molecules_are_spelled(product, reactants, template):
    for number in range(molecule(product).GetNumAtoms()):
        spelled = _rooted(product, number)
        backwards = ".".join(reversed(reactants.split(".")))
        assert extract(spelled, backwards) == template


def _rooted(smiles, atom):
    from rdkit import Chem

    return Chem.MolToSmiles(Chem.MolFromSmiles(smiles), rootedAtAtom=atom, canonical=False)


def test_stereocentres_that_the_reaction_does_not_touch_stay():
    acid, amine = "C[C@H](N)C(=O)O", "C[C@@H](O)CN"
    template = "[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])O.[N:2]"
    outcomes = [outcome.reactants for outcome in apply(template, "C[C@H](N)C(=O)NC[C@@H](C)O")]
    assert canonical(f"{acid}.{amine}") in outcomes


def test_a_template_for_two_molecules_does_not_open_a_ring():
    assert apply("[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])O.[N:2]", "O=C1CCCCN1") == ()


def test_reactants_that_cannot_make_the_product_have_no_mapping_and_no_template():
    assert map_reaction(molecule("CC(=O)Nc1ccccc1"), molecule("CCO.CCN")) is None
    assert extract("CC(=O)Nc1ccccc1", "CCO.CCN") is None


@pytest.mark.parametrize(
    "template", ["", "[C:1]", "[C:1>>[C:1]", "nonsense>>nonsense", "[C:1]>>[N:7", "[C:1].[C:2]>>O"]
)
def test_a_broken_template_proposes_nothing(template):
    assert apply(template, "CC(=O)Nc1ccccc1") == ()


@pytest.mark.parametrize("smiles", ["", "CCO CCO", "C1CC", "hello", "c1cccc1"])
def test_what_is_no_molecule_is_none(smiles):
    assert molecule(smiles) is None
    assert canonical(smiles) is None


def test_the_site_that_looks_like_the_precedent_wins():
    template = "[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])O.[N:2]"
    anilide = Precedent("CCC(=O)Nc1ccccc1", "CCC(=O)O.Nc1ccccc1")
    first, *rest = propose("CC(=O)Nc1ccc(CNC(C)=O)cc1", [Lesson(template, (anilide,))])
    assert first.reactants == canonical("CC(=O)O.CC(=O)NCc1ccc(N)cc1")
    assert rest
    assert first.score > rest[0].score


def test_a_template_that_contradicts_its_example_is_not_believed():
    wrong = Lesson("[C:1](-[N:2])=[O:3]>>[C:1](=[O:3])O.[N:2]", (Precedent("CCOCC", "CCO.CCBr"),))
    assert propose("CC(=O)Nc1ccccc1", [wrong]) == []


def test_the_order_of_the_lessons_does_not_matter():
    lessons = [Lesson(template) for template in NAMES]
    product = "COC(=O)c1ccc(NC(=O)CN2CCNCC2)cc1"
    assert propose(product, lessons) == propose(product, lessons[::-1])
    assert len(propose(product, lessons)) > 10


def test_every_textbook_template_has_a_name_and_is_found_by_a_site():
    assert len(TEXTBOOK) == 8
    for template in NAMES:
        assert "(" not in named(template)
        assert template_sites(template)


def test_the_sites_of_a_product_cover_the_sites_of_every_template_that_fits_it():
    products = ["COC(=O)c1ccc(NC(=O)CN2CCNCC2)cc1", "C#Cc1ccc(-c2ccncc2)cc1", "CS(=O)(=O)NCCOS(C)(=O)=O"]
    for product in products:
        for template in NAMES:
            if apply(template, product):
                assert set(template_sites(template)) & set(product_sites(product)), template


def test_nearly_every_reaction_of_the_real_training_data_regenerates(shared: Path):
    lines = (shared / "data/uspto50k/train.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    templates = [extract(row["question"], row["answer"]) for row in rows]
    assert sum(template is not None for template in templates) >= 49
    assert 28 <= len(set(templates)) <= 34
