"""What `flex train` says at its end."""

from pathlib import Path

from flex.cli.train import closing_lines
from flex.explib import ExpLib
from flex.runs.train_run import TrainResult
from flex.training.session import Progress


def said(**counts) -> list[str]:
    progress = Progress(explored=4, solved=1, inserted=2, attempts=9, **counts)
    return closing_lines(TrainResult(ExpLib(), progress, {}, {}, Path("lib.json"), Path("run")))


def test_the_end_of_a_training_says_what_was_judged_by_whom():
    assert "verifier: asked about 0 of 9 attempts, disagreed with the score in 0" in said()
    assert "verifier: asked about 8 of 9 attempts, disagreed with the score in 2" in said(verdicts=8, disagreements=2)


def test_what_could_not_be_read_or_only_copied_its_prompt_is_counted_with_a_reason():
    lines = said(verdicts=8, unread=3, copied=2, not_distilled=2, why_not_distilled="no json\nblock " + "x" * 500)
    assert any(line.endswith("disagreed with the score in 0, 3 replies were no verdict") for line in lines)
    assert "2 replies copied their prompt and were dropped" in lines
    [line] = [line for line in lines if "2 rollouts without one (the first: no json block" in line]
    assert len(line) < 250
