"""The chemistry tools that agents are given."""

import pytest
from smolagents import tool

from flex.benchmarks import get_benchmark
from flex.chemistry.tools import atom_balance, canonical_smiles, functional_groups


def test_canonical_smiles_sorts_the_molecules():
    assert canonical_smiles("C1=CC=CC=C1.OCC") == "CCO.c1ccccc1"


@pytest.mark.parametrize("smiles", ["CC(", "", "CCO CCO", "ethanol", "C" * 2001, "C\ud800"])
def test_the_tools_answer_invalid_input_in_words(smiles):
    assert canonical_smiles(smiles).startswith("invalid: ")
    assert functional_groups(smiles).startswith("invalid: ")
    assert atom_balance("CC", smiles).startswith("invalid: ")
    assert len(canonical_smiles(smiles)) < 300


@pytest.mark.parametrize(
    ("smiles", "named"),
    [
        ("CC(=O)Oc1ccccc1", {"ester or lactone x 1", "aromatic ring x 1"}),
        ("CC(=O)NC", {"amide or lactam x 1"}),
        ("CC(C)(C)OC(=O)NC", {"carbamate x 1", "Boc group x 1"}),
        ("OB(O)c1ccccc1", {"boronic acid or ester x 1", "aromatic ring x 1"}),
        ("CC=O", {"aldehyde x 1"}),
        ("CC(C)=O", {"ketone x 1"}),
        ("CC(=O)Cl", {"acid halide x 1"}),
        ("CCOCC", {"ether x 1"}),
        ("C1CCNCC1", {"secondary amine x 1", "other ring x 1"}),
        ("CCC", {"no functional group"}),
    ],
)
def test_functional_groups_are_named(smiles, named):
    assert set(functional_groups(smiles).partition(": ")[2].split(", ")) == named


def test_functional_groups_go_molecule_by_molecule():
    assert functional_groups("CCO.CN").splitlines() == ["CCO: alcohol x 1", "CN: primary amine x 1"]


def test_atom_balance_names_what_is_missing_and_what_is_left():
    assert atom_balance("CC(=O)OC", "CC(=O)Cl.CO") == "missing for the product: none; left over from the reactants: Cl1"
    assert atom_balance("CC(=O)NC", "CC(=O)O") == "missing for the product: C1 N1; left over from the reactants: O1"


def test_every_tool_is_one_that_smolagents_can_describe():
    for function in get_benchmark("retro").tools():
        described = tool(function)
        assert described.output_type == "string"
        assert all(entry["description"] for entry in described.inputs.values())
