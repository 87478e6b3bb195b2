"""Flags: one vocabulary, derived from the fields of the configurations; older names go on working."""

from dataclasses import fields
from pathlib import Path

import pytest

from flex.cli.flags import OLDER, Parser
from flex.cli.test import benchmark_parser, flex_parser
from flex.errors import SettingsError
from flex.experiments.config import Ablation, Inheritance, ScalingLaw
from flex.runs.config import Budget, EndpointConfig, EvalRun, TrainRun
from flex.runs.fields import as_command, field_docs

KINDS = (TrainRun, EvalRun, ScalingLaw, Inheritance, Ablation, EndpointConfig, Budget)


def parsed(kind, *words):
    parser = Parser("flex x", "about")
    parser.add_config(kind)
    return parser.config(kind, parser.parse(list(words)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_says_what_it_is(kind):
    nested = {"endpoint", "budget"}
    assert {one.name for one in fields(kind)} - nested <= field_docs(kind).keys()


def test_a_flag_is_a_field():
    run = parsed(
        TrainRun, "--benchmark", "retro", "--model", "m", "--use_library", "--max_usd", "2.5", "--base_url", "http://x",
        "--no-with_gt", "--extra_body", '{"top_p": 1}', "--acceptance", "score",
    )  # fmt: skip
    assert run == TrainRun(
        benchmark="retro", model="m", use_library=True, with_gt=False, acceptance="score", out=run.out,
        endpoint=EndpointConfig(base_url="http://x", extra_body={"top_p": 1}), budget=Budget(max_usd=2.5),
    )  # fmt: skip


def test_nothing_given_is_the_configuration_as_python_makes_it():
    assert parsed(EvalRun, "--benchmark", "math", "--model", "m") == EvalRun(benchmark="math", model="m")


@pytest.mark.parametrize(
    ("older", "now"), [(older, now) for now, names in OLDER.items() for older in names if now != "train_samples"]
)
def test_an_older_name_is_the_same_flag_and_stands_in_the_help(older, now, capsys):
    kind = EvalRun if now in ("repeats", "settings") else TrainRun
    value = {"benchmark": "units", "model": "m"}.get(now, "3")
    words = {"--benchmark": "units", "--model": "m"}
    words.pop(f"--{now}", None)
    rest = [word for pair in words.items() for word in pair]
    run = parsed(kind, f"--{older.replace('_', '-')}", value, *rest)
    assert getattr(run, now) in (value, int(value) if value.isdigit() else "", Path(value), (value,))
    with pytest.raises(SystemExit):
        parsed(kind, "--help")
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("older names"))
    assert f"--{older}" in line


def test_the_experiments_keep_both_numbers_of_samples_apart():
    run = parsed(ScalingLaw, "--max_samples", "12", "--samples", "10")
    assert (run.train_samples, run.samples) == (12, 10)


@pytest.mark.parametrize("words", [["--task_typ", "math"], ["--benchmar", "math"], ["--mod", "m"]])
def test_half_a_name_is_no_name(words, capsys):
    with pytest.raises(SystemExit) as left:
        parsed(TrainRun, "--benchmark", "math", "--model", "m", *words)
    assert left.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epochs": 0}, "epochs has to be a whole number from 1, not 0"),
        ({"max_rounds": True}, "max_rounds has to be a whole number from 1, not True"),
        ({"acceptance": "me"}, "acceptance has to be one of score, verifier, both, not 'me'"),
    ],
)
def test_a_configuration_refuses_what_it_cannot_be_run_with(values, words):
    with pytest.raises(SettingsError, match=words):
        TrainRun(benchmark="math", model="m", **values)


def test_an_endpoint_refuses_a_body_that_replaces_what_flex_sets():
    with pytest.raises(SettingsError, match="'model' is set by flex itself"):
        EndpointConfig(extra_body={"model": "other"})


def test_paths_and_names_may_be_texts():
    run = EvalRun(benchmark="math", model="m", library="a.json", settings="agent, flex,agent")
    assert (run.library, run.settings) == (Path("a.json"), ("agent", "flex"))


def test_a_run_can_be_said_as_a_command():
    run = TrainRun(benchmark="retro", model="m", save_to=Path("x/lib.json"), out=Path("x"), use_library=True,
                   endpoint=EndpointConfig(temperature=0.5))  # fmt: skip
    said = as_command("flex train", run, below=Path("x"))
    wanted = "flex train --benchmark retro --model m --save_to lib.json --out . --use_library --temperature 0.5"
    assert sorted(said.split()) == sorted(wanted.split())


@pytest.mark.parametrize("parser", [benchmark_parser("math", "test_aime.py"), flex_parser()])
def test_the_test_scripts_ask_for_the_most_likely_answer(parser):
    words = ["--model", "m"] if parser.prog == "test_aime.py" else ["--model", "m", "--benchmark", "math"]
    assert parser.parse(words).temperature == 0.0
