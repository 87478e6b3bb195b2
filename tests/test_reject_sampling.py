import asyncio
import json
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from flex.errors import EndpointError, SettingsError
from flex.rate_limiter import RateLimitedLLMClient
from flex.reject_sampling import Limits, Team, explore, process_task
from flex.testing import RuleModel, ScriptedModel
from flex.types import Reply, Task
from tests.replies import accept, experience, refuse
from tests.team import CONFIG, MATH, make_tasks, make_team, right_if_even, run_training, simple_team

GOLDEN = Path(__file__).parent / "golden" / "runs"
ONE = make_tasks(1)[0]


LIMITS = Limits(3, 5)


def explored(actor, verifier, limits=LIMITS):
    team = make_team(actor, verifier, ScriptedModel(), ScriptedModel())
    return asyncio.run(explore(ONE, team.actor, team.verifier, limits))


def test_a_task_solved_at_once_takes_one_rollout_of_one_round():
    rollouts = explored(ScriptedModel("The answer is 0"), ScriptedModel())
    assert [len(r.rounds) for r in rollouts] == [1]
    assert rollouts[0].solved


def test_feedback_reaches_the_next_round():
    actor = ScriptedModel("The answer is 1", "The answer is 0")
    rollouts = explored(actor, ScriptedModel(refuse("Zero is even.")))
    assert [len(r.rounds) for r in rollouts] == [2]
    assert "Zero is even." in actor.asked[1][-1]["content"]


def test_a_task_that_is_never_solved_uses_every_rollout_and_round():
    actor = RuleModel(lambda _: "The answer is 1")
    rollouts = explored(actor, RuleModel(lambda _: refuse()), Limits(max_rollouts=2, max_rounds=3))
    assert [len(r.rounds) for r in rollouts] == [3, 3]
    assert not any(r.solved for r in rollouts)


def test_a_new_rollout_starts_afresh():
    actor = RuleModel(lambda _: "The answer is 1")
    explored(actor, RuleModel(lambda _: refuse()), Limits(max_rollouts=2, max_rounds=2))
    assert [len(asked) for asked in actor.asked] == [2, 4, 2, 4]


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.replies.json")), ids=lambda p: p.name.split(".")[0])
def test_the_same_replies_give_the_same_library_byte_for_byte(path, tmp_path):
    script = json.loads(path.read_text())
    models = {role: ScriptedModel(*script[role]) for role in ("actor", "verifier", "critic", "updater")}
    tasks = make_tasks(script["tasks"])
    run_training(tmp_path, make_team(**models), tasks, replace(CONFIG, batch_size=1, limits=Limits(2, 2)))
    assert all(model.exhausted for model in models.values())
    golden = path.with_name(path.name.replace("replies", "library"))
    written = (tmp_path / "library.json").read_bytes()
    if os.environ.get("FLEX_UPDATE_GOLDEN"):
        golden.write_bytes(written)
    assert written == golden.read_bytes()


def test_there_is_a_golden_run_for_every_path():
    assert {p.name.split(".")[0] for p in GOLDEN.glob("*.replies.json")} == {
        "solved_at_once", "solved_after_feedback", "never_solved", "inserted", "merged", "discarded", "reasked",
    }  # fmt: skip


def test_timing_does_not_change_the_library(tmp_path):
    def shuffled_delays(seed: int) -> Team:
        team, dice = simple_team(), random.Random(seed)
        for role in (team.actor, team.verifier, team.critic):
            complete = role.model.complete

            async def slow(messages, *, stop=None, schema=None, complete=complete):
                await asyncio.sleep(dice.random() / 200)
                return await complete(messages)

            role.model.complete = slow
        return team

    libraries = []
    for seed in range(3):
        run_training(tmp_path / str(seed), shuffled_delays(seed), make_tasks(12), replace(CONFIG, batch_size=5))
        libraries.append((tmp_path / str(seed) / "library.json").read_bytes())
    assert libraries[0] == libraries[1] == libraries[2]


def test_no_more_tasks_than_a_batch_are_under_way_at_once(tmp_path):
    team = simple_team()
    under_way, most = set(), []
    complete = team.actor.model.complete

    async def watched(messages, *, stop=None, schema=None):
        under_way.add(messages[1]["content"])
        most.append(len(under_way))
        await asyncio.sleep(0.001)
        reply = await complete(messages)
        under_way.discard(messages[1]["content"])
        return reply

    team.actor.model.complete = watched
    run_training(tmp_path, team, make_tasks(20), replace(CONFIG, batch_size=4))
    assert max(most) == 4


def test_a_refused_request_costs_one_task(tmp_path):
    def refuse_two(messages):
        if "task number 2 " in messages[1]["content"]:
            raise EndpointError("content filter")
        return right_if_even(messages)

    progress, library = run_training(tmp_path, simple_team(answer=refuse_two), make_tasks(4))
    assert (progress.explored, progress.failed, progress.errors) == (4, 1, ["content filter"])
    assert "method of task 2" not in {e.method for e in library}


def test_wrong_settings_stop_the_run(tmp_path):
    def refused(messages):
        raise SettingsError("the key was refused")

    with pytest.raises(SettingsError, match="the key was refused"):
        run_training(tmp_path, simple_team(answer=refused), make_tasks(4))


def test_a_critic_that_breaks_its_contract_costs_one_experience(tmp_path):
    team = make_team(
        RuleModel(lambda _: "The answer is 0"),
        ScriptedModel(),
        RuleModel(lambda _: "eh"),
        ScriptedModel(),
    )
    progress, library = run_training(tmp_path, team)
    assert (progress.solved, progress.not_distilled, len(library)) == (1, 1, 0)


