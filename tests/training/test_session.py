"""A training session: what its log answers, what it saves and what it counts."""

import asyncio
import errno
from dataclasses import replace
from itertools import cycle, repeat

import pytest

from flex.concurrency import Stop
from flex.errors import EndpointError, EndpointUnusable, LibraryError, MachineUnusable, RunError, SettingsError
from flex.explib import ExpLib
from flex.files.runlog import RunLog
from flex.reject_sampling import Limits, train
from flex.testing import RuleModel, ScriptedModel
from tests.replies import accept, decision, experience, refuse
from tests.team import CONFIG, make_tasks, make_team, number, right_if_even, run_training, simple_team


def test_the_library_is_saved_after_every_batch(tmp_path):
    def fail_late(messages):
        if "task number 6" in messages[-1]["content"]:
            raise SettingsError("no such prompt")
        return right_if_even(messages)

    with pytest.raises(SettingsError, match="no such prompt"):
        run_training(tmp_path, simple_team(answer=fail_late), make_tasks(8), replace(CONFIG, batch_size=2))
    assert len(ExpLib(tmp_path / "library.json")) >= 4


def test_within_a_batch_a_library_is_saved_as_soon_as_a_twentieth_of_it_changed(tmp_path):
    sizes = []

    class Watched(ExpLib):
        def save(self, path):
            sizes.append(len(self))
            return super().save(path)

    run_training(tmp_path, simple_team(), make_tasks(24), replace(CONFIG, batch_size=100), Watched(clock=CONFIG.clock))
    assert sizes == [*range(1, 21), 22, 24, 24]  # the last one at the end


def test_a_library_that_cannot_be_saved_ends_the_run_with_its_own_error(tmp_path):
    class FullDisk(ExpLib):
        def save(self, *_):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_training(tmp_path, simple_team(), make_tasks(8), replace(CONFIG, batch_size=2), FullDisk())


def test_a_full_disk_ends_the_run_and_is_no_conflict(tmp_path):
    class FullDisk(ExpLib):
        full = True

        def apply(self, experience, decision, author):
            if self.full and len(self) == 2:
                raise LibraryError("x.db: disk is full") from OSError(errno.ENOSPC, "No space left on device")
            return super().apply(experience, decision, author)

    library, config = FullDisk(clock=CONFIG.clock), replace(CONFIG, run_id="one")
    with pytest.raises(MachineUnusable, match="disk is full"):
        run_training(tmp_path, simple_team(), make_tasks(4), config, library)
    assert (len(library), len(library.quarantined), len(ExpLib(tmp_path / "library.json"))) == (2, 0, 2)
    library.full = False
    progress, _ = run_training(tmp_path, simple_team(), make_tasks(4), config, library)
    assert (len(library), progress.quarantined, progress.undecided) == (4, 0, 0)


def test_a_library_that_no_disk_has_room_for_is_kept_in_the_log(tmp_path):
    class FullDisk(ExpLib):
        def save(self, *_):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(MachineUnusable, match="No space left"):
        run_training(tmp_path, simple_team(), make_tasks(4), CONFIG, FullDisk(clock=CONFIG.clock))
    team = simple_team()
    _, library = run_training(tmp_path, team, make_tasks(4))
    assert (len(library), team.actor.model.asked) == (4, [])


def test_an_error_that_nobody_foresaw_costs_its_task_and_is_told_with_its_traceback(tmp_path):
    def bug(messages):
        if number(messages) == "1":
            raise KeyError("B")
        return right_if_even(messages)

    progress, library = run_training(tmp_path, simple_team(answer=bug), make_tasks(4))
    assert (progress.explored, progress.failed, progress.unforeseen, len(library)) == (4, 1, 1, 3)
    assert progress.reasons == {"KeyError: 'B'": 1}
    logged = [e["exploration"] for e in RunLog(tmp_path / "run").events("explored")]
    assert "in bug" in next(e["traceback"] for e in logged if e["error"])
    progress, library = run_training(tmp_path, simple_team(), make_tasks(4))
    assert (progress.failed, len(library)) == (0, 4)


def dries_up(model, after: int):
    """Lets a scripted model answer so often, then its account is dry."""
    answer, left = model._answer, [after]

    def dry(messages):
        left[0] -= 1
        if left[0] < 0:
            raise EndpointUnusable("the account cannot pay")
        return answer(messages)

    model._answer = dry


