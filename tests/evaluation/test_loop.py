import asyncio
import errno
import json
from dataclasses import replace

import pytest

from flex.benchmarks import get_benchmark
from flex.concurrency import Stop
from flex.endpoint.usage import record_usage
from flex.errors import EndpointError, EndpointUnusable, ParseError, RunError, SettingsError, TaskRefused, Unusable
from flex.evaluation.loop import EvalConfig, evaluate
from flex.evaluation.results import load_results
from flex.evaluation.settings import SETTINGS, Resources, get_setting, solver
from flex.evaluation.summary import Summary, evaluate_retro_results_fuzzy, summarize
from flex.explib import ExpLib
from flex.files.jsonlines import to_jsonable
from flex.memory_retriever import MemoryRetriever
from flex.prompt import Prompts
from flex.testing import RuleModel, ScriptedModel
from flex.types import Attempt, Experience, Hit, Retrieval, Rule, Usage
from tests.team import MATH, make_tasks

VANILLA = EvalConfig(SETTINGS["vanilla"])


def run(folder, solve, tasks=None, config=VANILLA, benchmark=MATH):
    folder.mkdir(exist_ok=True)
    return asyncio.run(evaluate(tasks or make_tasks(4), benchmark, solve, config, folder))


async def right_for_even(task):
    record_usage("actor", "m", Usage(calls=1, prompt_tokens=100, completion_tokens=10))
    return Attempt(f"It is {task.target}", task.target if task.index % 2 == 0 else "999")


def test_every_task_is_a_row_in_order_and_a_log_to_read(tmp_path):
    results = run(tmp_path, right_for_even)
    assert [(r.index, r.score, r.correct) for r in results] == [
        (0, 1, True),
        (1, 0, False),
        (2, 1, True),
        (3, 0, False),
    ]
    assert load_results(tmp_path) == results
    log = (tmp_path / "1.txt").read_text()
    assert "task number 1 (odd)" in log
    assert "## Answer\n999" in log
    assert "(wrong)" in log


def test_rows_hold_what_other_programs_read(tmp_path):
    run(tmp_path, right_for_even)
    row = json.loads((tmp_path / "results.jsonl").read_text().splitlines()[0])
    keys = {"task_id", "question", "target", "answer", "score", "correct", "error", "setting", "seconds", "usage"}
    assert keys <= set(row)
    assert row["usage"]["prompt_tokens"] == 100


def test_the_summary_counts_and_has_an_interval(tmp_path):
    summary = summarize(run(tmp_path, right_for_even), MATH, setting="vanilla", model="m").to_json()
    wanted = {"benchmark": "math", "setting": "vanilla", "model": "m", "n": 4, "correct": 2, "failed": 0}
    assert wanted.items() <= summary.items()
    assert summary["accuracy"] == summary["mean_score"] == 0.5
    assert 0 < summary["low"] < 0.5 < summary["high"] < 1
    assert summary["usage"]["calls"] == 4
    assert summary["usage_by_role"]["actor"]["completion_tokens"] == 40


def failing(error, *indices):
    """Answers rightly, but raises at some tasks."""

    async def solve(task):
        if task.index in indices:
            raise error
        return Attempt("", task.target)

    return solve


@pytest.mark.parametrize(
    ("error", "ended"),
    [
        (TaskRefused("400 the prompt was filtered", "content filter", filtered=True), "filtered"),
        (TaskRefused("400 too long"), "error"),
        (ParseError("the agent's run broke off"), "error"),
    ],
)
def test_an_answer_that_fails_for_its_tasks_own_reason_counts_as_wrong(tmp_path, error, ended):
    results = run(tmp_path, failing(error, 1))
    row = results[1]
    assert (row.error, row.correct, row.unanswered, row.finish_reason) == (str(error), False, False, ended)
    summary = summarize(results, MATH, setting="vanilla", model="m").to_json()
    assert (summary["n"], summary["correct"], summary["failed"], summary["unanswered"]) == (4, 3, 1, 0)
    assert summary["accuracy"] == 0.75


