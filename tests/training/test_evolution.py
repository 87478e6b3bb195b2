"""Evolution: asked ahead, carried out in order, asked again where a surprise concerns it."""

import asyncio
import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from flex.errors import EndpointError
from flex.explib import ExpLib
from flex.testing import RuleModel
from flex.training.evolution import AHEAD, MAX_SPECULATIVE, WASTE, Evolution, pending_updates
from flex.types import Experience, Exploration, Rule, UpdateDecision
from flex.updater import Updater
from tests.replies import fenced
from tests.team import MATH, PROMPTS
from tests.virtual_time import VirtualClock

TASK = MATH.task("What is it?", "1")


def experience(number: int, topic: str) -> Experience:
    return Experience(f"method {number} about {topic}", (Rule(f"rule {number} of {topic}"),), created_at="2030-01-01")


def explorations(*topics: str) -> list[Exploration]:
    made = [experience(number, topic) for number, topic in enumerate(topics)]
    return [Exploration(replace(TASK, id=str(number)), experiences=(one,)) for number, one in enumerate(made)]


class Delays:
    """Updater's replies that take their time; counts how many calls are under way at once."""

    def __init__(self, reply, seed: int = 0) -> None:
        self.model = RuleModel(reply)
        self.dice = random.Random(seed)
        self.calls = self.now = self.most = self.waited = 0
        complete = self.model.complete

        async def slow(messages, *, stop=None, schema=None):
            self.calls, self.now = self.calls + 1, self.now + 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(self.dice.random() / 50 + 0.01)
            self.now -= 1
            return await complete(messages)

        self.model.complete = slow


def evolve(
    work: list[Exploration],
    model,
    library: ExpLib | None = None,
    failing: type[Exception] | None = None,
    ahead: int | None = None,
):
    """The library that comes of it, and the outcomes in the order in which they were carried out."""
    library = library or ExpLib(clock=lambda: "2030-01-01")
    updater = Updater(model, PROMPTS)
    done = []

    async def arrivals():
        for exploration in work:
            await asyncio.sleep(0.001)
            yield pending_updates(exploration)
        if failing:
            raise failing("no more")

    async def run():
        evolution = Evolution(
            library,
            lambda update, lib: updater.question(update.experience, lib),
            lambda _, q: updater.answer(q),
            ahead,
        )
        async for update, outcome in evolution.outcomes(arrivals()):
            done.append((update.exploration.task.id, outcome))
            if isinstance(outcome, UpdateDecision):
                library.apply(update.experience, outcome)

    VirtualClock().run(run())
    return library, done


def merge_if_same_topic(messages) -> str:
    """Merges into the first entry shown that is about the same topic, else inserts."""
    prompt = messages[0]["content"]
    topic = prompt.rsplit(" about ", 1)[1].split()[0].strip("<")
    for name, text in re.findall(r'<similar_experience id="([^"]+)".*?>(.*?)</similar_experience>', prompt, re.DOTALL):
        if f"about {topic}" in text:
            return fenced({"action": "merge", "target": name, "novel_rules": [1], "trajectory": "existing"})
    return fenced({"action": "insert"})


def content(library: ExpLib) -> str:
    return json.dumps([(e.id, e.method, [r.rule for r in e.rules], e.provenance) for e in library])


def test_as_many_as_wished_are_asked_at_once():
    together = asyncio.Barrier(11)  # the first one meets an empty library and is not asked about
    model = RuleModel(lambda _: fenced({"action": "insert"}))
    complete = model.complete

    async def all_or_none(messages, *, stop=None, schema=None):
        await asyncio.wait_for(together.wait(), 300)
        return await complete(messages)

    model.complete = all_or_none
    library, done = evolve(explorations(*"abcdefghijkl"), model, ahead=10)
    assert [task for task, _ in done] == [str(n) for n in range(12)]
    assert len(library) == 12


