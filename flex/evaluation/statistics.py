"""Intervals, paired differences and their words: no number is printed without its uncertainty.

Measured coverage of every interval here, and how often the words are wrong: `python bench/intervals.py`.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from flex.evaluation.resampling import (
    Z80,
    Z95,
    Floats,
    bootstrap,
    sign_flip,
    sign_flip_exact,
    student,
    with_pseudo_tasks,
)

MARGIN = 0.02
"""What "no worse" may lose, unless said otherwise: two points."""

UNANSWERED = 0.02
"""With a larger share of its pairs unanswered a comparison has no verdict."""

DISCORDANCE = 0.25
"""Share of tasks two settings are assumed to disagree on: both solve half of them, correlated by one half."""


def wilson(successes: float, n: float) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion (Wilson 1927, JASA 22:209); (0, 1) when n is 0."""
    if n == 0:
        return 0.0, 1.0
    p, z2 = successes / n, Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    margin = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, centre - margin), min(1.0, centre + margin)


def accuracy_interval(correct: Sequence[Sequence[bool]]) -> tuple[float, float]:
    """The 95 % interval of an accuracy; `correct` holds the repeats of each task.

    One repeat: Wilson. Several: Wilson with the effective sample size of the task-clustered standard error, since
    repeats of one task are not independent (Miller 2024, arXiv 2411.00640), corrected by Student's t as in
    Korn & Graubard 1998, Survey Methodology 24:193. A tenth of a task pulls the design effect towards "the repeats
    of a task all agree", which is what matters when only one or two tasks were ever solved.
    """
    tasks = len(correct)
    repeats = max((len(row) for row in correct), default=0)
    means = np.array([np.mean(row) if len(row) else 0.0 for row in correct])
    if repeats <= 1 or tasks < 2:
        return wilson(float(means.sum()), tasks)
    p, variance = float(means.mean()), float(means.var(ddof=1))
    agreement = (tasks * variance + 0.1) / (tasks * p * (1 - p) + 0.1)
    effective = tasks / min(max(agreement, 1 / repeats), 1.0) * (Z95 / student(tasks - 1)) ** 2
    return wilson(p * effective, effective)


def mean_interval(scores: Sequence[Sequence[float]], lowest: float = -1.0, highest: float = 1.0) -> tuple[float, float]:
    """The 95 % interval of a mean score over tasks by Student's t; `scores` holds the repeats of each task.

    Repeats are averaged first, so that tasks are what is counted; everything from `lowest` to `highest` for one task.
    """
    means = np.array([np.mean(row) for row in scores if len(row)])
    if len(means) < 2:
        return lowest, highest
    margin = student(len(means) - 1) * float(means.std(ddof=1)) / math.sqrt(len(means))
    return max(lowest, float(means.mean()) - margin), min(highest, float(means.mean()) + margin)


def pass_at_k(n: int, correct: int, k: int) -> float:
    """The chance that one of k attempts is right, unbiased from n attempts (Chen et al. 2021, arXiv 2107.03374).

    Raises ValueError when k is larger than n.
    """
    if k > n:
        raise ValueError(f"pass@{k} needs at least {k} attempts per task, not {n}")
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)


def majority(answers: Sequence[str | None], key: Callable[[str], Hashable] = str) -> list[str]:
    """The different answers of one task, the commonest first, ties by first appearance; None is no answer.

    Answers with the same `key` (a canonical form, say) count as one and are named by the first of them.
    """
    groups: dict[Hashable, list[str]] = {}
    for answer in answers:
        if answer is not None:
            groups.setdefault(key(answer), []).append(answer)
    return [group[0] for group in sorted(groups.values(), key=len, reverse=True)]


Role = Literal["primary", "afterwards", "secondary", "aside"]
"""What a comparison is in its table: the primary one, one that was made primary after the run, one of the others that
share an error rate, or one that is shown without a verdict (flex/evaluation/verdicts.py)."""