def test_an_answer_that_the_endpoint_never_gave_leaves_every_number(tmp_path):
    config = EvalConfig(SETTINGS["vanilla"], repeats=2)
    results = run(tmp_path, failing(EndpointError("429 too many", "429 too many"), 1), config=config)
    results[0] = replace(results[0], unanswered=True, correct=False, error="429")
    summary = summarize(results, MATH, setting="vanilla", model="m")
    assert (summary.n, summary.answers, summary.answered, summary.unanswered) == (4, 8, 5, 3)
    assert (summary.accuracy, summary.pass_at, summary.top) == (1.0, {"2": 1.0}, {"1": 1.0, "2": 1.0})
    assert summary.notes == "3 of 8 unanswered"
    assert "(unanswered)" in (tmp_path / "1.txt").read_text()


def test_an_error_that_nobody_foresaw_costs_its_task_and_is_told_with_its_traceback(tmp_path):
    results = run(tmp_path, failing(KeyError("B"), 2))
    row = results[2]
    assert (row.error, row.unforeseen, row.unanswered, row.correct) == ("KeyError: 'B'", True, False, False)
    assert [r.correct for r in results] == [True, True, False, True]
    assert "in solve" in (tmp_path / "2.txt").read_text()
    summary = summarize(results)
    assert (summary.failed, summary.unforeseen, summary.reasons) == (1, 1, {"KeyError: 'B'": 1})
    assert all(r.correct for r in run(tmp_path, failing(KeyError("B"))))


def test_a_scorer_that_breaks_costs_its_task(tmp_path, monkeypatch):
    score = type(MATH).score
    monkeypatch.setattr(type(MATH), "score", lambda self, a, t: score(self, a, t) if t != "1" else [][0])
    results = run(tmp_path, right_for_even)
    assert [(r.correct, r.unforeseen) for r in results] == [(True, False), (False, True), (True, False), (False, False)]
    assert results[1].reply == "It is 1"


@pytest.mark.parametrize("error", [EndpointUnusable("the account cannot pay"), OSError(errno.ENOSPC, "disk full")])
def test_what_no_task_is_to_blame_for_ends_the_run_and_keeps_every_row(tmp_path, error):
    asked = []

    async def dries_up(task):
        asked.append(task.index)
        if task.index >= 3:
            raise error
        return await right_for_even(task)

    config = EvalConfig(SETTINGS["vanilla"], concurrency=2)
    with pytest.raises(Unusable):
        run(tmp_path, dries_up, make_tasks(20), config)
    assert [row.index for row in load_results(tmp_path)] == [0, 1, 2]
    assert len(asked) <= 5
    assert len(run(tmp_path, right_for_even, make_tasks(20), config)) == 20


def test_a_task_that_had_been_paid_for_when_the_account_dried_up_is_kept_as_unanswered(tmp_path):
    async def dries_up(task):
        record_usage("actor", "m", Usage(calls=2, prompt_tokens=100))
        raise EndpointUnusable("the account cannot pay")

    with pytest.raises(EndpointUnusable):
        run(tmp_path, dries_up, make_tasks(1))
    assert [(row.unanswered, row.usage.calls) for row in load_results(tmp_path)] == [(True, 2)]


def test_where_nothing_was_answered_there_is_no_accuracy(tmp_path):
    results = run(tmp_path, failing(EndpointError("busy"), 0, 1, 2, 3))
    summary = summarize(results, MATH)
    assert (summary.accuracy, summary.value, summary.mean_score) == (None, None, None)
    assert Summary.from_json(json.loads(json.dumps(summary.to_json()))) == summary


def test_rows_say_how_their_reply_ended_and_the_summary_counts_them(tmp_path):
    endings = ("length", "filtered", "empty", "tool_calls")

    async def ends(task):
        return Attempt("", task.target, finish_reason=endings[task.index])

    results = run(tmp_path, ends)
    assert tuple(row.finish_reason for row in results) == endings
    summary = summarize(results)
    assert (summary.cut_off, summary.filtered, summary.empty) == (1, 1, 2)
    assert summary.notes == "1 of 4 cut off at the token limit, 2 of 4 empty, 1 of 4 filtered"


