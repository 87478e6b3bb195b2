import asyncio
import json
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from flex.errors import EndpointError, RunError, SettingsError
from flex.explib import ExpLib
from flex.files.runlog import RunLog
from flex.rate_limiter import RateLimitedLLMClient
from flex.reject_sampling import Limits, Team, TrainConfig, explore, process_task, train
from flex.testing import RuleModel, ScriptedModel
from flex.types import Task
from tests.replies import accept, experience, refuse
from tests.team import MATH, make_tasks, make_team, simple_team

GOLDEN = Path(__file__).parent / "golden" / "runs"
CONFIG = TrainConfig(clock=lambda: "2026-01-01T00:00:00", run_name="test")
ONE = make_tasks(1)[0]


def run_training(folder: Path, team: Team, tasks=None, config: TrainConfig = CONFIG, library: ExpLib | None = None):
    library = library or ExpLib(clock=CONFIG.clock)
    with RunLog(folder / "run") as run:
        run.start({"test": True})
        progress = asyncio.run(train(tasks or [ONE], team, library, config, run, folder / "library.json"))
    return progress, library


LIMITS = Limits(3, 5)


def explored(actor, verifier, limits=LIMITS):
    team = make_team(actor, verifier, ScriptedModel(), ScriptedModel())
    return asyncio.run(explore(ONE, team.actor, team.verifier, limits))


def test_a_task_solved_at_once_takes_one_rollout_of_one_round():
    rollouts = explored(ScriptedModel("The answer is 0"), ScriptedModel(accept()))
    assert [len(r.rounds) for r in rollouts] == [1]
    assert rollouts[0].solved


def test_feedback_reaches_the_next_round():
    actor = ScriptedModel("The answer is 1", "The answer is 0")
    rollouts = explored(actor, ScriptedModel(refuse("Zero is even."), accept()))
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

            async def slow(messages, *, stop=None, complete=complete):
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

    async def watched(messages, *, stop=None):
        under_way.add(messages[1]["content"])
        most.append(len(under_way))
        await asyncio.sleep(0.001)
        reply = await complete(messages)
        under_way.discard(messages[1]["content"])
        return reply

    team.actor.model.complete = watched
    run_training(tmp_path, team, make_tasks(20), replace(CONFIG, batch_size=4))
    assert max(most) == 4


def test_the_library_is_saved_after_every_batch(tmp_path):
    def fail_late(messages):
        if "task number 6" in messages[-1]["content"]:
            raise RuntimeError("a bug")
        return f"The answer is {messages[-1]['content'].split()[2]}"

    with pytest.raises(RuntimeError, match="a bug"):
        run_training(tmp_path, simple_team(answer=fail_late), make_tasks(8), replace(CONFIG, batch_size=2))
    assert len(ExpLib(tmp_path / "library.json")) >= 4


def test_a_library_that_cannot_be_saved_ends_the_run_with_its_own_error(tmp_path):
    class FullDisk(ExpLib):
        def save(self, *_):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_training(tmp_path, simple_team(), make_tasks(8), replace(CONFIG, batch_size=2), FullDisk())


def test_a_refused_request_costs_one_task(tmp_path):
    def refuse_two(messages):
        if "task number 2 " in messages[1]["content"]:
            raise EndpointError("content filter")
        return f"The answer is {messages[1]['content'].split()[2]}"

    progress, library = run_training(tmp_path, simple_team(answer=refuse_two), make_tasks(4))
    assert (progress.explored, progress.failed, progress.errors) == (4, 1, ["content filter"])
    assert "method of task 2" not in {e.method for e in library}


def test_wrong_settings_stop_the_run(tmp_path):
    def refused(messages):
        raise SettingsError("the key was refused")

    with pytest.raises(SettingsError, match="the key was refused"):
        run_training(tmp_path, simple_team(answer=refused), make_tasks(4))


def test_an_updater_that_breaks_its_contract_leaves_the_experience_out(tmp_path):
    progress, library = run_training(tmp_path, simple_team(update=lambda _: "eh"), make_tasks(2))
    # The first experience meets an empty library and needs no decision.
    assert progress.inserted == len(library) == 1
    assert progress.quarantined == len(library.quarantined) == 3
    assert "json block" in library.quarantined[0].reason
    assert [change.action for change in library.history()] == ["insert", *["quarantine"] * 3]


def test_a_critic_that_breaks_its_contract_costs_one_experience(tmp_path):
    team = make_team(
        RuleModel(lambda _: "The answer is 0"),
        RuleModel(lambda _: accept()),
        RuleModel(lambda _: "eh"),
        ScriptedModel(),
    )
    progress, library = run_training(tmp_path, team)
    assert (progress.solved, progress.not_distilled, len(library)) == (1, 1, 0)


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


def test_a_run_started_again_pays_for_nothing_twice(tmp_path):
    first = simple_team()
    run_training(tmp_path, first, make_tasks(4))
    written = (tmp_path / "library.json").read_bytes()

    def never(messages):
        raise AssertionError("a model was asked again")

    models = [RuleModel(never) for _ in range(4)]
    progress, library = run_training(tmp_path, make_team(*models), make_tasks(4))
    assert progress.explored == 4
    assert library.save(tmp_path / "again.json").read_bytes() == written
    assert (tmp_path / "library.json").read_bytes() == written


