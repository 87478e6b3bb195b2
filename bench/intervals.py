"""Measure what the intervals and words of flex/evaluation/statistics.py promise,
on simulated experiments whose truth is known.

    python bench/intervals.py [--experiments 2000] [--resamples 2000]
                              [--accuracy] [--power] [--largest] [--tables] [--no_worse]

Tasks differ in difficulty (a beta distribution; `icc` is how strongly two attempts at one task agree), so that repeats
are correlated. Two settings meet the same difficulties (`shared`), difficulties of their own (`own`) or half of each
(`mixed`). Printed: how often the 95 % interval holds the true difference, and how often a word is printed.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from flex.evaluation.statistics import MARGIN, Difference, accuracy_interval, paired_difference
from flex.evaluation.verdicts import default_primary, judged, role_of

SCENARIOS = (
    # how difficulties meet, accuracy of b, true difference, icc
    ("shared", 0.5, 0.0, 0.3),
    ("shared", 0.5, 0.0, 0.7),
    ("own", 0.5, 0.0, 0.5),
    ("mixed", 0.3, 0.0, 0.3),
    ("shared", 0.1, 0.0, 0.3),
    ("shared", 0.9, 0.0, 0.3),
    ("own", 0.02, 0.0, 0.3),
    ("shared", 0.3, 0.05, 0.3),
    ("mixed", 0.3, 0.3, 0.3),
    ("shared", 0.8, 0.1, 0.5),
    ("own", 0.9, 0.05, 0.3),
    ("own", 0.0, 0.05, 0.1),
    ("own", 0.0, 0.05, 0.3),
)
SIZES = ((30, 1), (30, 4), (100, 1), (100, 4))


def difficulties(dice: np.random.Generator, accuracy: float, icc: float, tasks: int) -> Any:
    """The chance that an attempt at each task is right; their mean is `accuracy`."""
    if accuracy in (0.0, 1.0):
        return np.full(tasks, accuracy)
    strength = 1 / icc - 1
    return dice.beta(accuracy * strength, (1 - accuracy) * strength, tasks)


def experiments(
    kind: str, accuracy: float, difference: float, icc: float, *, tasks: int, repeats: int, count: int
) -> Iterator[tuple[list[list[int]], list[list[int]]]]:
    """Scores of two settings, whose true accuracies differ by `difference`."""
    dice = np.random.default_rng(tasks * repeats)
    for _ in range(count):
        below = difficulties(dice, accuracy, icc, tasks)
        if kind == "own":
            above = difficulties(dice, accuracy + difference, icc, tasks)
        else:
            again = difficulties(dice, accuracy, icc, tasks)
            base = np.where(dice.random(tasks) < 0.5, below, again) if kind == "mixed" else below
            above = base + difference / (1 - accuracy) * (1 - base)
        a, b = (dice.random((tasks, repeats)) < chance[:, None] for chance in (above, below))
        yield a.astype(int).tolist(), b.astype(int).tolist()


def measure(scenario: tuple[str, float, float, float], *, tasks: int, repeats: int, count: int, resamples: int) -> Any:
    """The shares of experiments whose interval holds the truth, excludes zero, and that print "better", "worse"."""
    truth, rows = scenario[2], []
    for a, b in experiments(*scenario, tasks=tasks, repeats=repeats, count=count):
        found = paired_difference(a, b, resamples=resamples)
        holds = found.low - 1e-9 <= truth <= found.high + 1e-9
        excludes = found.low > 0 or found.high < 0
        rows.append((holds, excludes, found.verdict == "better", found.verdict == "worse"))
    return np.mean(rows, axis=0)


def accuracy_coverage(accuracy: float, icc: float, *, tasks: int, repeats: int, count: int) -> float:
    """How often the interval of one accuracy holds the truth."""
    dice, hits = np.random.default_rng(tasks * repeats), 0
    for _ in range(count):
        chances = difficulties(dice, accuracy, icc, tasks)
        low, high = accuracy_interval((dice.random((tasks, repeats)) < chances[:, None]).tolist())
        hits += low <= accuracy <= high
    return hits / count


def print_paired(scenarios: tuple[tuple[str, float, float, float], ...], count: int, resamples: int) -> None:
    print("kind     acc  diff  icc    n  k  covered  excludes 0  better  worse  (%)")
    for scenario in scenarios:
        for tasks, repeats in SIZES:
            shares = 100 * measure(scenario, tasks=tasks, repeats=repeats, count=count, resamples=resamples)
            kind, accuracy, difference, icc = scenario
            held, excluded, better, worse = shares
            print(
                f"{kind:7}{accuracy:5}{difference:6}{icc:5}{tasks:5}{repeats:3}"
                f"{held:9.1f}{excluded:12.1f}{better:8.1f}{worse:7.1f}",
                flush=True,
            )


def print_accuracy(count: int) -> None:
    print("   n  k  acc:", *(f"{accuracy:6}" for accuracy in (0.1, 0.3, 0.5, 0.7, 0.9)), "  covered (%)")
    for tasks, repeats in (*SIZES, (30, 2), (100, 2)):
        for icc in (0.1, 0.3, 0.7) if repeats > 1 else (0.3,):
            shares = [
                100 * accuracy_coverage(accuracy, icc, tasks=tasks, repeats=repeats, count=count)
                for accuracy in (0.1, 0.3, 0.5, 0.7, 0.9)
            ]
            print(f"{tasks:4}{repeats:3}  {icc:4}", *(f"{share:6.1f}" for share in shares), flush=True)


SETTINGS = ("flex", "agent", "vanilla", "icl", "flex-empty", "flex-shuffled")
BETTER, WORSE = "better", "worse"


def table_of(scores: dict[str, list[list[int]]], resamples: int, *, primary: bool) -> list[Difference]:
    """All comparisons of a table that are tested, each with the verdict that it would have if it were the only one."""
    named = default_primary(scores) if primary else None
    roles = {(a, b): role_of(a, b, named) for a, b in combinations(scores, 2)}
    return [
        replace(paired_difference(scores[a], scores[b], resamples=resamples), a=a, b=b, role=role)
        for (a, b), role in roles.items()
        if role != "aside"
    ]


def said(table: list[Difference]) -> dict[tuple[str, str], str]:
    """The comparisons with a verdict."""
    return {(d.a, d.b): d.verdict for d in table if d.verdict in (BETTER, WORSE)}


def tables(
    names: tuple[str, ...], effect: float, *, tasks: int, repeats: int, count: int, resamples: int, primary: bool = True
) -> Any:
    """Of simulated tables, in per cent, those with a false verdict, and with one if each comparison were judged by
    itself; then those in which flex is better than agent, and the same if it were the only comparison.

    Tasks are solved with chances from a beta distribution (.6, .6), by all settings alike; `agent` has lower ones, so
    that its accuracy is lower by `effect`.
    """
    dice, rows = np.random.default_rng(tasks * repeats + len(names)), []
    for _ in range(count):
        chances = dice.beta(0.6, 0.6, tasks)
        lower = {"agent": chances * (1 - 2 * effect)}
        scores = {
            name: (dice.random((tasks, repeats)) < lower.get(name, chances)[:, None]).astype(int).tolist()
            for name in names
        }
        table = table_of(scores, resamples, primary=primary)
        words = [said(judged(table)), said(table)]
        false = [any("agent" not in pair or not effect for pair in found) for found in words]
        rows.append((*false, *(found.get(("flex", "agent")) == BETTER for found in words)))
    return 100 * np.mean(rows, axis=0)


def print_tables(count: int, resamples: int) -> None:
    print("                                   any false verdict   flex - agent better")
    print("settings   n  k  effect  primary       table  each   table  alone    (% of tables)")
    for effect, primary in ((0.0, True), (0.0, False), (0.15, True)):
        for names in (SETTINGS[:3], SETTINGS):
            for tasks, repeats in SIZES:
                sizes = {"tasks": tasks, "repeats": repeats, "count": count, "resamples": resamples}
                false, each, better, alone = tables(names, effect, primary=primary, **sizes)
                named = "flex - agent" if primary else "none"
                shares = f"{false:7.1f}{each:6.1f}{better:8.1f}{alone:7.1f}"
                print(f"{len(names):8}{tasks:4}{repeats:3}{effect:8}  {named:12}{shares}", flush=True)


def print_no_worse(count: int, resamples: int) -> None:
    """How often "no worse than 2 points" or "better" is said of a setting that is worse by 2 points, how often it would
    be said by the interval alone, and how often it is said of an equal one. One attempt a task; `gains` is the share of
    tasks that it alone solves.
    """
    print("               truth -2 points   truth 0")
    print("gains    n   said  by interval      said  (% of comparisons)")
    for gains in (0.0, 0.01, 0.03, 0.1):
        for tasks in (30, 100, 200, 300, 600):
            dice, rows = np.random.default_rng(tasks), []
            for _ in range(count):
                worse, equal = (
                    rare(dice, tasks, gains, losses, resamples=resamples) for losses in (gains + MARGIN, gains)
                )
                rows.append((worse.no_worse, worse.low > -MARGIN, equal.no_worse))
            said_of_worse, by_interval, said_of_equal = 100 * np.mean(rows, axis=0)
            print(f"{gains:5}{tasks:5}{said_of_worse:7.1f}{by_interval:13.1f}{said_of_equal:10.1f}", flush=True)


def rare(dice: np.random.Generator, tasks: int, gains: float, losses: float, *, resamples: int) -> Difference:
    """The comparison of two settings of which one alone solves so large a share of the tasks."""
    place = dice.random(tasks)
    d = (place < gains).astype(int) - ((place >= gains) & (place < gains + losses))
    a, b = (np.maximum(side, 0)[:, None].tolist() for side in (d, -d))
    return paired_difference(a, b, resamples=resamples)


def print_largest() -> None:
    """Time the comparison of two settings over the largest split."""
    for name, draw in (
        ("0/1", lambda dice: dice.integers(0, 2, (1319, 4))),
        ("real", lambda dice: dice.random((1319, 4))),
    ):
        dice = np.random.default_rng(0)
        a, b = draw(dice).tolist(), draw(dice).tolist()
        start = time.process_time()
        paired_difference(a, b)
        print(f"1,319 tasks x 4, {name} scores, 10,000 resamples: {time.process_time() - start:.2f} s CPU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--accuracy", action="store_true", help="only the intervals of one accuracy")
    parser.add_argument("--power", action="store_true", help="only a true difference of 25 points")
    parser.add_argument("--tables", action="store_true", help="only the verdicts of whole tables")
    parser.add_argument("--no_worse", action="store_true", help='only "no worse", where it is worse by the margin')
    parser.add_argument("--largest", action="store_true", help="only the time for 1,319 tasks")
    given = parser.parse_args()
    if given.accuracy:
        print_accuracy(given.experiments)
    elif given.power:
        print_paired((("shared", 0.375, 0.25, 0.5),), given.experiments, given.resamples)
    elif given.tables:
        print_tables(given.experiments, given.resamples)
    elif given.no_worse:
        print_no_worse(given.experiments, given.resamples)
    elif given.largest:
        print_largest()
    else:
        print_paired(SCENARIOS, given.experiments, given.resamples)


if __name__ == "__main__":
    main()