@dataclass(frozen=True)
class Difference:
    """How much better setting `a` did than `b` on the same tasks: mean(a) - mean(b), with its 95 % interval.

    The interval is this comparison's own; `p` too, but not `p_adjusted` and the verdict, which are the table's.
    """

    difference: float
    low: float
    high: float
    p: float
    verdict: str
    """ "better", "worse" or "no worse than 2 points" where that is shown; else which difference would be shown, or why
    nothing is said."""
    tasks: int = 0
    """Those that both have answered."""
    repeats: int = 1
    gains: int = 0
    """Tasks whose mean score is higher in a than in b."""
    losses: int = 0
    detectable: float = 0.0
    """The smallest true difference that such a comparison shows four times in five."""
    reach: str = ""
    """The same in words."""
    a: str = ""
    b: str = ""
    role: Role = "secondary"
    p_adjusted: float | None = None
    """At most 0.05 where a difference is shown, all comparisons of the table considered; None where none was tested."""
    margin: float = MARGIN
    no_worse: bool = False
    """Whether it is shown that a is no worse than b by more than `margin`; of the primary comparison only."""
    pairs: int = 0
    """Tasks and repeats that both were asked."""
    unanswered: int = 0
    """Those of them that one of the two has no answer to."""

    @property
    def name(self) -> str:
        """ "flex - agent (primary)"."""
        mark = {"primary": " (primary)", "afterwards": " (named afterwards)"}.get(self.role, "")
        return f"{self.a} - {self.b}{mark}"

    @property
    def incomplete(self) -> bool:
        """Whether too many pairs are unanswered for anything to be said."""
        return self.unanswered > UNANSWERED * self.pairs

    @property
    def measured(self) -> bool:
        """Whether there is a difference at all: not where no task was answered in both."""
        return self.unanswered == 0 or self.tasks > 0

    def to_json(self) -> dict[str, object]:
        """One of the `comparisons` of a run's summary.json."""
        names = ("a", "b", "role", "difference", "low", "high", "p", "p_adjusted", "verdict")
        more = ("tasks", "repeats", "no_worse", "margin", "pairs", "unanswered")
        return {name: getattr(self, name) for name in (*names, *more)}


def paired_difference(
    a: Sequence[Sequence[float]],
    b: Sequence[Sequence[float]],
    seed: int = 0,
    resamples: int = 10_000,
    margin: float = MARGIN,
) -> Difference:
    """The paired difference a - b with a 95 % interval, p and verdict; a[i], b[i] are the scores of task i's repeats.

    Scores may be 0 and 1 or any finite number. The interval is the bootstrap over tasks (a task keeps its repeats)
    with Hesterberg's expanded percentiles (2015, The American Statistician 69:371). When all but three tasks or fewer
    have one and the same difference, resampling cannot see what the others might have done: then two pseudo-tasks of
    +1 and -1 join (Bonett & Price 2012, J. Educ. Behav. Stat. 37:479), so that equal results are no point at zero.
    p is the exact sign-flip test over tasks, which for one repeat of 0 and 1 is McNemar's exact test (1947,
    Psychometrika 12:153).
    The verdict on a, as if this were the only comparison, is "better" or "worse" only when the interval excludes zero
    and p <= 0.05. `no_worse` is true when the interval lies above -margin, `_surely_above` agrees and a is not worse.
    Raises ValueError when the tasks differ in number, there are none, or one has no score or one that is not finite.
    """
    first, second = _task_means(a), _task_means(b)
    if len(first) != len(second) or not len(first):
        raise ValueError(f"a paired difference needs the same tasks twice, not {len(first)} and {len(second)}")
    d, binary, counts = first - second, _is_binary(a) and _is_binary(b), {len(row) for row in (*a, *b)}
    generator = np.random.default_rng(seed)
    low, high = bootstrap(d, generator, resamples)
    units = d * math.lcm(*counts)  # whole numbers when the scores are
    exact = binary and np.abs(units).sum() < 50_000
    p = sign_flip_exact(np.rint(units).astype(np.int64)) if exact else sign_flip(d, generator, resamples)
    mean, repeats = float(d.mean()), max(counts)
    if binary:
        detectable = minimum_detectable_effect(len(d), repeats=_effective_repeats(first, second, repeats))
    else:
        detectable = (Z95 + Z80) * float(with_pseudo_tasks(d).std(ddof=1)) / math.sqrt(len(d))
    word = shown(low, high, p)
    no_worse = low > -margin and word != "worse" and _surely_above(d, -margin)
    reach = _reach(len(d), repeats, detectable, binary)
    verdict = word or f"no difference shown ({reach})"
    return Difference(
        mean,
        min(low, mean),
        max(high, mean),
        p,
        verdict,
        tasks=len(d),
        repeats=repeats,
        gains=int((d > 1e-12).sum()),
        losses=int((d < -1e-12).sum()),
        detectable=detectable,
        reach=reach,
        margin=margin,
        no_worse=no_worse,
        pairs=len(d) * repeats,
    )