def test_a_run_that_was_cut_off_goes_on_where_it_stopped(tmp_path):
    whole = tmp_path / "whole"
    run_training(whole, simple_team(), make_tasks(6))
    events = (whole / "run" / "events.jsonl").read_bytes().splitlines(keepends=True)
    for cut in range(0, len(events), 3):
        folder = tmp_path / f"cut{cut}"
        (folder / "run").mkdir(parents=True)
        (folder / "run" / "config.json").write_bytes((whole / "run" / "config.json").read_bytes())
        (folder / "run" / "events.jsonl").write_bytes(b"".join(events[:cut]) + events[cut][: len(events[cut]) // 2])
        run_training(folder, simple_team(), make_tasks(6))
        assert (folder / "library.json").read_bytes() == (whole / "library.json").read_bytes()


def test_cancelling_keeps_what_was_learned(tmp_path):
    team = simple_team()

    async def cancelled_after_a_while():
        with RunLog(tmp_path / "run") as run:
            run.start({})
            config = replace(CONFIG, batch_size=2)
            work = asyncio.create_task(
                train(make_tasks(50), team, ExpLib(), config, run, tmp_path / "library.json", seen.append)
            )
            while len(seen) < 5:
                await asyncio.sleep(0)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work

    seen: list = []
    asyncio.run(cancelled_after_a_while())
    assert 0 < len(ExpLib(tmp_path / "library.json")) < 100


def test_disagreements_between_verifier_and_score_are_counted(tmp_path):
    team = make_team(
        ScriptedModel("The answer is 1", "The answer is 0"), ScriptedModel(accept(), accept()),
        ScriptedModel(experience()), ScriptedModel(),
    )  # fmt: skip
    progress, _ = run_training(tmp_path, team)
    assert (progress.disagreements, progress.verdicts) == (1, 2)


def test_provenance_says_which_task_rollout_model_and_run(tmp_path):
    _, library = run_training(tmp_path, simple_team())
    assert next(iter(library)).provenance == {"tasks": [ONE.id], "rollout": 0, "model": "rule", "run": "test"}


def test_process_task_returns_the_rollouts_with_their_experiences():
    client = RateLimitedLLMClient(base_url="http://127.0.0.1:9/v1")
    exploration = asyncio.run(
        process_task(
            query="task number 0 (even)", ground_truth="0", client=client, llm=ScriptedModel("1", "0"),
            verifier=ScriptedModel(refuse(), accept()), critic=ScriptedModel(experience("found")),
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
    actor, verifier = ScriptedModel("7"), ScriptedModel(accept())
    asyncio.run(
        process_task(
            query="how many?", ground_truth="7", client=RateLimitedLLMClient(base_url="http://127.0.0.1:9/v1"),
            llm=actor, verifier=verifier, critic=ScriptedModel(experience()),
            llm_system_prompt_path=tmp_path / "system.txt", verifier_prompt_path=tmp_path / "verifier.txt",
        )
    )  # fmt: skip
    assert actor.asked[0][0]["content"] == "Be brief."
    assert verifier.asked[0][0]["content"] == "Judge 7 for how many?. <next_step>"


def test_a_benchmark_gives_a_single_task():
    assert MATH.task("q", "1") == Task(MATH.task("q").id, "q", "1", 0)


def test_a_run_killed_before_it_saved_is_saved_when_it_is_started_again(tmp_path):
    run_training(tmp_path, simple_team(), make_tasks(4))
    written = (tmp_path / "library.json").read_bytes()
    ExpLib(clock=CONFIG.clock).save(tmp_path / "library.json")
    run_training(tmp_path, simple_team(), make_tasks(4))
    assert (tmp_path / "library.json").read_bytes() == written


def test_nothing_is_written_when_nothing_was_learned(tmp_path):
    def refused(messages):
        raise SettingsError("no such model")

    with pytest.raises(SettingsError, match="no such model"):
        run_training(tmp_path, simple_team(answer=refused), make_tasks(4))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_two_trainers_do_not_share_a_run(tmp_path):
    with RunLog(tmp_path / "run") as first:
        first.start({"test": True})
        with pytest.raises(RunError, match="is being written by another process"):
            RunLog(tmp_path / "run").start({"test": True})


def test_a_database_learns_nothing_twice_and_a_resumed_run_asks_nothing_twice(tmp_path):
    config = replace(CONFIG, run_id="one", batch_size=3)

    def session(times: int):
        ExpLib().save(tmp_path / "x.db") if not (tmp_path / "x.db").exists() else None
        team = simple_team()
        with ExpLib(tmp_path / "x.db", clock=CONFIG.clock) as library, RunLog(tmp_path / "run") as run:
            run.start({"test": True})
            asyncio.run(train(make_tasks(6)[:times], team, library, config, run, tmp_path / "x.db"))
            return [change.entry for change in library.history()], len(team.updater.model.asked)

    first, second = session(4), session(6)
    assert first[1] > 0
    assert second[0][: len(first[0])] == first[0]
    assert len(second[0]) > len(first[0])
    assert session(6) == (second[0], 0)


def test_a_logged_decision_on_an_entry_that_is_gone_is_asked_about_again(tmp_path):
    config = replace(CONFIG, run_id="one")
    ExpLib().save(tmp_path / "x.db")
    with ExpLib(tmp_path / "x.db", clock=CONFIG.clock) as library, RunLog(tmp_path / "run") as run:
        run.start({"test": True})
        work = make_tasks(1)
        asyncio.run(train(work, simple_team(), library, config, run, tmp_path / "x.db"))
        run.write("decided", epoch=1, task=work[0].id, number=0, decision={"action": "merge", "target": "gone"})
        asyncio.run(train(work, simple_team(), library, replace(config, epochs=2), run, tmp_path / "x.db"))
        assert [change.action for change in library.history()] == ["insert", "discard"]