@pytest.mark.parametrize("acceptance", ["verifier", "both"])
def test_a_right_attempt_that_was_refused_is_neither_a_warning_nor_vouched_for(acceptance, tmp_path):
    critic = ScriptedModel(experience("Of the second rollout."))
    actor = ScriptedModel("The answer is 0", "The answer is 3", "The answer is 4", "The answer is 5")
    team = make_team(actor, RuleModel(lambda _: refuse()), critic, ScriptedModel(), acceptance=acceptance)
    config = replace(CONFIG, limits=Limits(2, 2), contrast=True)
    progress, library = run_training(tmp_path, team, config=config)
    assert [(one.zone, one.provenance["rollout"]) for one in library] == [("warning", 1)]
    assert (progress.solved, progress.not_distilled) == (0, 1)


def test_a_broken_judge_cannot_make_a_warning_of_a_right_answer_where_the_score_decides(tmp_path):
    critic = ScriptedModel(experience())
    team = make_team(ScriptedModel("The answer is 0"), RuleModel(lambda _: refuse()), critic, ScriptedModel())
    progress, library = run_training(tmp_path, team)
    assert ([one.zone for one in library], team.verifier.model.asked) == (["golden"], [])
    assert (progress.attempts, progress.verdicts, progress.unread) == (1, 0, 0)


@pytest.mark.parametrize("ending", ["length", "filtered", "empty"])
def test_a_rollout_that_came_to_no_answer_teaches_nothing(ending):
    actor, verifier = ScriptedModel(*[Reply("", finish_reason=ending)] * 4), ScriptedModel(*[refuse("no")] * 4)
    made = asyncio.run(process_task("What is 1?", "1", None, actor, verifier, ScriptedModel(), 2, 2))
    assert (made.experiences, len(made.undistilled)) == ((), 2)


def test_direct_add_asks_no_updater(tmp_path):
    def never(messages):
        raise AssertionError("the updater was asked")

    progress, library = run_training(
        tmp_path, simple_team(update=never), make_tasks(4), replace(CONFIG, direct_add=True)
    )
    assert progress.inserted == len(library)


def test_epochs_go_over_the_tasks_again(tmp_path):
    progress, _ = run_training(tmp_path, simple_team(), make_tasks(3), replace(CONFIG, epochs=2))
    assert progress.explored == 6


def test_an_actor_that_uses_the_library_reads_what_the_batch_before_learned(tmp_path):
    team = simple_team()
    run_training(tmp_path, team, make_tasks(4), replace(CONFIG, batch_size=2, use_library=True))
    openings = [asked[1]["content"] for asked in team.actor.model.asked if len(asked) == 2]
    seen = {o.rsplit("task number ", 1)[1].split()[0]: "method of" in o for o in openings}
    assert seen == {"0": False, "1": False, "2": True, "3": True}


def test_provenance_says_which_task_rollout_model_and_run(tmp_path):
    _, library = run_training(tmp_path, simple_team())
    assert next(iter(library)).provenance == {"tasks": [ONE.id], "rollout": 0, "model": "rule", "run": "test"}


def test_process_task_returns_the_rollouts_with_their_experiences():
    client = RateLimitedLLMClient(base_url="http://127.0.0.1:9/v1")
    exploration = asyncio.run(
        process_task(
            query="task number 0 (even)", ground_truth="0", client=client, llm=ScriptedModel("1", "0"),
            verifier=ScriptedModel(refuse()), critic=ScriptedModel(experience("found")),
            max_rounds=2, max_rollouts=1, task_type="math",
        )
    )  # fmt: skip
    assert exploration.solved
    assert [len(t.rounds) for t in exploration.trajectories] == [2]
    assert [(e.method, e.zone) for e in exploration.experiences] == [("found", "golden")]


def test_process_task_without_ground_truth_shows_it_to_nobody():
    verifier, critic = ScriptedModel(accept()), ScriptedModel(experience())
    asyncio.run(
        process_task(
            query="how many?", ground_truth="31415", client=RateLimitedLLMClient(base_url="http://127.0.0.1:9/v1"),
            llm=ScriptedModel("The answer is 7"), verifier=verifier, critic=critic, with_gt=False,
        )
    )  # fmt: skip
    assert all("31415" not in m.asked[0][0]["content"] for m in (verifier, critic))


def test_process_task_takes_prompt_files(tmp_path):
    (tmp_path / "system.txt").write_text("Be brief.")
    (tmp_path / "verifier.txt").write_text("Judge {{ attempt }} for {{ question }}. <next_step>")
    actor, verifier = ScriptedModel("8", "7"), ScriptedModel(refuse())
    asyncio.run(
        process_task(
            query="how many?", ground_truth="7", client=RateLimitedLLMClient(base_url="http://127.0.0.1:9/v1"),
            llm=actor, verifier=verifier, critic=ScriptedModel(experience()),
            llm_system_prompt_path=tmp_path / "system.txt", verifier_prompt_path=tmp_path / "verifier.txt",
        )
    )  # fmt: skip
    assert actor.asked[0][0]["content"] == "Be brief."
    assert verifier.asked[0][0]["content"] == "Judge 8 for how many?. <next_step>"


def test_a_benchmark_gives_a_single_task():
    assert MATH.task("q", "1") == Task(MATH.task("q").id, "q", "1", 0)
