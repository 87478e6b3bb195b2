"""How well the apprentice climbs on assays: python bench/apprentice_protein.py --data_path FOLDER [--rounds N].

Spearman's correlation on the mutants that are not labelled, mean over the assays, after so many rounds; for the last
line the formulas found on all other assays are read first. No endpoint. Real data is not part of this repository.
"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from flex.actor import Actor
from flex.apprentice import ApprenticeModel
from flex.benchmarks import get_benchmark
from flex.critic import Critic
from flex.explib import ExpLib
from flex.memory_retriever import MemoryRetriever, index_order
from flex.prompt import Prompts
from flex.reject_sampling import Limits, explore
from flex.types import Retrieval, Task, Trajectory, UpdateDecision
from flex.verifier import Verifier

BENCHMARK = get_benchmark("protein")
MODEL = ApprenticeModel()
PROMPTS = Prompts("protein")
SHOWN = (1, 5, 10, 20, 30, 40)


async def climbed(task: Task, rounds: int, prompts: Prompts, retrieval: Retrieval | None = None) -> Trajectory:
    """One rollout; what the actor is told comes from these prompts."""
    verifier = Verifier(MODEL, BENCHMARK, PROMPTS)
    (found,) = await explore(task, Actor(MODEL, BENCHMARK, prompts), verifier, Limits(1, rounds), retrieval)
    return found


def answered(trajectory: Trajectory) -> list[float]:
    """The test score of every round's formula."""
    return [BENCHMARK.score(seen.attempt.answer, str(trajectory.task.target)) for seen in trajectory.rounds]


def best_so_far(trajectory: Trajectory) -> list[float]:
    """The test score of the formula that ranked the labelled mutants best up to each round."""
    tested, reached, best = answered(trajectory), [], (-2.0, 0.0)
    for seen, score in zip(trajectory.rounds, tested, strict=True):
        best = max(best, (seen.verdict.score if seen.verdict.score is not None else -2.0, score))
        reached.append(best[1])
    return reached


async def from_others(tasks: Sequence[Task], climbs: Sequence[Trajectory], rounds: int) -> list[Trajectory]:
    """Each assay with a library of what was learned on the others."""
    entries = [await Critic(MODEL, PROMPTS).distill(climb) for climb in climbs]
    found = []
    for task in tasks:
        library = ExpLib()
        for other, entry in zip(tasks, entries, strict=True):
            if other is not task:
                library.apply(entry, UpdateDecision("insert"))
        retrieval = await MemoryRetriever(MODEL, PROMPTS, select=index_order).retrieve(task.question, library)
        found.append(await climbed(task, rounds, PROMPTS, retrieval))
    return found


def report(name: str, curves: Sequence[Sequence[float]]) -> None:
    means = [sum(column) / len(column) for column in zip(*curves, strict=True)]
    shown = [f"{means[n - 1]:7.3f}" for n in SHOWN if n <= len(means)]
    print(f"{name:44}{''.join(shown)}{sum(means) / len(means):9.3f}")


async def measure(path: Path, rounds: int, silent: Path) -> None:
    """Print all curves; `silent` is a feedback prompt without a score."""
    tasks = BENCHMARK.load(path)
    climbs = [await climbed(task, rounds, PROMPTS) for task in tasks]
    blind = [await climbed(task, rounds, Prompts("protein", {"feedback": silent})) for task in tasks]
    helped = await from_others(tasks, climbs, rounds)
    column = sum(BENCHMARK.metrics("1", str(task.target))["best_column"] for task in tasks) / len(tasks)
    ridge = sum(BENCHMARK.score(BENCHMARK.example(task), str(task.target)) for task in tasks) / len(tasks)
    print(f"{len(tasks)} assays; the best single column {column:.3f}, ridge regression {ridge:.3f}")
    print(f"{'after rounds':44}{''.join(f'{n:7}' for n in SHOWN if n <= rounds)}     mean")
    report("best so far, told the scores", [best_so_far(climb) for climb in climbs])
    report("a round's formula, told the scores", [answered(climb) for climb in climbs])
    report("a round's formula, told nothing", [answered(climb) for climb in blind])
    report("best so far, with what others taught", [best_so_far(climb) for climb in helped])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_path", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        silent = Path(folder) / "feedback.txt"
        silent.write_text("The work goes on: send another formula.")
        asyncio.run(measure(options.data_path, options.rounds, silent))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
