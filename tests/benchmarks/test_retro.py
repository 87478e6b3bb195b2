"""The retro benchmark: what is read out of a reply, and when two answers are the same molecules."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flex.benchmarks import benchmark_names, get_benchmark
from flex.errors import BenchmarkError

retro = get_benchmark("retro")

EXTRACTED = [
    ("Cut the ester.\n<answer>CC(=O)Cl.Oc1ccccc1</answer>", "CC(=O)Cl.Oc1ccccc1"),
    ("<answer>CCO</answer> no, better <answer>CCN</answer>", "CCN"),
    ("<ANSWER> CCO </ANSWER>", "CCO"),
    ("<answer>\nCCO.CC\n</answer>", "CCO.CC"),
    ("<answer>```\nCCO.CC\n```</answer>", "CCO.CC"),
    ("<answer>```smiles\nCCO.CC\n```</answer>", "CCO.CC"),
    ("<answer>`CCO.CC`</answer>", "CCO.CC"),
    ("<answer>**CCO**</answer>", "CCO"),
    ('<answer>"CCO.CC"</answer>', "CCO.CC"),
    ("<answer>SMILES: CCO.CC</answer>", "CCO.CC"),
    ("<answer>Reactants = CCO.CC</answer>", "CCO.CC"),
    ("<answer>The reactant SMILES (canonical): CCO</answer>", "CCO"),
    ("<answer>Answer: `CCO`</answer>", "CCO"),
    ("<answer>CCO.CC.</answer>", "CCO.CC"),
    ("<answer>CCO.CC (ethanol and ethane)</answer>", "CCO.CC"),
    ("<answer>CCO.CC, an alcohol.</answer>", "CCO.CC"),
    ("<answer>CCO + CC(=O)Cl</answer>", "CCO.CC(=O)Cl"),
    ("<answer>CCO . CC(=O)Cl</answer>", "CCO.CC(=O)Cl"),
    ("<answer>C[N+](C)(C)C.[I-]</answer>", "C[N+](C)(C)C.[I-]"),
    ("<answer>CCO.CC(=O)Cl>>CC(=O)OCC</answer>", "CCO.CC(=O)Cl"),
    ("<answer>CCO.CC(=O)Cl>CCN(CC)CC>CC(=O)OCC</answer>", "CCO.CC(=O)Cl"),
    ("<answer>N->[Fe]</answer>", "N->[Fe]"),
    ("<answer>CCO CCO</answer>", "CCO CCO"),
    ("<answer>CCO\nCCN</answer>", "CCO.CCN"),
    ("cut off by a stop sequence: <answer>CCO", "CCO"),
    ("<answer>C/C=C\\C</answer>", "C/C=C\\C"),
    ("<answer>none can be made</answer>", "none"),
    ("<answer></answer>", None),
    ("CCO.CC(=O)Cl", "CCO.CC(=O)Cl"),
    ("```\nCCO\n```", "CCO"),
    ("I think that it is ethanol.", None),
    ("CCO is what I would take.", None),
    ("", None),
    (f"<answer>{'C' * 5001}</answer>", None),
    ("C" * 5001, None),
]

SAME = [
    ("CC(=O)Cl.Oc1ccccc1", "Oc1ccccc1.CC(=O)Cl"),
    ("OC1=CC=CC=C1", "Oc1ccccc1"),
    ("C1=CNC=C1", "c1cc[nH]c1"),
    ("OCC", "CCO"),
    ("C(C)O", "CCO"),
    ("[CH3:1][CH2:2][OH:3]", "CCO"),
    ("[CH3][CH2][OH]", "CCO"),
    ("[CH3:1][C@H:2]([NH2:3])[C:4](=[O:5])[OH:6]", "C[C@H](N)C(=O)O"),
    ("N[C@@H](C)C(=O)O", "C[C@H](N)C(=O)O"),
    ("F/C=C/F", "F\\C=C\\F"),
    ("C(=C/F)\\F", "F/C=C/F"),
    ("CN(=O)=O", "C[N+](=O)[O-]"),
    ("CC.CC", "CC.CC"),
    ("[Na+].[OH-].CC", "CC.[OH-].[Na+]"),
    ("C1.C1", "CC"),
    ("C%10CC%10", "C1CC1"),
    ("[H]C([H])([H])O", "CO"),
    (" CCO ", "CCO"),
    ("O=C(O)c1ccccc1", "c1ccc(cc1)C(O)=O"),
    ("C[C@H](O)[C:1]", "C[C@H](O)[C]"),
    ("[CH3:7][C@@H:1]([CH3:2])O", "CC(C)O"),
]

DIFFERENT = [
    ("CC", "CC.CC"),
    ("CC.CC", "CC"),
    ("CC.CC.C", "CC.CC"),
    ("N[C@H](C)C(=O)O", "C[C@H](N)C(=O)O"),
    ("NC(C)C(=O)O", "C[C@H](N)C(=O)O"),
    ("F/C=C/F", "F/C=C\\F"),
    ("FC=CF", "F/C=C\\F"),
    ("CC(=O)O", "CC(=O)[O-]"),
    ("CC(=O)[O-].[Na+]", "CC(=O)O"),
    ("CN.Cl", "CN"),
    ("CC(=O)Br", "CC(=O)Cl"),
    ("[2H]C", "C"),
    ("OC1=CC=NC=C1", "O=C1C=CNC=C1"),
    ("CCO CCO", "CCO"),
    ("CCO\nCCO", "CCO"),
    ("CCO ethanol", "CCO"),
    ("CCO>>CC", "CCO"),
    ("CCO.", "CCO"),
    ("CCO..CC", "CCO.CC"),
    ("C1CC", "C1CC1"),
    ("C(C)(C)(C)(C)C", "CC"),
    ("c1cccc1", "c1ccccc1"),
    ("ethanol", "CCO"),
    ("", "CCO"),
    (" ", "CCO"),
    (None, "CCO"),
    ("C" * 5001, "C"),
    ("(" * 4000, "C"),
]


@pytest.mark.parametrize(("text", "answer"), EXTRACTED)
def test_the_reactants_are_found_in_a_reply(text, answer):
    assert retro.extract(text) == answer


@pytest.mark.parametrize(("answer", "target"), SAME)
def test_the_same_molecules_score_one_however_they_are_written(answer, target):
    assert retro.score(answer, target) == 1.0
    assert retro.score(target, answer) == 1.0


@pytest.mark.parametrize(("answer", "target"), DIFFERENT)
def test_other_molecules_score_zero(answer, target):
    assert retro.score(answer, target) == 0.0


@pytest.mark.parametrize(
    ("answer", "valid", "strict", "exact_no_stereo", "maxfrag"),
    [
        ("C[C@H](N)C(=O)OC.CC", 1, 1, 1, 1),
        ("CC.C[C@H](N)C(=O)OC", 1, 0, 1, 1),
        ("CC.C[C@@H](N)C(=O)OC", 1, 0, 1, 0),
        ("CCC.C[C@H](N)C(=O)OC", 1, 0, 0, 1),
        ("C[C@H](N)C(=O)OC.CC.CC", 1, 0, 0, 1),
        ("CCC", 1, 0, 0, 0),
        ("CC(", 0, 0, 0, 0),
        (None, 0, 0, 0, 0),
    ],
)
def test_the_metrics_tell_how_an_answer_misses(answer, valid, strict, exact_no_stereo, maxfrag):
    assert retro.metrics(answer, "C[C@H](N)C(=O)OC.CC") == {
        "valid": valid,
        "strict": strict,
        "exact_no_stereo": exact_no_stereo,
        "maxfrag": maxfrag,
    }


def test_invalid_molecules_are_judged_in_many_threads_without_a_word_on_stderr(capfd):
    answers = [f"C{'C' * n}(" for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda answer: retro.score(answer, "CCO"), answers)) == {0.0}
    assert capfd.readouterr().err == ""


def test_rdkit_s_own_log_is_on_again_after_a_score(capfd):
    from rdkit import Chem

    retro.score("CC(C", "CCO")
    assert Chem.MolFromSmiles("CC(CC") is None
    assert "Parse Error" in capfd.readouterr().err


def test_looking_a_benchmark_up_does_not_import_rdkit():
    code = (
        "import sys; from flex.benchmarks import get_benchmark; get_benchmark('retro'); print('rdkit' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_published_reaction_scores_its_own_target_rewritten(shared: Path):
    from rdkit import Chem

    tasks = retro.load(shared / "data" / "uspto50k" / "train.jsonl")
    assert len(tasks) == 50
    for task in tasks:
        parts = [Chem.MolFromSmiles(part) for part in reversed(task.target.split("."))]
        rewritten = ".".join(Chem.MolToSmiles(part, rootedAtAtom=part.GetNumAtoms() - 1) for part in parts)
        kekulised = ".".join(Chem.MolToSmiles(part, kekuleSmiles=True, canonical=False) for part in parts)
        for answer in (rewritten, kekulised):
            assert retro.score(retro.extract(f"So <answer>{answer}</answer>."), task.target) == 1.0
        assert retro.score(task.question, task.target) == 0.0


def test_a_target_that_is_no_molecule_is_refused_with_its_line(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text("\n".join(json.dumps({"question": "CCO", "answer": a}) for a in ("CC", "phenol and so on")))
    with pytest.raises(BenchmarkError, match="line 2: 'phenol and so on' is not the SMILES"):
        retro.load(path)


def test_an_unknown_benchmark_names_those_there_are():
    assert {"math", "retro"} <= set(benchmark_names())
    with pytest.raises(BenchmarkError, match=r"unknown benchmark 'chess'; choose from .*math.*retro"):
        get_benchmark("chess")