def test_tasks_in_which_the_library_was_consulted_are_counted(tmp_path):
    async def consults(task):
        return Attempt("", "1", retrievals=(Retrieval("q"),) * (task.index % 3))

    assert summarize(run(tmp_path, consults, config=EvalConfig(SETTINGS["flex"]))).consulted == 2


def test_rows_of_earlier_versions_are_read(tmp_path):
    rows = run(tmp_path, right_for_even)
    new = {"finish_reason", "unanswered", "unforeseen", "reason", "consulted"}
    old = [{key: value for key, value in to_jsonable(row).items() if key not in new} for row in rows]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in old))
    assert load_results(tmp_path) == rows


def test_a_run_started_again_answers_only_what_is_missing_or_failed(tmp_path):
    asked = []

    async def fails_once(task):
        asked.append(task.index)
        if task.index == 2 and asked.count(2) == 1:
            raise EndpointError("busy")
        return await right_for_even(task)

    run(tmp_path, fails_once)
    results = run(tmp_path, fails_once)
    assert sorted(asked) == [0, 1, 2, 2, 3]
    assert [r.error for r in results] == [None] * 4
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 4


def test_a_torn_last_row_is_answered_again(tmp_path):
    whole = run(tmp_path, right_for_even)
    content = (tmp_path / "results.jsonl").read_bytes()
    (tmp_path / "results.jsonl").write_bytes(content[:-40])
    assert [r.answer for r in run(tmp_path, right_for_even)] == [r.answer for r in whole]


def test_repeats_are_distinct_attempts(tmp_path):
    answers = iter(range(100))

    async def another(task):
        return Attempt("", str(next(answers)))

    results = run(tmp_path, another, make_tasks(2), EvalConfig(SETTINGS["vanilla"], repeats=3))
    assert [(r.index, r.repeat) for r in results] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert len({r.answer for r in results}) == 6
    assert (tmp_path / "0_2.txt").exists()
    summary = summarize(results, MATH, setting="vanilla", model="m").to_json()
    assert (summary["n"], summary["repeats"], summary["correct"]) == (2, 3, 1)
    assert summary["pass@3"] == 0.5
    assert summary["pass@2"] == pytest.approx(1 / 3)


def test_concurrency_is_what_was_asked_for(tmp_path):
    under_way = most = 0

    async def watched(task):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return Attempt("", "1")

    run(tmp_path, watched, make_tasks(40), EvalConfig(SETTINGS["vanilla"], concurrency=17))
    assert most == 17


def test_hits_and_steps_are_kept(tmp_path):
    async def with_hits(task):
        hits = (Hit("b", 1.0), Hit("a", 0.5), Hit("b", 1.0, "rule", rule=0))
        return Attempt("", "1", retrievals=(Retrieval("q", hits, "text"),), steps=({"step": 1},))

    folder = tmp_path / "results"
    assert run(folder, with_hits, make_tasks(1))[0].hits == ("b", "a")
    trace = json.loads((tmp_path / "results_process" / "0.json").read_text())
    assert trace["steps"] == [{"step": 1}]
    assert trace["retrievals"][0]["text"] == "text"


def library() -> ExpLib:
    made = ExpLib()
    made.add(Experience("task number: read it", (Rule("read the number"),), "done"))
    return made


@pytest.mark.parametrize("name", list(SETTINGS))
def test_every_setting_answers_the_same_tasks(name, tmp_path):
    config = EvalConfig(get_setting(name), concurrency=2)
    if config.setting.agent:
        read = "print(memory_retrieval(query='task number'))\n" if config.setting.library != "none" else ""
        model = RuleModel(lambda _: f"<code>\n{read}final_answer(0)\n</code>")
    else:
        model = RuleModel(lambda _: "The answer is 0")
    prompts = Prompts("aime")
    retriever = MemoryRetriever(ScriptedModel(), prompts)
    resources = Resources(model, MATH, prompts, retriever, library(), train_tasks=make_tasks(9)[5:], icl_k=2)
    with solver(config.setting, resources) as solve:
        results = run(tmp_path, solve, config=config)
    assert [r.correct for r in results] == [True, False, False, False]
    assert all(bool(r.hits) == (config.setting.library in ("own", "shuffled")) for r in results)
    assert all(r.setting == name for r in results)