@pytest.mark.parametrize("topics", ["aabbaabb", "abcabcabc", "aaaaaaaa", "abcdefgh"])
def test_timing_does_not_change_what_is_decided(topics: str):
    one_by_one = ExpLib(clock=lambda: "2030-01-01")
    updater = Updater(RuleModel(merge_if_same_topic), PROMPTS)
    for exploration in explorations(*topics):
        [new] = exploration.experiences
        one_by_one.apply(new, asyncio.run(updater.decide(new, one_by_one)))
    for seed, ahead in enumerate((None, 0, 2, MAX_SPECULATIVE)):
        library, _ = evolve(explorations(*topics), Delays(merge_if_same_topic, seed).model, ahead=ahead)
        assert content(library) == content(one_by_one)


def test_a_surprise_asks_those_again_whom_it_concerns():
    delays = Delays(merge_if_same_topic)
    library, _ = evolve(explorations(*"aab"), delays.model, ahead=1)
    assert len(library) == 2
    assert delays.calls == 3  # b was asked before it was known that a had merged


@pytest.mark.parametrize("topics", ["a" * 12, "ab" * 12, "abcd" * 8])
def test_few_calls_are_wasted_however_wrong_the_predictions(topics: str):
    delays = Delays(merge_if_same_topic)
    evolve(explorations(*topics), delays.model)
    assert delays.calls <= (1 + WASTE) * len(topics)


def test_where_predictions_hold_nothing_is_wasted():
    delays = Delays(lambda _: fenced({"action": "insert"}))
    evolve(explorations(*map(str, range(40))), delays.model)
    assert (delays.calls, delays.most) == (39, AHEAD + 1)


def test_a_reply_that_cannot_be_read_is_a_decision_to_quarantine():
    library, done = evolve(explorations(*"ab"), RuleModel(lambda _: "eh"))
    assert [outcome.action for _, outcome in done] == ["insert", "quarantine"]
    assert [held.experience.method for held in library.quarantined] == ["method 1 about b"]


def test_an_endpoint_that_gives_up_costs_one_experience():
    async def refuse(messages, *, stop=None, schema=None):
        raise EndpointError("gone")

    model = RuleModel(lambda _: "")
    model.complete = refuse
    library, done = evolve(explorations(*"ab"), model)
    assert len(library) == 1
    assert isinstance(done[1][1].error, EndpointError)


def test_an_error_that_nobody_foresaw_costs_one_experience():
    def bug(messages):
        raise KeyError("B")

    library, done = evolve(explorations(*"ab"), RuleModel(bug))
    assert len(library) == 1
    assert (done[1][1].unforeseen, str(done[1][1])) == (True, "KeyError: 'B'")


def test_an_exploration_without_experience_has_its_turn_too():
    empty = Exploration(replace(TASK, id="nothing"))
    _, done = evolve([*explorations(*"a"), empty], RuleModel(lambda _: fenced({"action": "insert"})))
    assert done[1] == ("nothing", None)


def test_what_had_arrived_is_decided_before_a_failure_is_raised():
    library = ExpLib()
    with pytest.raises(RuntimeError, match="no more"):
        evolve(explorations(*"abc"), Delays(lambda _: fenced({"action": "insert"})).model, library, RuntimeError)
    assert len(library) == 3


def test_more_than_it_looks_ahead_is_no_more_than_it_asks_at_once():
    delays = Delays(lambda _: fenced({"action": "insert"}))
    library, _ = evolve(explorations(*map(str, range(MAX_SPECULATIVE + 20))), delays.model, ahead=200)
    assert len(library) == MAX_SPECULATIVE + 20
    assert delays.most <= MAX_SPECULATIVE


def test_a_database_that_another_library_writes_is_asked_about_as_it_is(tmp_path: Path):
    ExpLib().save(tmp_path / "x.db")
    with ExpLib(tmp_path / "x.db") as library, ExpLib(tmp_path / "x.db") as other:
        asked: list[str] = []

        def reply(messages) -> str:
            asked.append(messages[0]["content"])
            if len(asked) == 1:
                other.add(experience(99, "b"))
            return merge_if_same_topic(messages)

        evolve(explorations(*"ab"), RuleModel(reply), library)
        assert [e.method for e in library] == ["method 0 about a", "method 99 about b"]
        assert len(asked) == 2