def shown(low: float, high: float, p: float) -> str:
    """The word that interval and test agree on, or nothing; five tasks never get one, their p is 1/16 at least."""
    if p > 0.05 or low <= 0 <= high:
        return ""
    return "better" if low > 0 else "worse"


def _surely_above(d: Floats, bound: float) -> bool:
    """Whether the mean of d is above a negative bound, by Student's t with no less variance than such a mean has.

    A mean of -0.02 comes of 2 % of tasks lost, say, which 200 tasks may show only once: the bootstrap sees too little.
    """
    if len(d) < 2:
        return False
    variance = max(float(d.var(ddof=1)), -bound - bound**2)
    return float(d.mean()) - bound > student(len(d) - 1) * math.sqrt(variance / len(d))


def _reach(n: int, repeats: int, detectable: float, binary: bool) -> str:
    """What such a comparison can show, in words."""
    size = f"n = {n} x {repeats}" if repeats > 1 else f"n = {n}"
    if n < 6:
        return f"{size} is too few to show any"
    points = f"{100 * detectable:.{0 if detectable > 0.0995 else 1}f} points"
    return f"{size} detects >= {points if binary else f'{detectable:.2g}'}"


def minimum_detectable_effect(n: int, discordance: float = DISCORDANCE, repeats: float = 1.0) -> float:
    """The true difference of two paired accuracies that n tasks show with 80 % power (two-sided, 5 %); 1 at most.

    `discordance` is the share of tasks on which single attempts disagree, never less than the difference itself;
    0.25 when both settings solve half of the tasks and their results correlate by 0.5. `repeats` counts independent
    attempts per task (fewer when correlated). It rests on that share: 30 tasks detect 25 points at 0.25 but 31 at 0.4,
    which two settings reach that solve 38 and 63 % of tasks of mixed difficulty.
    Connor's sample size (1987, Biometrics 43:207), solved by bisection.
    """
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        share = max(discordance, middle)
        needed = Z95 * math.sqrt(share) + Z80 * math.sqrt(share - middle**2)
        low, high = (low, middle) if middle * math.sqrt(n * repeats) >= needed else (middle, high)
    return high


def _task_means(rows: Sequence[Sequence[float]]) -> Floats:
    if not all(len(row) and all(math.isfinite(score) for score in row) for row in rows):
        raise ValueError("every task needs at least one score, and finite ones")
    return np.array([math.fsum(row) / len(row) for row in rows], dtype=np.float64)


def _is_binary(rows: Sequence[Sequence[float]]) -> bool:
    return all(score in (0, 1) for row in rows for score in row)


def _effective_repeats(first: Floats, second: Floats, repeats: int) -> float:
    """How many independent attempts a task's repeats are worth: 1 when they always agree, `repeats` at most."""
    discordant = float((first * (1 - second) + second * (1 - first)).sum())
    worth = (discordant + 0.1) / (float(((first - second) ** 2).sum()) + 0.1)
    return min(max(worth, 1.0), float(repeats))