@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize("role", ["actor", "verifier", "critic", "updater"])
def test_whoevers_account_dries_up_everything_is_kept_and_the_run_goes_on_to_the_same_end(tmp_path, role, after):
    config = replace(CONFIG, batch_size=3, max_concurrent=2)
    _, whole = run_training(tmp_path / "undisturbed", simple_team(), make_tasks(6), config)
    team = simple_team()
    dries_up(getattr(team, role).model, after)
    with pytest.raises(EndpointUnusable, match="the account cannot pay"):
        run_training(tmp_path, team, make_tasks(6), config)
    events = RunLog(tmp_path / "run").events()
    assert not any(event["event"] == "set_aside" or (event.get("exploration") or {}).get("error") for event in events)
    assert (tmp_path / "library.json").exists() is any(event["event"] == "decided" for event in events)
    progress, library = run_training(tmp_path, simple_team(), make_tasks(6), config)
    assert (list(library), progress.unfinished) == (list(whole), 0)


def test_an_updater_that_breaks_its_contract_leaves_the_experience_out(tmp_path):
    progress, library = run_training(tmp_path, simple_team(update=lambda _: "eh"), make_tasks(2))
    # The first experience meets an empty library and needs no decision.
    assert progress.inserted == len(library) == 1
    assert progress.quarantined == len(library.quarantined) == 3
    assert "json block" in library.quarantined[0].reason
    assert [change.action for change in library.history()] == ["insert", *["quarantine"] * 3]


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
        ScriptedModel("The answer is 1", "The answer is 2", "The answer is 3", "The answer is 0"),
        ScriptedModel(accept(), refuse(), "eh", "eh"),
        ScriptedModel(experience()), ScriptedModel(),
    )  # fmt: skip
    progress, _ = run_training(tmp_path, team)
    assert (progress.attempts, progress.verdicts, progress.unread, progress.disagreements) == (4, 3, 1, 1)


def test_replies_that_copy_their_prompt_are_counted_and_dropped(tmp_path):
    verdict = refuse("<What is sound and should be kept>.")
    lesson = experience("<The solution, step by step>")
    reason = decision("insert", reason="<what agrees, what is new>")
    team = make_team(
        ScriptedModel("The answer is 8", *(f"The answer is {n}" for n in range(3))),
        ScriptedModel(verdict, verdict),
        ScriptedModel(experience("one"), lesson, lesson, experience("two")),
        ScriptedModel(reason, reason),
    )
    config = replace(CONFIG, batch_size=1, max_concurrent=1)
    progress, library = run_training(tmp_path, team, make_tasks(3), config)
    assert (progress.copied, progress.unread, progress.not_distilled, progress.quarantined) == (3, 1, 1, 1)
    assert progress.why_not_distilled.startswith("it copies its prompt: '<The solution, step by step>'")
    assert [entry.method for entry in library] == ["one"]
    assert "no feedback this time" in team.actor.model.asked[1][-1]["content"]


def test_a_run_whose_verifier_cannot_be_read_stops_and_goes_on_later(tmp_path):
    def broken(answers):
        return make_team(RuleModel(lambda _: "The answer is -1"), RuleModel(lambda _: next(answers)), *critics())

    def critics():
        return RuleModel(lambda messages: experience(f"of {number(messages)}")), RuleModel(lambda _: decision("insert"))

    config, stop = replace(CONFIG, limits=Limits(1, 3), max_concurrent=1), Stop()
    progress, _ = run_training(tmp_path, broken(repeat("eh")), make_tasks(9), config, stop=stop)
    assert (progress.explored, progress.unread, progress.unfinished) == (4, 12, 5)
    assert stop.reason.startswith("12 of 12 replies of the verifier were no verdict; another --verifier_model")
    progress, _ = run_training(tmp_path, broken(repeat(refuse())), make_tasks(9), config)
    assert (progress.explored, progress.unread, progress.unfinished) == (9, 12, 0)


def test_a_run_with_as_many_verdicts_as_garbage_goes_on(tmp_path):
    lines = cycle(["eh", "eh", refuse()])  # a reply that cannot be read is asked for twice
    actor = RuleModel(lambda _: "The answer is -1")
    team = make_team(actor, RuleModel(lambda _: next(lines)), RuleModel(lambda _: "eh"), ScriptedModel())
    progress, _ = run_training(tmp_path, team, make_tasks(9), replace(CONFIG, limits=Limits(1, 2), max_concurrent=1))
    assert (progress.explored, progress.verdicts, progress.unread, progress.not_distilled) == (9, 18, 9, 9)


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


def test_an_experience_without_a_decision_is_left_to_a_resumed_run(tmp_path):
    def gone(messages):
        raise EndpointError("gone")

    progress, library = run_training(tmp_path, simple_team(update=gone), make_tasks(2))
    assert (progress.inserted, progress.undecided, len(library)) == (1, 3, 1)
    assert [event["error"] for event in RunLog(tmp_path / "run").events("set_aside")] == ["gone"] * 3
    progress, library = run_training(tmp_path, simple_team(), make_tasks(2))
    assert (progress.inserted, progress.discarded, progress.undecided, len(library)) == (2, 2, 0, 2)