@pytest.mark.parametrize(("name", "missing"), [("flex", "an experience library"), ("icl", "--train_path")])
def test_a_setting_that_lacks_something_says_so(name, missing):
    resources = Resources(ScriptedModel(), MATH, Prompts("aime"))
    with pytest.raises(SettingsError, match=f"'{name}' needs .*{missing}"), solver(SETTINGS[name], resources):
        pass


def test_nothing_new_is_begun_once_a_stop_is_wished_for(tmp_path):
    stop = Stop()

    async def stops_at_three(task):
        if task.index == 3:
            stop.request("enough")
        return await right_for_even(task)

    tmp_path.mkdir(exist_ok=True)
    config = EvalConfig(SETTINGS["vanilla"], concurrency=1)
    results = asyncio.run(evaluate(make_tasks(10), MATH, stops_at_three, config, tmp_path, stop=stop))
    assert [r.index for r in results] == [0, 1, 2, 3]
    assert stop.reason == "enough"
    assert len(run(tmp_path, right_for_even, make_tasks(10))) == 10


def test_an_unknown_setting_is_named():
    with pytest.raises(SettingsError, match="unknown setting 'magic'; choose from vanilla"):
        get_setting("magic")


def test_a_row_of_another_kind_is_an_error_with_its_place(tmp_path):
    (tmp_path / "results.jsonl").write_text('{"task": 1}\n')
    with pytest.raises(RunError, match="Result cannot be read back"):
        run(tmp_path, right_for_even)


def test_retro_results_are_read_again_with_looser_scores(tmp_path):
    retro = get_benchmark("retro")
    target = "CC(=O)Cl.OCc1ccccc1"

    async def without_reagent(task):
        return Attempt("", ["OCc1ccccc1.CC(=O)Cl", "OCc1ccccc1"][task.index])

    data = tmp_path / "two.jsonl"
    data.write_text((json.dumps({"question": "CC(=O)OCc1ccccc1", "answer": target}) + "\n") * 2)
    tasks = retro.load(data)
    run(tmp_path, without_reagent, tasks, benchmark=retro)
    found = evaluate_retro_results_fuzzy(tmp_path)
    assert (found["n"], found["exact"], found["maxfrag"]) == (2, 0.5, 1.0)


def test_an_example_that_gives_a_task_away_is_left_out_for_that_task_only(tmp_path):
    train_tasks = make_tasks(5)[3:]
    hidden = {make_tasks(1)[0].id: {train_tasks[0].id}}
    model = RuleModel(lambda _: "The answer is 0")
    resources = Resources(model, MATH, Prompts("aime"), train_tasks=train_tasks, hidden_examples=hidden, icl_k=2)
    with solver(SETTINGS["icl"], resources) as solve:
        run(tmp_path, solve, make_tasks(2), EvalConfig(SETTINGS["icl"], concurrency=1))
    shown = [train_tasks[0].question in asked[1]["content"] for asked in model.asked]
    assert shown == [False, True]


@pytest.mark.parametrize(
    ("answers", "top_1", "top_3"), [("7 -7 -7", 1.0, 1.0), ("-7 7 7", 0.0, 1.0), ("-7.0 -7 7", 1.0, 1.0)]
)
def test_the_majority_is_counted_by_what_the_scorer_takes_for_the_same(tmp_path, answers, top_1, top_3):
    said = iter(answers.split())

    async def says(task):
        return Attempt("", next(said))

    results = run(tmp_path, says, [MATH.task("q", "-7")], EvalConfig(SETTINGS["vanilla"], repeats=3, concurrency=1))
    summary = summarize(results, MATH, setting="vanilla", model="m").to_json()
    assert (summary["top-1"], summary["top-3"]) == (top_1, top_3)
