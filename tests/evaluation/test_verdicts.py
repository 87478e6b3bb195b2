"""One table of comparisons: which one counts, and what may be said of all of them together."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from flex.evaluation.resampling import sign_flip_exact
from flex.evaluation.statistics import Difference, paired_difference
from flex.evaluation.verdicts import default_primary, footnote, holm, judged, primary_in, role_of


def compared(p=0.01, low=0.1, high=0.3, *, role="secondary", b="agent", **more) -> Difference:
    """A comparison of 100 tasks, as it is when it is the only one."""
    known = {"tasks": 100, "pairs": 100, "reach": "n = 100 detects >= 14 points", "a": "flex", **more}
    return Difference((low + high) / 2, low, high, p, "", b=b, role=role, **known)


@pytest.mark.parametrize(
    ("settings", "primary"),
    [
        (("vanilla", "agent", "flex"), ("flex", "agent")),
        (("flex-shuffled", "vanilla", "flex", "flex-empty"), ("flex", "flex-empty")),
        (("flex", "flex-shuffled", "vanilla"), ("flex", "vanilla")),
        (("icl", "flex-chat", "vanilla"), ("flex-chat", "vanilla")),
        (("vanilla", "icl", "agent"), None),
        (("flex",), None),
    ],
)
def test_the_primary_comparison_follows_from_the_names_alone(settings, primary):
    assert default_primary(settings) == default_primary(settings[::-1]) == primary


def test_holm_equals_the_textbook():
    # Wright 1992, Biometrics 48:1005, as R's p.adjust gives it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_behind_a_primary_that_shows_something_the_others_share_five_per_cent():
    first, second, third = judged([compared(0.04, role="primary"), compared(0.02), compared(0.03)])
    assert (first.verdict, second.verdict, third.verdict) == ("better", "better", "better")
    assert second.p_adjusted == third.p_adjusted == pytest.approx(0.04 / 0.99)  # no smaller than that of the primary
    assert judged([compared(0.04, role="primary"), compared(0.03), compared(0.03)])[1].p_adjusted == 0.06


def test_behind_a_primary_that_shows_nothing_only_what_is_unmistakable_is_said():
    first, plain, sure = judged([compared(0.3, -0.1, role="primary"), compared(0.001), compared(1e-5)])
    assert first.verdict == "no difference shown (n = 100 detects >= 14 points)"
    assert plain.verdict == "no difference shown (adjusted; the primary comparison shows none)"
    assert sure.verdict == "better"
    assert sure.p_adjusted == pytest.approx(2e-5 / 0.01)


def test_a_primary_comparison_that_is_alone_has_all_of_the_five_per_cent():
    assert judged([compared(0.0499, role="primary")])[0].verdict == "better"
    assert judged([compared(0.0499)])[0].p_adjusted == 0.0499


@pytest.mark.parametrize("role", ["secondary", "afterwards"])
def test_a_comparison_named_afterwards_is_one_of_all(role):
    first, second = judged([compared(0.03, role=role), compared(0.6, -0.1)])
    assert first.p_adjusted == 0.06
    assert first.verdict == "no difference shown (adjusted for 2 comparisons)"
    assert second.verdict == "no difference shown (n = 100 detects >= 14 points)"


def test_the_interval_has_to_agree_with_the_adjusted_test():
    assert judged([compared(0.01, -0.01)])[0].verdict.startswith("no difference shown")
    assert judged([compared(0.01, -0.3, -0.1)])[0].verdict == "worse"


def test_what_is_beside_the_point_is_not_tested_and_costs_the_others_nothing():
    found = judged([compared(0.01, role="primary"), compared(1e-9, role="aside", a="vanilla", b="icl")])
    assert [(d.verdict, d.p_adjusted) for d in found] == [("better", 0.01), ("not tested", None)]


@pytest.mark.parametrize(("unanswered", "said"), [(0, True), (2, True), (3, False), (100, False)])
def test_more_than_two_per_cent_unanswered_pairs_have_no_verdict(unanswered, said):
    lacking = compared(1e-9, unanswered=unanswered, tasks=100 - unanswered, role="primary", no_worse=True)
    (found,) = judged([lacking])
    assert (found.verdict == "better") is found.no_worse is (found.p_adjusted is not None) is said
    if not said:
        words = f"no verdict: {unanswered} of 100 pairs unanswered; the same command answers them"
        assert found.verdict == words


def test_a_primary_without_answers_opens_no_gate_and_a_comparison_without_goes_on_counting():
    lacking = {"unanswered": 50, "tasks": 50}
    _, second = judged([compared(1e-9, role="primary", **lacking), compared(0.001)])
    assert second.verdict == "no difference shown (adjusted; the primary comparison shows none)"
    _, second, _ = judged([compared(0.01, role="primary"), compared(0.03), compared(1e-9, **lacking)])
    assert second.p_adjusted == 0.06


def test_no_worse_is_said_of_the_primary_comparison_only():
    equal = {"p": 0.8, "low": -0.01, "high": 0.015, "no_worse": True}
    first, second = judged([compared(**equal, role="primary", margin=0.02), compared(**equal)])
    assert (first.verdict, first.no_worse) == ("no worse than 2 points", True)
    assert (second.verdict[:19], second.no_worse) == ("no difference shown", False)
    (wide,) = judged([compared(**equal, role="primary", margin=0.025)])
    assert wide.verdict == "no worse than 2.5 points"


@pytest.mark.parametrize(
    ("pair", "primary", "afterwards", "role"),
    [
        (("flex", "agent"), ("flex", "agent"), False, "primary"),
        (("agent", "flex"), ("flex", "agent"), True, "afterwards"),
        (("flex", "vanilla"), ("flex", "agent"), False, "secondary"),
        (("agent", "vanilla"), ("flex", "agent"), False, "aside"),
        (("agent", "vanilla"), ("flex", "agent"), True, "secondary"),
        (("agent", "vanilla"), None, False, "secondary"),
    ],
)
def test_a_comparison_has_its_role_from_the_primary_one(pair, primary, afterwards, role):
    assert role_of(*pair, primary, afterwards=afterwards) == role


def test_a_note_says_what_the_numbers_are():
    table = [compared(role="primary"), compared(), compared(role="aside", a="vanilla")]
    own = "95 % intervals are each comparison's own; adjusted: p, 2 comparisons considered; "
    assert footnote(table) == own + "not tested: 1 without flex"
    assert footnote(table[:1]) == ""
    assert primary_in(table) is table[0]
    assert primary_in(table[1:]) is None


def quick(a, b, pair, primary) -> Difference:
    """The comparison without its bootstrap: the exact test decides alone, more often than the two together."""
    d = a.sum(axis=1) - b.sum(axis=1)
    mean, p = float(d.mean()), sign_flip_exact(d)
    low, high = (mean, 1.0) if mean > 0 else (-1.0, mean)
    return Difference(mean, low, high, p, "", tasks=len(d), pairs=len(d), role=role_of(*pair, primary))


@pytest.mark.parametrize("primary", [("flex", "agent"), None])
@pytest.mark.parametrize("repeats", [1, 4])
def test_six_identical_settings_get_a_false_word_in_one_table_of_twenty_at_most(repeats, primary):
    dice, tables = np.random.default_rng(0), 300
    names = ("flex", "agent", "vanilla", "icl", "flex-empty", "flex-shuffled")
    false = alone = 0
    for _ in range(tables):
        chances = dice.beta(0.6, 0.6, 30)[:, None]
        scores = {name: (dice.random((30, repeats)) < chances).astype(int) for name in names}
        found = [quick(scores[a], scores[b], (a, b), primary) for a, b in combinations(names, 2)]
        false += any(d.verdict in ("better", "worse") for d in judged(found))
        alone += any(d.p <= 0.05 for d in found)
    assert false / tables <= 0.05 + 2 * (0.05 * 0.95 / tables) ** 0.5  # bench/intervals.py --tables: 1,000 of each
    assert alone / tables > 0.1  # which is what is guarded against


def test_two_points_worse_is_rarely_called_no_worse():
    dice, tables = np.random.default_rng(0), 200
    for gains, tasks in ((0.0, 200), (0.01, 100), (0.1, 300)):
        said = 0
        for _ in range(tables):
            place = dice.random(tasks)
            d = (place < gains).astype(int) - ((place >= gains) & (place < 2 * gains + 0.02))
            a, b = (np.maximum(side, 0)[:, None].tolist() for side in (d, -d))
            said += paired_difference(a, b, resamples=300).no_worse
        assert said / tables <= 0.05 + 2 * (0.05 * 0.95 / tables) ** 0.5


def test_settings_that_agree_are_shown_to_be_no_worse_when_there_are_enough_tasks():
    same = [[1], [0]] * 300
    few, many = paired_difference(same[:50], same[:50]), paired_difference(same, same)
    assert (few.no_worse, many.no_worse) == (False, True)
    assert judged([replace(many, role="primary")])[0].verdict == "no worse than 2 points"
    assert not paired_difference(same, same, margin=0.001).no_worse
    assert paired_difference([[1]] * 30, [[0]] * 30).no_worse
    assert not paired_difference([[1]], [[0]]).no_worse
